package simulate

import (
	"regexp"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/internal/faultnet"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
)

// close is the end of a run: clocks, lines and machines are right again, and the
// operator and the landlord do what they are told. Then a true revocation has to
// be in force within two minutes, and everything has to agree.
func (w *world) close() {
	w.report.Say("everything is right again")
	w.replaceKeys([4]int{}) // a theft comes out
	w.clocksRight([4]int{})
	w.renewalAgain([4]int{})
	w.disksRight()
	w.bed.Broker.Set(faultnet.Misdeeds{})
	clear(w.bed.Registry.Cut)
	clear(w.bed.Registry.Dead)
	w.frontOn([4]int{})
	if !w.bed.Registry.Issuer.Running() {
		w.must("the issuer", w.bed.Registry.StartIssuer())
	}
	for _, b := range w.bed.Gateways {
		if !b.Running() {
			w.bootBox(b)
		}
	}
	for _, wait := range []time.Duration{time.Hour, time.Hour, 4 * time.Hour, 20 * time.Hour} {
		time.Sleep(wait)
		synctest.Wait()
		w.look()
		w.follow()
	}
	time.Sleep(time.Hour)
	synctest.Wait()
	w.look()
	w.atLast()
	w.settled()
	w.agree()
	w.complete()
	w.told()
	w.outdated()
}

// atLast is law W4: a true revocation is in force at every door in two minutes.
func (w *world) atLast() {
	for _, b := range w.bed.Gateways {
		if !b.Running() {
			w.report.Breach("W4", "%s does not run", b.Name)
			return
		}
	}
	t := w.checkInAt(w.bed.Gateways[0], testbed.Flats[0], w.model.NewCard(), time.Time{})
	if t == nil {
		w.report.Breach("W4", "nobody can check in")
		return
	}
	time.Sleep(25 * time.Minute)
	synctest.Wait()
	w.look()
	for _, b := range w.bed.Gateways {
		if !b.Swipe(t.Cards[0].Number) {
			w.report.Breach("W4", "a new tenant's card does not open at %s: %s", b.Name, b.LastReason())
		}
	}
	if !w.revokeOf(t) {
		w.report.Breach("W4", "a tenancy can't be revoked")
		return
	}
	w.inForce(t)
}

// settled is the other half of W4: nothing waits any more.
func (w *world) settled() {
	time.Sleep(time.Hour)
	synctest.Wait()
	w.look()
	for _, b := range w.bed.Gateways {
		s, err := b.Status()
		if err != nil || s.Uplink == nil {
			w.report.Breach("W4", "%s says nothing of its registry (%v)", b.Name, err)
			continue
		}
		if u := s.Uplink; u.State != "in step" || u.Records > 0 || u.Problem != "" {
			w.report.Breach("W4", "%s does not settle: %s, waiting: %s, %s", b.Name, u.State, amount.Of(u.Records, "tenancy record"), u.Problem)
		}
	}
	all, err := w.bed.Registry.API.Gateways(w.bed.Ctx, testbed.Building)
	if err != nil {
		w.report.Breach("W4", "the front does not answer: %v", err)
	}
	for _, g := range all {
		if g.Member && g.Behind > 0 {
			w.report.Breach("W4", "%s is behind by %s", g.Gateway, amount.Of(g.Behind, "entry"))
		}
		if g.Member && g.Applied != g.List {
			w.report.Breach("W4", "%s has proved list %d of %d", g.Gateway, g.Applied, g.List)
		}
	}
	for _, t := range w.model.Tenancies {
		t.Robbed = false // the card has to open again, whatever a thief has ended
	}
	if w.thief != nil {
		w.cosigned()
	}
	if s, err := w.bed.Registry.Op.Status(w.bed.Ctx); err != nil || len(s.Unsent) > 0 || len(s.Held) > 0 || !s.Linked {
		w.report.Breach("W4", "the issuer does not settle: %d unsent, %d held, linked %v (%v)", len(s.Unsent), len(s.Held), s.Linked, err)
	}
}

