package simulate

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/sync/wire"
)

// thief is somebody who has copied keys of the registry from its disks. Files are
// all that he has: what he says is signed by the real code.
type thief struct {
	issuer  ed25519.PrivateKey
	witness ed25519.PrivateKey
	epoch   map[wire.Role]uint64 // under which the trust document names them
	void    bool                 // the root has replaced them
	took    map[string][]taking
	refused map[string]time.Duration // by gateway: since when one of his lists waits for a second issuer
}

// waited is for how many days a gateway has refused a list of his.
func (t *thief) waited(gateway string, now time.Duration) int {
	if at, waits := t.refused[gateway]; waits {
		return int((now - at) / plan.Day)
	}
	return 0
}

// taking is one tenancy that a list of the thief's has ended at a gateway.
type taking struct {
	at time.Duration
	id string
}

// count is what docs/keys.md promises of a thief of issuer.key: of few tenancies a
// day he takes something.
func (t *thief) count(w *world, b *testbed.Gateway, robbed []string, most int) {
	for _, id := range robbed {
		t.took[b.Name] = append(t.took[b.Name], taking{w.now(), id})
	}
	lately := map[string]bool{}
	for _, one := range t.took[b.Name] {
		if w.now()-one.at < plan.Day {
			lately[one.id] = true
		}
	}
	if len(lately) > most {
		w.report.Breach("W8", "a thief's lists have ended %s at %s within a day, at most %d", amount.Of(len(lately), "tenancy"), b.Name, most)
	}
}

// stealKeys lets a thief copy issuer.key and witness.key as they are now.
func (w *world) stealKeys([4]int) {
	w.calm = false
	trust, err := authority.ShowTrust(w.bed.Registry.Issuer.Disk.Dir())
	t := &thief{epoch: map[wire.Role]uint64{}, took: map[string][]taking{}, refused: map[string]time.Duration{}}
	if err == nil {
		t.issuer, err = keys.LoadPrivateKey(w.bed.Registry.Issuer.Disk.Path(authority.FileIssuer))
	}
	if err == nil {
		t.witness, err = keys.LoadPrivateKey(w.bed.Registry.Front.Disk.Path(api.FileWitnessKey))
	}
	if err != nil {
		w.report.Breach("plan", "the keys can't be stolen: %v", err)
		return
	}
	for role, key := range map[wire.Role]ed25519.PrivateKey{wire.RoleIssuer: t.issuer, wire.RoleWitness: t.witness} {
		id := wire.IDOf(key.Public().(ed25519.PublicKey))
		for _, k := range trust.Keys {
			if k.ID == hex.EncodeToString(id[:]) {
				t.epoch[role] = k.Epoch
			}
		}
	}
	w.thief = t // who stole before has the same
	w.report.Say("a thief copies issuer.key and witness.key")
}

// farthestTaken is how far a gateway takes the number of a list above its own.
const farthestTaken = 1 << 20

// thiefsList lets the thief sign a list that takes from the first n[2] tenancies
// that it finds, and bring it to a gateway by stick.
func (w *world) thiefsList(n [4]int) {
	if !w.plan.Named {
		n[1], n[2] = n[1]%3, n[2]%6
	}
	b, ok := pick(n[0], w.bed.Running())
	if !ok || w.thief == nil || w.thief.void {
		return
	}
	was, err := b.Client.List(w.bed.Ctx)
	if err != nil {
		w.report.Breach("plan", "the thief can't read the list of %s: %v", b.Name, err)
		return
	}
	var whom []string
	for _, t := range w.model.Tenancies {
		whom = append(whom, t.ID)
	}
	list, robbed, err := w.thief.list(was, whom, n[1], n[2], time.Now())
	if err != nil {
		w.report.Breach("plan", "the thief can't sign: %v", err)
		return
	}
	w.look()
	_, err = b.Client.Apply(w.bed.Ctx, control.Update{Manifest: list.Manifest, Buckets: list.Buckets})
	w.report.Say("the thief brings %s a list by stick, %s, that ends %s%s", b.Name,
		[...]string{"the next number", "2^20 further", "number 2^64-1"}[n[1]], amount.Of(len(robbed), "tenancy"), refusal(err))
	switch {
	case n[1] == plan.HighestOfAll && err == nil:
		w.report.Breach("W8", "%s takes a list that uses up the numbers", b.Name)
	case n[1] != plan.HighestOfAll && n[2] <= 3 && err != nil && w.plan.Named:
		w.report.Breach("plan", "%s does not take the thief's list: %v", b.Name, err)
	}
	if err != nil {
		if _, waits := w.thief.refused[b.Name]; !waits && strings.Contains(err.Error(), "second issuer") {
			w.thief.refused[b.Name] = w.now()
		}
		return
	}
	most := 3 * (1 + w.thief.waited(b.Name, w.now()))
	delete(w.thief.refused, b.Name)
	w.thief.count(w, b, robbed, most)
	w.losses = append(w.losses, loss{"a thief's list was in force at " + b.Name, w.now(), []string{""}})
	for _, t := range w.model.Tenancies {
		t.Robbed = t.Robbed || slices.Contains(robbed, t.ID)
	}
}

