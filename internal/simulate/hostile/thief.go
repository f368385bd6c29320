package hostile

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/simulate/laws"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/world"
	"gatehouse/sync/wire"
)

// Thief is somebody who has copied keys of the registry from its disks. Files are
// all that he has: what he says is signed by the real code.
type Thief struct {
	w       *world.World
	issuer  ed25519.PrivateKey
	witness ed25519.PrivateKey
	epoch   map[wire.Role]uint64 // under which the trust document names them
	taken   *laws.Taken
}

// NewThief is one who has nothing yet.
func NewThief(w *world.World) *Thief { return &Thief{w: w} }

// Events are what he does, by the names that plans have for it.
func (th *Thief) Events() map[string]func(n [4]int) {
	return map[string]func(n [4]int){
		"steal keys":   func([4]int) { th.steal() },
		"thief's list": th.bring,
	}
}

// steal copies issuer.key and witness.key as they are now.
func (th *Thief) steal() {
	w := th.w
	w.Shown.Calm = false
	trust, err := authority.ShowTrust(w.Bed.Registry.Issuer.Disk.Dir())
	had := Thief{w: w, epoch: map[wire.Role]uint64{}, taken: laws.NewTaken()}
	if err == nil {
		had.issuer, err = keys.LoadPrivateKey(w.Bed.Registry.Issuer.Disk.Path(authority.FileIssuer))
	}
	if err == nil {
		had.witness, err = keys.LoadPrivateKey(w.Bed.Registry.Front.Disk.Path(api.FileWitnessKey))
	}
	if err != nil {
		w.Report.Breach("plan", "the keys can't be stolen: %v", err)
		return
	}
	for role, key := range map[wire.Role]ed25519.PrivateKey{wire.RoleIssuer: had.issuer, wire.RoleWitness: had.witness} {
		id := wire.IDOf(key.Public().(ed25519.PublicKey))
		for _, k := range trust.Keys {
			if k.ID == hex.EncodeToString(id[:]) {
				had.epoch[role] = k.Epoch
			}
		}
	}
	*th = had // who stole before has the same
	w.Keys = world.Stolen
	w.Report.Say("a thief copies issuer.key and witness.key")
}

// farthestTaken is how far a gateway takes the number of a list above its own.
const farthestTaken = 1 << 20

// bring lets the thief sign a list that takes from the first n[2] tenancies
// that it finds, and bring it to a gateway by stick.
func (th *Thief) bring(n [4]int) {
	if !th.w.Plan.Named {
		n[1], n[2] = n[1]%3, n[2]%6
	}
	b, ok := world.Pick(n[0], th.w.Bed.Running())
	if !ok || th.w.Keys != world.Stolen {
		return
	}
	was, err := b.Client.List(th.w.Bed.Ctx)
	if err != nil {
		th.w.Report.Breach("plan", "the thief can't read the list of %s: %v", b.Name, err)
		return
	}
	var whom []string
	for _, t := range th.w.Model.Tenancies {
		whom = append(whom, t.ID)
	}
	list, robbed, err := th.list(was, whom, n[1], n[2], time.Now())
	if err != nil {
		th.w.Report.Breach("plan", "the thief can't sign: %v", err)
		return
	}
	th.w.Look()
	_, err = b.Client.Apply(th.w.Bed.Ctx, control.Update{Manifest: list.Manifest, Buckets: list.Buckets})
	th.w.Report.Say("the thief brings %s a list by stick, %s, that ends %s%s", b.Name,
		[...]string{"the next number", "2^20 further", "number 2^64-1"}[n[1]], amount.Of(len(robbed), "tenancy"), world.Refusal(err))
	th.judge(b, n[1], n[2], err)
	if err != nil {
		if strings.Contains(err.Error(), "second issuer") {
			th.taken.Refused(b.Name, th.w.Now())
		}
		return
	}
	th.taken.Judge(b.Name, robbed, th.w.Now(), th.w.Report)
	th.w.Shown.Lost(th.w.Now(), "a thief's list was active at "+b.Name, "")
	for _, t := range th.w.Model.Tenancies {
		t.Robbed = t.Robbed || slices.Contains(robbed, t.ID)
	}
}

// judge holds a gateway's answer to a list of a number, by which so many tenancies are to
// end, against what has to be taken and what has not.
func (th *Thief) judge(b *testbed.Gateway, number, ends int, err error) {
	switch {
	case number == plan.HighestOfAll && err == nil:
		th.w.Report.Breach("W8", "%s takes a list that uses up the numbers", b.Name)
	case number != plan.HighestOfAll && ends <= 3 && err != nil && th.w.Plan.Named:
		th.w.Report.Breach("plan", "%s does not take the thief's list: %v", b.Name, err)
	}
}

// list makes a list that revokes so many tenancies of another, the first of whom, and
// names them.
func (th *Thief) list(was control.List, whom []string, number, ends int, now time.Time) (l grantlist.List, robbed []string, err error) {
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
		takes := func(g wire.Grant) bool { // from a grant that is over nothing can be taken
			return g.Tenancy.String() == id && g.State == wire.GrantActive && (g.Until == 0 || int64(g.Until) > now.Unix())
		}
		if slices.ContainsFunc(grants, takes) && len(robbed) < ends {
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
	l, _, err = d.Sign(grants, now, th.issuer, th.epoch[wire.RoleIssuer])
	return l, robbed, err
}

// Cosigned is the part of law W4 that is about the witness: after a thief of its key
// has cosigned whatever he liked, the new one cosigns what comes.
func (th *Thief) Cosigned() {
	for _, b := range th.w.Bed.Gateways {
		var last wire.Ack2
		for _, m := range th.w.Bed.Broker.Seen() {
			payload, err := wire.PayloadOf(m.Payload)
			if m.Topic != testbed.PlaceOf(b.Name).Down(wire.TypeAck) || err != nil {
				continue
			}
			_, p, _ := wire.Open(m.Payload, wire.Expect{}, nil) // only to learn its version
			if k, err := wire.DecodeAck(p.Version, payload); err == nil {
				last = k
			}
		}
		if last.Next == 0 || last.Cosignature == (wire.Signature{}) {
			th.w.Report.Breach("W4", "what %s has entered is not cosigned any more", b.Name)
		}
	}
}