// agree is law W6: desk, door and registry say the same.
func (w *world) agree() {
	central := map[string]operator.Tenancy{}
	all, err := w.bed.Registry.Op.Tenancies(w.bed.Ctx, testbed.Building)
	if err != nil {
		w.report.Breach("W6", "the issuer does not answer: %v", err)
		return
	}
	for _, t := range all {
		central[t.ID] = t
	}
	for _, b := range w.bed.Gateways {
		desk, err := b.Client.Tenancies(w.bed.Ctx)
		if err != nil {
			w.report.Breach("W6", "the desk of %s does not answer: %v", b.Name, err)
			continue
		}
		at := map[string]control.Tenancy{}
		for _, t := range desk {
			at[t.ID] = t
		}
		for _, t := range w.model.Tenancies {
			w.agreeOn(b, t, at, central)
		}
	}
}

// doubtLasts is how long after a boot a gateway may doubt that a term is over: what
// was steady for a part of a day before it moves what is sure first, and the rest a
// day later.
const doubtLasts = 2 * plan.Day

// inDoubt reports whether a desk says of a tenancy whose term is over that only doubt
// about the time holds it open, as it may after a boot.
func inDoubt(b *testbed.Gateway, t *model.Tenancy, here control.Tenancy) bool {
	return here.Doubtful && t.Over() && b.Clock.Boot() < doubtLasts
}

// stands is how a tenancy stands in words: whoever is not over also hears what was
// decided on a notice.
func stands(state, decided string) string {
	if decided == "" || state == "ended" {
		return state
	}
	return state + ", the notice " + decided
}

func (w *world) agreeOn(b *testbed.Gateway, t *model.Tenancy, desk map[string]control.Tenancy, central map[string]operator.Tenancy) {
	row, known := desk[t.ID]
	here := stands(row.State, row.Decided)
	there, listed := central[t.ID]
	switch {
	case w.model.Minds[b.Name].Damaged:
	case listed && there.State == "ended" && inDoubt(b, t, row):
	case !listed && known && !strings.HasPrefix(here, "ended"):
		w.report.Breach("W6", "the desk of %s says that %s is %s, and the registry does not know them", b.Name, t.Name(), here)
	case known && listed && here != stands(there.State, there.Decided):
		w.report.Breach("W6", "the desk of %s says that %s is %s, the registry %s", b.Name, t.Name(), here, stands(there.State, there.Decided))
	}
	for _, c := range t.Cards {
		if len(w.model.Holders(c.Number)) == 1 {
			w.hold(b, t, c)
			if there.State == "ended" && b.LastReason() == "granted" {
				w.report.Breach("W6", "the registry says that %s is over, and house card %d opens at %s", t.Name(), c.Number, b.Name)
			}
		}
	}
}

// received are the entries that the registry has, by gateway, and how often.
func (w *world) received() (map[string]map[testbed.Spot]int, error) {
	have := map[string]map[testbed.Spot]int{}
	_, err := w.bed.Registry.API.Entries(w.bed.Ctx, api.EntryFilter{Building: testbed.Building, Limit: 1_000_000}, func(e api.Entry) error {
		if have[e.Gateway] == nil {
			have[e.Gateway] = map[testbed.Spot]int{}
		}
		have[e.Gateway][testbed.Spot{Epoch: e.Epoch, N: e.Sequence}]++
		return nil
	})
	return have, err
}

// complete is law W3: what was confirmed is there, once.
func (w *world) complete() {
	have, err := w.received()
	if err != nil {
		w.report.Breach("W3", "the front does not show its entries: %v", err)
		return
	}
	for _, b := range w.bed.Gateways {
		missing, twice := 0, 0
		for p := range w.entries[b.Name] {
			switch n := have[b.Name][p]; {
			case n > 1:
				twice++
			case n == 0:
				missing++
			}
		}
		if twice > 0 {
			w.report.Breach("W3", "%s of %s at the registry twice", amount.Of(twice, "entry"), b.Name)
		}
		if missing > 0 && !w.saidMissing(b) {
			w.report.Breach("W3", "%s of %s nowhere, and nothing says so", amount.Of(missing, "entry"), b.Name)
		}
	}
}