// list makes a list that revokes so many tenancies of another, the first of whom, and
// names them.
func (t *thief) list(was control.List, whom []string, number, ends int, now time.Time) (l grantlist.List, robbed []string, err error) {
	payload, err := wire.PayloadOf(was.Manifest)
	if err != nil {
		return l, nil, err
	}
	base, err := wire.DecodeManifest(payload)
	if err != nil {
		return l, nil, err
	}
	var grants []wire.Grant
	for i, bucket := range was.Buckets {
		some, err := base.DecodeBucket(i, bucket)
		if err != nil {
			return l, nil, err
		}
		grants = append(grants, some...)
	}
	for _, id := range whom {
		if slices.ContainsFunc(grants, func(g wire.Grant) bool { return g.Tenancy.String() == id && g.State == wire.GrantActive }) && len(robbed) < ends {
			robbed = append(robbed, id)
		}
	}
	for i := range grants {
		if slices.Contains(robbed, grants[i].Tenancy.String()) {
			grants[i].State = wire.GrantRevoked
		}
	}
	switch number {
	case plan.HighestTaken:
		base.Version += farthestTaken - 1
	case plan.HighestOfAll:
		base.Version = math.MaxUint64 - 1
	}
	d := grantlist.NewDraft(was.Building, base, sha256.Sum256(payload))
	d.Seen = base.Seen
	l, _, err = d.Sign(grants, now, t.issuer, t.epoch[wire.RoleIssuer])
	return l, robbed, err
}

// replaceKeys is what docs/restore.md says of stolen keys: the root makes new ones
// in the place of issuer's and witness's, and what these said is void.
func (w *world) replaceKeys([4]int) {
	if w.thief == nil || w.thief.void {
		return // done already, or nobody has stolen one
	}
	w.thief.void = true
	w.report.Say("the root replaces the keys of issuer and witness: registryd trust new --replace issuer --replace witness --as-false")
	w.bed.Registry.Issuer.End()
	w.bed.Registry.StopFront()
	_, err := authority.NextTrust{Dir: w.bed.Registry.Issuer.Disk.Dir(), Front: w.bed.Registry.Front.Disk.Dir(), Root: w.bed.Path("offline/" + authority.FileRootKey),
		Replace: []string{authority.ReplaceIssuer, authority.ReplaceWitness}, False: true, Now: w.bed.Registry.Issuer.Clock.Wall()}.Sign()
	if err != nil {
		w.report.Breach("W4", "the stolen keys can't be replaced: %v", err)
	}
	w.must("the front", w.bed.Registry.StartFront())
	w.must("the issuer", w.bed.Registry.StartIssuer())
	time.Sleep(time.Second)
	_, err = w.bed.Registry.Op.Publish(w.bed.Ctx)
	w.report.Say("the operator: registryd publish%s", said(err))
}

// revokeNow is law W4 in the midst of days: a revocation is in force at every
// gateway that has a line within two minutes.
func (w *world) revokeNow(n [4]int) {
	if t, ok := w.someone(n[0]); ok && w.revokeOf(t) {
		w.inForce(t)
	}
}

