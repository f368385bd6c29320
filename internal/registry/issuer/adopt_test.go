package issuer

import (
	"crypto/ed25519"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/adopt"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/enrol"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/report"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
)

// backup copies the database as registryd backup does.
func (w *world) backup() []byte {
	w.t.Helper()
	file, err := w.i.ledger.Copy(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	defer file.Close()
	b, err := io.ReadAll(file)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// restore puts a copy back and starts the issuer again.
func (w *world) restore(copied []byte) {
	w.t.Helper()
	if err := w.i.Close(); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.directory(authority.DirIssuer), FileDatabase), copied, 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

// meets is what Run does first.
func (w *world) meets() {
	w.t.Helper()
	if err := w.i.meet(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if err := w.i.catchUp(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.turn()
}

// proveAll lets gateways prove the newest list.
func (w *world) proveAll(gateways ...string) {
	w.t.Helper()
	m, _ := w.listed()
	for _, g := range gateways {
		w.front.applied[building1+"/"+g] = m.Version
	}
	if err := w.i.tend(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.turn()
}

// worstDay is what happens between a backup and its restore: a grant is revoked,
// proved and dropped, a card is lost, three check in, a gateway goes.
func worstDay(t *testing.T) (w *world, g *box, yesterday []byte) {
	w = newWorld(t)
	g = w.enrolled("gw-1")
	w.enrolled("gw-2")
	for n := range 5 {
		w.front.deliver(g.record(id('r', n), checkIn(n, n)))
	}
	w.turn()
	yesterday = w.backup()
	w.now = w.now.Add(time.Hour)
	w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', 0).String(), Reason: "order"})
	w.proveAll("gw-1", "gw-2")
	w.proveAll("gw-1", "gw-2")
	w.want(0, 0)
	w.do(operator.Act{Act: operator.ActSuspend, Grant: id('g', 1).String(), Reason: "lost"})
	for n := 5; n < 8; n++ {
		w.front.deliver(g.record(id('r', n), checkIn(n, 60)))
	}
	w.turn()
	if err := w.update(func(c *ledger.Change) error { return enrol.Remove(c, building1, "gw-2") }); err != nil {
		t.Fatal(err)
	}
	w.turn()
	w.now = w.now.Add(time.Hour)
	return w, g, yesterday
}

// wantTheDay checks that nothing of the worst day is lost.
func (w *world) wantTheDay() {
	w.t.Helper()
	w.want(0, wire.GrantRevoked) // named once more, until it is proved
	w.want(1, wire.GrantSuspended)
	for _, n := range []int{2, 3, 4, 5, 6, 7} {
		w.want(n, wire.GrantActive)
	}
	if h := w.house(); h.Gateway("gw-2") != nil || h.Gateway("gw-1") == nil {
		w.t.Fatalf("the house has %+v", h.Gateways)
	}
}

// TestIssuerPutBack: scenario 1 with the front's database as it was. What was revoked,
// suspended and removed stays so, and another revocation goes out above the newest
// list, which it descends from.
func TestIssuerPutBack(t *testing.T) {
	w, _, yesterday := worstDay(t)
	before, house := w.front.lists[building1], w.house().Version
	m, _ := w.listed()
	w.restore(yesterday)
	w.meets()
	w.wantTheDay()
	d := w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', 3).String(), Reason: "order"})
	if !d.Sent || d.Version <= m.Version || w.house().Version <= house {
		t.Fatalf("%+v above %d, house %d above %d", d, m.Version, w.house().Version, house)
	}
	w.want(3, wire.GrantRevoked)
	w.want(0, wire.GrantRevoked)
	if there, err := store.InLog(w.view(), building1, hashOf(t, before.Manifest)); err != nil || !there {
		t.Fatal("the next list does not descend from the one at the gateways", err)
	}
	s, err := w.i.status()
	if err != nil || !strings.Contains(strings.Join(s.Lines, "\n"), "registryd restored --done") {
		t.Fatalf("nothing is said: %q, %v", s.Lines, err)
	}
	count := func() (n int) {
		for _, all := range w.building().Tenancies.Events {
			n += len(all)
		}
		return n
	}
	events := count()
	w.restore(w.backup())
	w.meets()
	w.view().Building(building1)
	if n := count(); n != events {
		t.Fatalf("a restore that lacks nothing changes %d events to %d", events, n)
	}
}

// holding is what a gateway holds of the newest list.
func (g *box) holding(l api.List, buckets map[wire.Hash][]byte, house []byte, tombstones ...wire.ID) api.Holding {
	g.w.t.Helper()
	m, err := manifestOf(l.Manifest)
	if err != nil {
		g.w.t.Fatal(err)
	}
	parts := []wire.Holding{{Manifest: l.Manifest, Second: l.Second, House: house}, {Tombstones: tombstones}}
	for _, hash := range m.Buckets {
		parts[1].Buckets = append(parts[1].Buckets, buckets[hash])
	}
	h := api.Holding{Place: api.Place(g.place), Nonce: make([]byte, 16)}
	for n, p := range parts {
		p.Part, p.Parts = uint16(n), uint16(len(parts))
		for _, list := range []*[][]byte{&p.Buckets} {
			if *list == nil {
				*list = [][]byte{}
			}
		}
		if p.Tombstones == nil {
			p.Tombstones = []wire.ID{}
		}
		payload, err := wire.Encode(p)
		if err != nil {
			g.w.t.Fatal(err)
		}
		h.Parts = append(h.Parts, g.sign(wire.TypeHolding, payload))
	}
	return h
}

// TestBothPutBack: scenario 1 with front and issuer of yesterday. The gateway's list
// brings everything back, and records that come again do no harm.
func TestBothPutBack(t *testing.T) {
	w, g, yesterday := worstDay(t)
	l, buckets, house, day := w.front.lists[building1], maps.Clone(w.front.buckets), w.front.houses[building1], w.front.deliveries
	m, _ := w.listed()
	w.front = newFront()
	w.front.deliveries = slices.Clone(day[:5])
	w.restore(yesterday)
	w.meets()
	w.want(0, wire.GrantActive) // nobody has been heard yet
	h := g.holding(l, buckets, house, id('g', 0))
	if err := w.i.judge(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	w.wantTheDay()
	if now, _ := w.listed(); now.Version <= m.Version || len(w.front.taken) != 1 {
		t.Fatalf("list %d above %d, taken %v", now.Version, m.Version, w.front.taken)
	}
	if all, err := report.Tenancies(w.i.ledger, building1); err != nil || len(all) != 8 {
		t.Fatal(len(all), err)
	}
	for _, d := range day[5:] { // the gateway brings its records again
		w.front.deliver(d)
	}
	w.turn()
	w.wantTheDay()
	all, err := report.Tenancies(w.i.ledger, building1)
	for _, tenancy := range all {
		if tenancy.Flat != "3b" || len(tenancy.Problems) > 0 {
			t.Errorf("%+v, %v", tenancy, err)
		}
	}
	if lines, err := w.i.offers(); err != nil || len(lines) > 0 {
		t.Fatal("what the list itself says is offered", lines, err)
	}
}

// TestCardStoppedSince: a card that was added and then stopped since the copy was made
// stays stopped: the newest list says so, or an older one that another gateway has, and
// the record that gave it comes again.
func TestCardStoppedSince(t *testing.T) {
	for name, newest := range map[string]bool{"newest list": true, "older list": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			g := w.enrolled("gw-1")
			w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
			w.turn()
			yesterday, bind := w.backup(), other(wire.OpBind, 1, 1)
			bind.Credentials = []wire.CredentialID{credential(7)}
			added := g.record(id('r', 2), bind)
			w.front.deliver(added)
			w.turn()
			stop := operator.Act{Act: operator.ActSuspend, Grant: id('g', 1).String(), Reason: "lost"}
			w.do(stop)
			l, buckets, house := w.front.lists[building1], maps.Clone(w.front.buckets), w.front.houses[building1]
			w.front = newFront()
			w.restore(yesterday)
			w.meets()
			for n := 0; !newest && n < 5; n++ { // what was issued since, by a registry that did not know it
				w.now = w.now.Add(time.Hour)
				w.do(operator.Act{Act: []string{operator.ActSuspend, operator.ActResume}[n%2], Grant: id('g', 1).String(), Reason: []string{"lost", "found"}[n%2]})
			}
			if err := w.i.judge(t.Context(), g.holding(l, buckets, house)); err != nil {
				t.Fatal(err)
			}
			w.front.deliver(api.Delivery{}, added) // numbers of the front go on
			w.turn()
			_, grants := w.listed()
			rows := grants[id('g', 1)]
			if len(rows) != 2 || rows[0].State != wire.GrantSuspended || rows[1].State != wire.GrantSuspended {
				t.Errorf("the next list has %+v", rows)
			}
			all, err := report.Tenancies(w.i.ledger, building1)
			if err != nil || len(all) != 1 || len(all[0].Problems) > 0 {
				t.Errorf("%+v, %v", all, err)
			}
		})
	}
}

// TestLateCheckIn: a check-in that comes again after its end was revoked, proved and
// dropped is over, although no list names it.
func TestLateCheckIn(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 0), checkIn(0, 0)))
	w.turn()
	yesterday := w.backup()
	record := g.record(id('r', 1), checkIn(1, 1))
	w.front.deliver(record)
	w.turn()
	w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', 1).String(), Reason: "order"})
	w.proveAll("gw-1")
	w.proveAll("gw-1")
	w.want(1, 0)
	l, buckets, house := w.front.lists[building1], maps.Clone(w.front.buckets), w.front.houses[building1]
	w.front = newFront()
	w.restore(yesterday)
	w.meets()
	if err := w.i.judge(t.Context(), g.holding(l, buckets, house)); err != nil {
		t.Fatal(err)
	}
	w.front.deliver(api.Delivery{}, record) // numbers of the front go on
	w.turn()
	w.want(1, wire.GrantRevoked)
	late := g.record(id('r', 2), checkIn(2, 2)) // one that no list has seen
	w.front.deliver(late)
	w.turn()
	w.want(2, wire.GrantActive)
}

// TestHoldingRefused: what nobody vouches for changes nothing: a list that a stranger
// has signed, another building's, one without its buckets, a part that somebody else
// has signed, a step that only a thief takes.
func TestHoldingRefused(t *testing.T) {
	w, g, yesterday := worstDay(t)
	l, buckets, house := w.front.lists[building1], maps.Clone(w.front.buckets), w.front.houses[building1]
	w.front = newFront()
	w.restore(yesterday)
	w.meets()
	thief := w.newBox("gw-1")
	far := w.forged(t, 1<<63, w.i.ledger.Keys.Epoch)
	for name, h := range map[string]api.Holding{
		"another gateway's key": thief.holding(l, buckets, house),
		"a step of a thief":     g.holding(far, buckets, nil),
		"no bucket":             {Place: api.Place(g.place), Nonce: make([]byte, 16), Parts: g.holding(l, buckets, house).Parts[:1]},
		"nothing":               {Place: api.Place(g.place), Nonce: make([]byte, 16)},
		"a stranger":            {Place: api.Place{Building: "house-9", Gateway: "gw-1"}, Nonce: make([]byte, 16)},
	} {
		if err := w.i.judge(t.Context(), h); err != nil {
			t.Fatal(name, err)
		}
		if got := w.want(0, wire.GrantActive); got.ID != id('g', 0) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	d := w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', 3).String(), Reason: "order"})
	if !d.Sent { // issuing never stops
		t.Fatalf("%+v", d)
	}
	w.want(3, wire.GrantRevoked)
}

// forged is an empty list of some version, signed by the issuer's key.
func (w *world) forged(t *testing.T, version, epoch uint64) api.List {
	t.Helper()
	b := w.building()
	m := b.Lists.Newest.Manifest
	m.Version, m.Issued = version, m.Issued+w.thiefsTime
	payload, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := wire.Sign(wire.Protected{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Epoch: epoch, Address: building1}, payload, w.i.ledger.Keys.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	return api.List{Building: building1, Manifest: envelope}
}

// TestReinstate: new grants for the same tenancy and cards, which cite the list that
// ended the old ones; a registry of yesterday can't.
func TestReinstate(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	for n := range 3 {
		w.front.deliver(g.record(id('r', n), checkIn(n, n)))
	}
	w.turn()
	yesterday := w.backup()
	again := operator.Act{Act: operator.ActReinstate, Grant: id('g', 1).String(), Reason: "mistake"}
	if _, err := w.i.act(t.Context(), "test", again); err == nil {
		t.Fatal("a grant that is not over is reinstated")
	}
	w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', 1).String(), Reason: "mistake"})
	w.proveAll("gw-1")
	d := w.do(again)
	if len(d.New) != 1 || !d.Sent {
		t.Fatalf("%+v", d)
	}
	_, grants := w.listed()
	next, err := hexID(d.New[0])
	if err != nil || len(grants[next]) != 1 || grants[next][0].Credential != credential(1) || grants[next][0].Tenancy != id('t', 1) || grants[next][0].State != wire.GrantActive {
		t.Fatalf("%+v, %v", grants[next], err)
	}
	for _, row := range grants[id('g', 1)] {
		if row.State != wire.GrantRevoked {
			t.Fatal("the old one is back")
		}
	}
	var old, by []byte
	if err := w.view().QueryRow(`SELECT old_id, list_hash FROM reinstated WHERE grant_id = ?`, next[:]).Scan(&old, &by); err != nil || wire.ID(old) != id('g', 1) {
		t.Fatal(err)
	}
	if there, err := store.InLog(w.view(), building1, wire.Hash(by)); err != nil || !there {
		t.Fatal("it cites a list that never was", err)
	}
	if _, err := w.i.act(t.Context(), "test", again); err == nil || !strings.Contains(err.Error(), "in its place already: "+next.String()) {
		t.Fatal("one grant is reinstated twice", err)
	}
	w.do(operator.Act{Act: operator.ActEnd, Grant: next.String(), Reason: "mistake"})
	w.proveAll("gw-1")
	whole := operator.Act{Act: operator.ActReinstate, Tenancy: id('t', 1).String(), Reason: "mistake"}
	if d := w.do(whole); len(d.New) != 1 {
		t.Fatalf("a tenancy that was reinstated once before gets %d grants", len(d.New))
	}
	w.front = newFront()
	w.restore(yesterday)
	if _, err := w.i.act(t.Context(), "test", again); err == nil || !strings.Contains(err.Error(), "not over here") {
		t.Fatal("a registry of yesterday gives back what it does not know", err)
	}
}

// TestOffers: a list of an issuer that is trusted no more is offered, never adopted;
// whatever the operator says of it, the next list descends from it.
func TestOffers(t *testing.T) {
	for _, take := range []bool{false, true} {
		w, g, yesterday := worstDay(t)
		l, buckets := w.front.lists[building1], maps.Clone(w.front.buckets)
		hash := hashOf(t, l.Manifest)
		w.front = newFront()
		w.restore(yesterday)
		w.i.ledger.Keys.Issuers = nil // the root has replaced all of them
		if err := w.i.judge(t.Context(), g.holding(l, buckets, nil)); err != nil {
			t.Fatal(err)
		}
		w.want(0, wire.GrantActive) // it is not adopted
		offers, err := w.i.offers()
		if err != nil || len(offers) != 1 || offers[0].Key == "" || offers[0].Grants != 1 || len(offers[0].Flats) != 1 {
			t.Fatalf("%+v, %v", offers, err)
		}
		if s, err := w.i.status(); err != nil || !strings.Contains(strings.Join(s.Lines, "\n"), "registryd offers") {
			t.Fatal(s.Lines, err)
		}
		err = w.update(func(c *ledger.Change) error {
			return adopt.Decide(c, operator.Decision{Building: building1, ID: offers[0].ID, Take: take})
		})
		if err != nil {
			t.Fatal(err)
		}
		w.turn()
		if state := wire.GrantState(wire.GrantActive); take {
			w.want(0, wire.GrantRevoked)
			w.want(1, wire.GrantSuspended)
		} else {
			w.want(0, state)
		}
		if there, err := store.InLog(w.view(), building1, hash); err != nil || !there {
			t.Fatal("the next list does not descend from it", err)
		}
		if offers, err := w.i.offers(); err != nil || len(offers) != 0 {
			t.Fatal(offers, err)
		}
	}
}

// TestWhoseOffer: an offered list says whether a key of an earlier trust document has
// signed it, which this database or the front still has, or nobody that anybody knows.
func TestWhoseOffer(t *testing.T) {
	_, stranger, _ := ed25519.GenerateKey(nil)
	for name, c := range map[string]struct {
		front, here, taken, stranger bool
		retired                      bool
	}{
		"known here":        {here: true, retired: true},
		"known at front":    {front: true, retired: true},
		"known nowhere":     {},
		"taken back":        {here: true, taken: true, retired: true},
		"another key":       {here: true, stranger: true},
		"in another's name": {front: true, stranger: true},
	} {
		w, g, _ := worstDay(t)
		m, _ := w.listed()
		key, epoch := w.i.ledger.Keys.Issuer, w.i.ledger.Keys.Epoch
		if c.stranger {
			key = stranger
		}
		l, next, err := grantlist.NewDraft(building1, m, w.building().Lists.Newest.Hash).Sign(nil, w.now, key, epoch)
		if err != nil {
			t.Fatal(err)
		}
		old := slices.Clone(w.i.ledger.Keys.TrustEnvelope)
		w.i.ledger.Keys.Issuers = nil // the root has replaced all of them
		if c.taken {
			w.i.ledger.Keys.Trust.False = []wire.RoleEpoch{{Role: wire.RoleIssuer, Epoch: epoch}}
		}
		if !c.here {
			if _, err := w.view().Exec(`DELETE FROM trusts`); err != nil {
				t.Fatal(err)
			}
		}
		if c.front {
			w.front.trusts = [][]byte{{1}, old}
			if err := w.i.meet(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		buckets := map[wire.Hash][]byte{next.Buckets[0]: l.Buckets[0]}
		if err := w.i.judge(t.Context(), g.holding(api.List{Manifest: l.Manifest}, buckets, nil)); err != nil {
			t.Fatal(err)
		}
		all, err := w.i.offers()
		if err != nil || len(all) != 1 || all[0].Retired != c.retired || all[0].False != c.taken || all[0].Epoch != epoch {
			t.Errorf("%s: %+v, %v", name, all, err)
		}
	}
}

// TestAsks: countersigning a list that a gateway refuses is offered where this
// issuer's own count agrees, and nowhere else.
func TestAsks(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	for n := range 10 {
		w.front.deliver(g.record(id('r', n), checkIn(n, n)))
	}
	w.turn()
	l, buckets := w.front.lists[building1], maps.Clone(w.front.buckets)
	for n := range 6 { // two a day, while the gateway is away
		if n%3 == 0 {
			w.now = w.now.Add(25 * time.Hour)
		}
		w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', n).String(), Reason: "order"})
	}
	near, nearBuckets := w.front.lists[building1], maps.Clone(w.front.buckets)
	w.now = w.now.Add(25 * time.Hour)
	w.do(operator.Act{Act: operator.ActSuspend, Grant: id('g', 9).String(), Reason: "lost"})
	asked := func(l api.List, buckets map[wire.Hash][]byte) operator.List {
		t.Helper()
		if err := w.i.judge(t.Context(), g.holding(l, buckets, nil)); err != nil {
			t.Fatal(err)
		}
		all, err := report.Lists(w.i.ledger, building1)
		if err != nil || len(all) != 1 {
			t.Fatal(len(all), err)
		}
		return all[0]
	}
	if got := asked(near, nearBuckets); len(got.Asked) > 0 {
		t.Fatalf("a gateway that loses one tenancy tires the operator: %+v", got)
	}
	got := asked(l, buckets)
	if len(got.Asked) != 1 || len(got.Removes) != 7 || len(got.Flats) != 1 {
		t.Fatalf("%+v", got)
	}
	if s, err := w.i.status(); err != nil || !strings.Contains(strings.Join(s.Lines, "\n"), "registryd countersign") {
		t.Fatal(s.Lines, err)
	}
	second, err := authority.SignAs(w.trust, wire.TypeSecond, building1, got.Hash, secondKey(w))
	if err != nil {
		t.Fatal(err)
	}
	old, err := authority.SignAs(w.trust, wire.TypeSecond, building1, got.Old, secondKey(w))
	if err != nil {
		t.Fatal(err)
	}
	err = w.update(func(c *ledger.Change) error {
		b, err := c.Open(building1)
		if err != nil {
			return err
		}
		return c.Countersign(b, second, old, false)
	})
	if err != nil {
		t.Fatal(err)
	}
	w.turn()
	if sent := w.front.lists[building1]; len(sent.Second) == 0 || len(sent.OldSecond) == 0 || hashOf(t, sent.Manifest) != wire.Hash(got.Hash) {
		t.Fatal("the list is not sent with the second signature")
	}
	if got := asked(l, buckets); len(got.Asked) > 0 {
		t.Fatal("what is signed is asked for again")
	}
}

// TestSameNumber: another list of a number that this issuer has given makes the next
// list go above both at once, with what the other one takes.
func TestSameNumber(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	for n := range 4 {
		w.front.deliver(g.record(id('r', n), checkIn(n, n)))
	}
	w.turn()
	yesterday := w.backup()
	w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', 0).String(), Reason: "order"})
	l, buckets := w.front.lists[building1], maps.Clone(w.front.buckets)
	w.front = newFront()
	w.restore(yesterday)
	w.meets()
	w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', 1).String(), Reason: "order"})
	m, _ := w.listed()
	if theirs, err := manifestOf(l.Manifest); err != nil || theirs.Version != m.Version {
		t.Fatal(theirs.Version, m.Version, err)
	}
	if err := w.i.judge(t.Context(), g.holding(l, buckets, nil)); err != nil {
		t.Fatal(err)
	}
	if next, _ := w.listed(); next.Version != m.Version+1 {
		t.Fatalf("list %d follows %d", next.Version, m.Version)
	}
	w.want(0, wire.GrantRevoked)
	w.want(1, wire.GrantRevoked)
	w.want(2, wire.GrantActive)
}

// TestTakenOverTooMuch: a list that was active at a door and that one issuer's key
// alone has signed is taken over whatever it ends; where that is more than one issuer
// may, it is told with the flats and what to do.
func TestTakenOverTooMuch(t *testing.T) {
	for ends, want := range map[int]bool{3: false, 5: true} {
		w := newWorld(t)
		g := w.enrolled("gw-1")
		for n := range 5 {
			w.front.deliver(g.record(id('r', n), checkIn(n, n)))
		}
		w.turn()
		m, _ := w.listed()
		rows := w.building().Lists.Newest.Grants
		var ended []wire.ID
		for n := range ends {
			ended = append(ended, id('g', n))
		}
		d := grantlist.NewDraft(building1, m, w.building().Lists.Newest.Hash)
		rows = slices.DeleteFunc(slices.Clone(rows), func(r wire.Grant) bool { return slices.Contains(ended, r.ID) })
		l, thiefs, err := d.Sign(rows, w.now, w.i.ledger.Keys.Issuer, w.i.ledger.Keys.Epoch)
		if err != nil || thiefs.Version <= m.Version {
			t.Fatal(err)
		}
		buckets := make(map[wire.Hash][]byte)
		for i, hash := range thiefs.Buckets {
			buckets[hash] = l.Buckets[i]
		}
		if err := w.i.judge(t.Context(), g.holding(api.List{Manifest: l.Manifest}, buckets, nil)); err != nil {
			t.Fatal(err)
		}
		s, err := w.i.status()
		said := strings.Join(s.Lines, "\n")
		if err != nil || !strings.Contains(said, "had list") || !strings.Contains(said, "registryd suspend stops them again") || strings.Contains(said, "by one issuer's key alone") != want {
			t.Errorf("%d of 5 ended: %q, %v", ends, said, err)
		}
	}
}

// TestAsksAfterRestore: what is taken after a restore, before a gateway was heard, is in a
// list that this issuer alone may sign and the gateway does not take: with what the list
// that it has took that day it is too much. The count that makes the offer knows of both.
func TestAsksAfterRestore(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	for n := range 6 {
		w.front.deliver(g.record(id('r', n), checkIn(n, n)))
	}
	w.turn()
	yesterday := w.backup()
	for n := range 3 {
		w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', n).String(), Reason: "order"})
	}
	l, buckets := w.front.lists[building1], maps.Clone(w.front.buckets)
	w.front = newFront()
	w.restore(yesterday)
	w.meets()
	w.do(operator.Act{Act: operator.ActSuspend, Grant: id('g', 3).String(), Reason: "stolen"})
	for range 2 { // it is taken over; then the gateway, which refuses the next one, names it again
		if err := w.i.judge(t.Context(), g.holding(l, buckets, nil)); err != nil {
			t.Fatal(err)
		}
	}
	all, err := report.Lists(w.i.ledger, building1)
	if err != nil || len(all) != 1 || len(all[0].Asked) != 1 || len(all[0].Doubted) > 0 {
		t.Fatalf("%d lists, %v: countersigning is not offered by this issuer's own count", len(all), err)
	}
	w.want(3, wire.GrantSuspended)
}