// missingKinds are entries that say that some are gone.
var missingKinds = []string{"gap", "damaged", "epoch"}

// saidMissing reports whether an entry or alarm says that entries are missing.
func (w *world) saidMissing(b *testbed.Gateway) bool {
	for p, e := range w.entries[b.Name] {
		if slices.Contains(missingKinds, e.kind) && p.N > 0 {
			return true
		}
	}
	all, err := w.bed.Registry.API.Gateways(w.bed.Ctx, testbed.Building)
	if err != nil {
		return false
	}
	for _, g := range all {
		if g.Gateway == b.Name && (g.SetBacks > 0 || g.Forks > 0) {
			return true
		}
	}
	alarms, _ := w.bed.Registry.API.Alarms(w.bed.Ctx, testbed.Building, 1000)
	return slices.ContainsFunc(alarms, func(a api.Alarm) bool { return a.Gateway == b.Name })
}

// remedy is a command that problems and hints name, and what a person does who
// follows it.
type remedy struct {
	says *regexp.Regexp
	do   func()
}

// remedies are all of them, in the order in which a person does them.
func (w *world) remedies() []remedy {
	return []remedy{
		{regexp.MustCompile(`registryd trust new --replace issuer --as-false`), func() { w.replaceKeys([4]int{}) }},
		{regexp.MustCompile(`registryd publish`), func() {
			_, err := w.bed.Registry.Op.Publish(w.bed.Ctx)
			w.report.Say("the operator: registryd publish%s", said(err))
		}},
		{regexp.MustCompile(`registryd countersign`), w.countersign},
		{regexp.MustCompile(`registryd clock undo`), w.undoTimes},
		{regexp.MustCompile(`registryd offers`), w.dropOffers},
		{regexp.MustCompile(`registryd reinstate`), w.reinstateRobbed},
		{regexp.MustCompile(`Run registryd renew-server`), w.renewServer},
	}
}

// follow lets operator and landlord do what they are told, and nothing else.
func (w *world) follow() {
	if s, err := w.bed.Registry.API.Status(w.bed.Ctx); err == nil && slices.ContainsFunc(s.Problems, func(p string) bool { return strings.Contains(p, "registryd trust new --replace ca") }) {
		w.replaceCA() // before anybody enrols
	}
	var texts []string
	for _, b := range w.bed.Gateways {
		s, err := b.Status()
		if err != nil {
			continue
		}
		for _, p := range s.Problems {
			w.report.Say("%s says: %s", b.Name, p)
		}
		texts = append(texts, s.Problems...)
		if slices.ContainsFunc(s.Problems, func(p string) bool { return strings.Contains(p, "gatehouse clock confirm") }) {
			_, err := b.Client.ConfirmClock(w.bed.Ctx)
			w.report.Say("the landlord at %s: gatehouse clock confirm%s", b.Name, refusal(err))
		}
		if slices.ContainsFunc(s.Problems, func(p string) bool { return strings.Contains(p, "registryd building-key") }) {
			b.Stop()
			w.report.Say("the operator: registryd building-key, for %s%s", b.Name, said(w.fromEscrow(b)))
			w.must(b.Name, b.Start())
		}
		again := slices.ContainsFunc(s.Problems, func(p string) bool {
			return strings.Contains(p, "with an empty folder of keys") || strings.Contains(p, "enrol the gateway with a new token")
		})
		if again {
			w.enrolAnew(b, awayOf(s.Problems))
			continue
		}
		if slices.ContainsFunc(s.Problems, func(p string) bool { return strings.Contains(p, "gatehouse enrol") }) {
			w.replaceBox(b)
		}
	}
	said := len(texts)
	if s, err := w.bed.Registry.API.Status(w.bed.Ctx); err == nil {
		texts = append(texts, s.Problems...)
	}
	if s, err := w.bed.Registry.Op.Status(w.bed.Ctx); err == nil {
		texts = append(texts, s.Lines...)
		if len(s.Held) > 0 {
			texts = append(texts, "registryd countersign")
		}
	}
	for _, text := range texts[said:] {
		w.report.Say("the registry says: %s", text)
		if m := impostor.FindStringSubmatch(text); m != nil {
			if b := w.bed.Gateway(m[1]); b != nil {
				w.enrolAnew(b, nil)
			}
		}
	}
	for _, r := range w.remedies() {
		if slices.ContainsFunc(texts, r.says.MatchString) {
			r.do()
		}
	}
	time.Sleep(time.Minute)
}