// inForce holds the cards of a revoked tenancy up, two minutes after.
func (w *world) inForce(t *model.Tenancy) { w.inForceIn(2*time.Minute, t) }

// revokeInTime and inTime are what is promised of any single fault: a revocation made
// in it is in force 90 s after its end.
func (w *world) revokeInTime(n [4]int) {
	if t, ok := w.someone(n[0]); ok && w.revokeOf(t) {
		w.inForceIn(90*time.Second, t)
	}
}

func (w *world) inTime(n [4]int) {
	if t, ok := w.someone(n[0]); ok {
		w.inForceIn(90*time.Second, t)
	}
}

func (w *world) inForceIn(limit time.Duration, t *model.Tenancy) {
	time.Sleep(limit - 5*time.Second*time.Duration(len(w.bed.Gateways)*len(t.Cards)))
	synctest.Wait()
	for _, b := range w.bed.Gateways {
		for _, c := range t.Cards {
			if len(w.model.Holders(c.Number)) == 1 && b.Swipe(c.Number) {
				w.report.Breach("W4", "%v after it was revoked and could be heard, house card %d of %s still opens at %s", limit, c.Number, t.Name(), b.Name)
			}
		}
	}
	w.look()
}

// reinstateRobbed is the operator who is told that grants were ended by a list that
// nobody here has made: who lives in the house gets new ones.
func (w *world) reinstateRobbed() {
	all, err := w.bed.Registry.Op.Tenancies(w.bed.Ctx, testbed.Building)
	if err != nil {
		return
	}
	for _, t := range w.model.Tenancies {
		i := slices.IndexFunc(all, func(o operator.Tenancy) bool { return o.ID == t.ID })
		if !t.Robbed || i < 0 || !w.model.Lives(t) {
			continue
		}
		done, err := w.bed.Registry.Op.Do(w.bed.Ctx, operator.Act{Act: operator.ActReinstate, Tenancy: t.ID, Reason: "mistake"})
		w.report.Say("the operator: registryd reinstate --tenancy, for %s: %s%s", t.Name(), amount.Of(len(done.New), "new grant"), said(err))
		if err == nil {
			t.Robbed, t.Notice = false, time.Time{}
			w.model.Say("issuer", model.Reinstated, t, w.model.CardsAt("issuer", t)...)
		}
		if err == nil && done.Held {
			w.countersign()
		}
	}
}

// dropOffers is the operator who looks at what gateways hold and no issuer trusted
// now has signed: a list is a thief's, since nobody has restored anything with another
// key here. Endings are left to those who live in the house.
func (w *world) dropOffers() {
	all, err := w.bed.Registry.Op.Offers(w.bed.Ctx)
	if err != nil || w.thief == nil {
		return
	}
	for _, o := range all {
		if o.Key == "" {
			w.reinstateRobbed()
			continue
		}
		_, err := w.bed.Registry.Op.Decide(w.bed.Ctx, operator.Decision{Building: o.Building, ID: o.ID})
		w.report.Say("the operator: registryd offers drop, for the list that %s holds%s", o.Gateway, said(err))
	}
}

// cosigned is the part of law W4 that is about the witness: after a thief of its key
// has cosigned whatever he liked, the new one cosigns what comes.
func (w *world) cosigned() {
	for _, b := range w.bed.Gateways {
		var last wire.Ack2
		for _, m := range w.bed.Broker.Seen() {
			payload, err := wire.PayloadOf(m.Payload)
			if m.Topic != placeOf(b.Name).Down(wire.TypeAck) || err != nil {
				continue
			}
			_, p, _ := wire.Open(m.Payload, wire.Expect{}, nil) // only to learn its version
			if k, err := wire.DecodeAck(p.Version, payload); err == nil {
				last = k
			}
		}
		if last.Next == 0 || last.Cosignature == (wire.Signature{}) {
			w.report.Breach("W4", "what %s has entered is not cosigned any more", b.Name)
		}
	}
}