// impostor is how a registry's status names a gateway in whose name another machine speaks.
var impostor = regexp.MustCompile(`speaks as gateway ` + testbed.Building + `/(\S+) with a key`)

// moveAway is how a status names the file of a gateway's keys that has to make way.
var moveAway = regexp.MustCompile(`move \S+/keys/(\S+) away`)

// awayOf are the files of keys that problems want to be moved away.
func awayOf(problems []string) (files []string) {
	for _, p := range problems {
		if m := moveAway.FindStringSubmatch(p); m != nil {
			files = append(files, m[1])
		}
	}
	return files
}

// fromEscrow puts the building's key into a gateway, from escrow.
func (w *world) fromEscrow(b *testbed.Gateway) error {
	private, err := keys.LoadSealKey(w.bed.Path("offline/" + authority.FileEscrow))
	if err != nil {
		return err
	}
	e, err := w.bed.Registry.Op.Escrow(w.bed.Ctx, testbed.Building)
	if err != nil {
		return err
	}
	key, err := keys.UnsealBuildingKey(private, e.Address, e.Sealed)
	if err != nil {
		return err
	}
	return keys.SaveBuildingKey(b.Disk.Path("state", "keys", keys.BuildingKeyFile), key)
}

// countersign brings a second issuer's word for every list that waits for it, and for
// the newest (--newest) where only gateways wait of which the operator knows that they
// were away, as the hint says.
func (w *world) countersign() {
	lists, err := w.bed.Registry.Op.Lists(w.bed.Ctx, testbed.Building)
	if err != nil {
		return
	}
	for _, l := range lists {
		newest := !l.Held && slices.ContainsFunc(l.Doubted, func(gateway string) bool { return w.away[gateway] })
		if !l.Held && !newest {
			continue
		}
		second, err := operator.SignList(l, w.bed.Path("offline/"+api.FileRoot), "town", w.bed.Path("offline/"+authority.FileSecond))
		if second.Newest = newest; err == nil {
			_, err = w.bed.Registry.Op.Countersign(w.bed.Ctx, second)
		}
		w.report.Say("the operator: registryd countersign%s%s", map[bool]string{true: " --newest"}[newest], said(err))
	}
}

// undoTimes takes back, as two issuers, times that gateways were signed and that have
// not come.
func (w *world) undoTimes() {
	all, err := w.bed.Registry.API.Gateways(w.bed.Ctx, testbed.Building)
	if err != nil {
		return
	}
	for _, g := range all {
		if g.Signed == nil || time.Unix(int64(g.Signed.Unix), 0).Before(w.bed.Registry.Front.Clock.Wall().Add(time.Hour)) {
			continue
		}
		first, err := w.bed.Registry.Op.UndoClock(w.bed.Ctx, operator.Undo{Building: testbed.Building, Gateway: g.Gateway, Floor: *g.Signed})
		if err == nil {
			var both api.Undo
			if both, err = operator.SignUndo(first, w.bed.Path("offline/"+api.FileRoot), "town", w.bed.Path("offline/"+authority.FileSecond)); err == nil {
				_, err = w.bed.Registry.API.PutUndo(w.bed.Ctx, both)
			}
		}
		w.report.Say("the operator: registryd clock undo %s%s", g.Gateway, said(err))
	}
}
