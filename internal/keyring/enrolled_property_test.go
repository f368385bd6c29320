package keyring

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring/record"
	"gatehouse/sync/wire"

	"pgregory.net/rapid"
)

// secondFor signs a list as a second issuer.
func secondFor(t testing.TB, u grantlist.Update, issuer byte) []byte {
	t.Helper()
	expect := wire.Expect{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Address: building}
	payload, _, err := wire.Open(u.Manifest, expect, []wire.Key{{Role: wire.RoleIssuer, Epoch: 1, Public: public(1)}})
	must(t, err)
	hash := sha256.Sum256(payload)
	return signed(t, wire.TypeSecond, wire.RoleIssuer, building, hash[:], issuer)
}

// town is a building with two gateways, its registry, and everything that was
// ever said on the way between them.
type town struct {
	t        *testing.T
	registry *modelRegistry
	gates    [2]*modelGate
	keyrings [2]*Keyring
	backups  [2]*modelGate // with a directory beside it; nil: none
	said     []record.Local
	facts    map[wire.ID]*fact
	cards    map[wire.ID][]wire.CredentialID // of each grant
	touched  map[wire.ID]bool                // grants that somebody stopped
	numbers  uint64                          // for ids, cards and lines
	elapsed  time.Duration                   // by the gateways' own clocks
}

func newTown(t *testing.T, dir string) *town {
	w := &town{t: t, registry: newModelRegistry(), facts: make(map[wire.ID]*fact),
		cards: make(map[wire.ID][]wire.CredentialID), touched: make(map[wire.ID]bool)}
	for i, name := range []string{"gate-a", "gate-b"} {
		directory := filepath.Join(dir, name)
		enrol(t, directory, name, true)
		w.keyrings[i] = w.open(directory)
		w.gates[i] = newModelGate(name, lineOf(w.next()))
	}
	return w
}

// open opens a keyring whose own clock goes on by more than the days of a notice
// whenever it is asked: here every notice has run.
func (w *town) open(dir string) *Keyring {
	k := openEnrolled(w.t, dir)
	k.opts.Elapsed = func() time.Duration {
		w.elapsed += 4 * day
		return w.elapsed
	}
	k.active.refresh()
	return k
}

func (w *town) next() uint64 {
	w.numbers++
	return w.numbers
}

func (w *town) id() (id wire.ID) {
	binary.BigEndian.PutUint64(id[:], w.next()*0x9e3779b97f4a7c15)
	return id
}

// make makes a record at gateway i and makes it active there.
func (w *town) make(t *rapid.T, i int, c wire.Change) {
	g, k := w.gates[i], w.keyrings[i]
	sealed, err := k.Keys.Building().SealRecord(c)
	if err != nil {
		t.Fatal(err)
	}
	g.count++
	l := record.Local{Gateway: g.name, Change: c, Envelope: []byte("signed"),
		Record: wire.Record{Line: uint64(g.line), Number: g.count, ID: w.id(), House: sealed, Desk: []byte("desk")}}
	if c.Op == wire.OpCheckIn {
		l.Person = []byte("sealed person")
		g.persons[l.Record.ID] = true
	}
	f := &fact{id: l.Record.ID, maker: g.name, change: c}
	w.facts[f.id] = f
	if err := k.Records.Add(l); err != nil {
		t.Fatal(err)
	}
	g.hear(f, g.line, g.count)
	w.said = append(w.said, l)
}

func anyGate(t *rapid.T) int { return rapid.IntRange(0, 1).Draw(t, "gate") }

func at(t *rapid.T) uint32 { return rapid.Uint32Range(1, 4).Draw(t, "at") }

func (w *town) newCard() wire.CredentialID { return credential(int(w.next())) }

func (w *town) checkIn(t *rapid.T) {
	grant, card := w.id(), w.newCard()
	c := change(wire.OpCheckIn, 1, at(t))
	c.Grant, c.Tenancy, c.Credentials = grant, tenancyOf(grant), []wire.CredentialID{card}
	w.cards[grant] = []wire.CredentialID{card}
	i := anyGate(t)
	w.make(t, i, c)
	w.ask(t, i, grant, card, wire.ReasonGranted)
}

// known are the grants that a gateway may speak of.
func (w *town) known(i int) (ids []wire.ID) {
	g := w.gates[i]
	for grant, cards := range w.cards {
		if g.answer(grant, cards[0]) != wire.ReasonUnknown {
			ids = append(ids, grant)
		}
	}
	slices.SortFunc(ids, func(a, b wire.ID) int { return slices.Compare(a[:], b[:]) })
	return ids
}

// act makes any other change of a grant that the gateway knows.
func (w *town) act(t *rapid.T) {
	i := anyGate(t)
	known := w.known(i)
	if len(known) == 0 {
		t.Skip("nobody is here")
	}
	grant := known[rapid.IntRange(0, len(known)-1).Draw(t, "grant")]
	op := rapid.SampledFrom([]wire.Op{wire.OpBind, wire.OpSuspend, wire.OpSuspend, wire.OpResume, wire.OpEnd, wire.OpNotice, wire.OpDispute}).Draw(t, "op")
	c := change(op, 1, at(t))
	c.Grant, c.Tenancy = grant, tenancyOf(grant)
	switch op {
	case wire.OpBind:
		c.Credentials = []wire.CredentialID{w.newCard()}
		w.cards[grant] = append(w.cards[grant], c.Credentials[0])
	case wire.OpSuspend, wire.OpResume:
		c.Credentials = []wire.CredentialID{w.cards[grant][rapid.IntRange(0, len(w.cards[grant])-1).Draw(t, "card")]}
	}
	w.touched[grant] = w.touched[grant] || op != wire.OpBind && op != wire.OpResume && op != wire.OpDispute
	w.make(t, i, c)
}

// say carries a record to the sibling: one that still counts, or any old one,
// which the broker repeats.
func (w *town) say(t *rapid.T) {
	if len(w.said) == 0 {
		t.Skip("nothing was said")
	}
	w.carry(t, w.said[rapid.IntRange(0, len(w.said)-1).Draw(t, "record")])
}

func (w *town) carry(t *rapid.T, l record.Local) {
	i := 0
	if w.gates[0].name == l.Gateway {
		i = 1
	}
	l.Person, l.Entered = nil, false
	if err := w.keyrings[i].Records.Add(l); err != nil {
		t.Fatal(err)
	}
	w.gates[i].hear(w.facts[l.Record.ID], lineOf(l.Record.Line), l.Record.Number)
}

// own are the records that a gateway has to deliver.
func (w *town) own(i int) (own []record.Local) {
	for _, l := range w.keyrings[i].Records.All() {
		if l.Gateway == w.gates[i].name {
			own = append(own, l)
		}
	}
	own = append(own, w.keyrings[i].Records.Undelivered()...)
	slices.SortFunc(own, func(a, b record.Local) int { return cmp.Compare(a.Record.Number, b.Record.Number) })
	return own
}

// deliver brings the next record to the registry; the answer may be lost.
func (w *town) deliver(t *rapid.T) {
	i := anyGate(t)
	w.deliverOne(t, i, rapid.Bool().Draw(t, "answered"))
}

func (w *town) deliverOne(t *rapid.T, i int, answered bool) bool {
	g := w.gates[i]
	stored := w.registry.stored[g.name][g.line]
	for _, l := range w.own(i) {
		if l.Record.Number <= stored {
			continue
		}
		w.registry.deliver(g.name, g.line, l.Record.Number, l.Record.ID, l.Change)
		if answered {
			w.confirm(t, i, l.Record.Number)
		}
		return true
	}
	return false
}

// confirm brings a gateway the registry's word of what it has stored.
func (w *town) confirm(t *rapid.T, i int, number uint64) {
	if err := w.keyrings[i].Records.Stored(uint64(w.gates[i].line), number); err != nil {
		t.Fatal(err)
	}
	w.gates[i].confirm(w.gates[i].line, number)
}

// issue makes a list and brings it to one gateway, with what that lacks.
func (w *town) issue(t *rapid.T) {
	if w.registry.dirty {
		w.registry.issue(w.t)
	}
	if len(w.registry.lists) == 0 {
		t.Skip("no list")
	}
	w.bring(t, anyGate(t), w.registry.lists[len(w.registry.lists)-1])
}

// replay brings any list, old ones too.
func (w *town) replay(t *rapid.T) {
	if len(w.registry.lists) == 0 {
		t.Skip("no list")
	}
	w.bring(t, anyGate(t), w.registry.lists[rapid.IntRange(0, len(w.registry.lists)-1).Draw(t, "list")])
}

func (w *town) bring(t *rapid.T, i int, l *modelList) {
	g, k := w.gates[i], w.keyrings[i]
	missing, wanted := k.Missing(l.update.Manifest, grantlist.Proof{})
	u := grantlist.Update{Manifest: l.update.Manifest, Second: l.update.Second}
	for _, b := range l.update.Buckets {
		if slices.Contains(missing, sha256.Sum256(b)) {
			u.Buckets = append(u.Buckets, b)
		}
	}
	err := k.Apply(u)
	switch {
	case g.list != nil && l.version < g.list.version:
		if !errors.Is(err, ErrRolledBack) || !errors.Is(wanted, ErrRolledBack) {
			t.Fatalf("list %d after %d: %v, %v", l.version, g.list.version, err, wanted)
		}
		return
	case err != nil || wanted != nil:
		t.Fatalf("list %d: %v, %v", l.version, err, wanted)
	case g.list == l:
		return
	}
	g.apply(l)
	w.registry.prove(g.name, l)
}

func (w *town) restart(t *rapid.T) {
	i := anyGate(t)
	must(w.t, w.keyrings[i].Close())
	w.keyrings[i] = w.open(filepath.Dir(w.keyrings[i].opts.Dir))
}

func (w *town) directories(i int) (grants, backup string) {
	grants = w.keyrings[i].opts.Dir
	return grants, grants + "-backup"
}

// backup copies a gateway's directory; rollBack restores it, after which the gateway
// numbers its records anew.
func (w *town) backup(t *rapid.T) {
	i := anyGate(t)
	grants, backup := w.directories(i)
	must(w.t, os.RemoveAll(backup))
	must(w.t, os.CopyFS(backup, os.DirFS(grants)))
	w.backups[i] = w.gates[i].copy()
}

func (w *town) rollBack(t *rapid.T) {
	i := anyGate(t)
	if w.backups[i] == nil {
		t.Skip("no copy")
	}
	grants, backup := w.directories(i)
	must(w.t, w.keyrings[i].Close())
	must(w.t, os.RemoveAll(grants))
	must(w.t, os.CopyFS(grants, os.DirFS(backup)))
	w.keyrings[i] = w.open(filepath.Dir(grants))
	w.gates[i] = w.backups[i].copy()
	w.check(t)
	w.renew(t, i)
}

func (w *town) renew(t *rapid.T, i int) {
	g, own := w.gates[i], w.own(i)
	g.line, g.count = lineOf(w.next()), uint64(len(own))
	for n := range own {
		own[n].Record.Line, own[n].Record.Number = uint64(g.line), uint64(n)+1
		f := g.facts[own[n].Record.ID]
		if f == nil {
			t.Fatalf("%s: a %s that everybody knows is still there", g.name, own[n].Change.Op)
		}
		f.line, f.number, f.lines = g.line, uint64(n)+1, map[lineOf]bool{g.line: true}
		w.said = append(w.said, own[n])
	}
	if err := w.keyrings[i].Records.Replace(own); err != nil {
		t.Fatal(err)
	}
	w.registry.rollBack(g.name)
}

func (w *town) ask(t *rapid.T, i int, grant wire.ID, card wire.CredentialID, want wire.Reason) {
	if got := ask(w.keyrings[i], card); got != want {
		t.Fatalf("%s, grant %x: the door says %d, want %d", w.gates[i].name, grant[:4], got, want)
	}
}

// check asks both doors about every card: they answer as the model does, a dead
// card never opens, and one that nobody stopped opens wherever it is known.
func (w *town) check(t *rapid.T) {
	for i, g := range w.gates {
		for grant, cards := range w.cards {
			for _, card := range cards {
				want := g.answer(grant, card)
				w.ask(t, i, grant, card, want)
				if g.dead[grant] && want == wire.ReasonGranted {
					t.Fatalf("%s: a dead card opens", g.name)
				}
				if !w.touched[grant] && want != wire.ReasonGranted && want != wire.ReasonUnknown {
					t.Fatalf("%s: a tenant is locked out: %d", g.name, want)
				}
			}
		}
		if got, left := len(w.keyrings[i].Records.All()), g.left(); got != len(left) {
			for _, l := range w.keyrings[i].Records.All() {
				t.Logf("held: %s %s/%d/%d of grant %x", l.Change.Op, l.Gateway, l.Record.Line, l.Record.Number, l.Change.Grant[:2])
			}
			for _, f := range left {
				t.Logf("want: %s %s/%d/%d of grant %x", f.change.Op, f.maker, f.line, f.number, f.change.Grant[:2])
			}
			t.Fatalf("%s: %d records are held, want %d", g.name, got, len(left))
		}
	}
}

// settle brings everything to everybody. Then both doors answer as the registry
// has it, and nothing is left over, but for what only the sibling of a gateway
// that was rolled back has heard.
func (w *town) settle(t *rapid.T) {
	for range 3 {
		for i := range w.gates {
			for w.deliverOne(t, i, true) {
			}
			g := w.gates[i] // the answer to a hello
			w.confirm(t, i, w.registry.stored[g.name][g.line])
			for _, l := range w.own(i) {
				w.carry(t, l)
			}
		}
		w.registry.issue(w.t)
		for i := range w.gates {
			w.bring(t, i, w.registry.lists[len(w.registry.lists)-1])
		}
		w.check(t)
	}
	orphans := make(map[wire.ID]bool) // grants of what the registry never hears in that line
	for _, g := range w.gates {
		for _, f := range g.facts {
			if !g.seen(f) && f.maker != g.name {
				orphans[f.change.Grant] = true
			}
		}
	}
	for i, g := range w.gates {
		for _, f := range g.facts {
			if !orphans[f.change.Grant] {
				t.Fatalf("%s: a %s that everybody knows is not settled", g.name, f.change.Op)
			}
		}
		persons, err := filepath.Glob(filepath.Join(recordsDir(w.keyrings[i]), "*.person*"))
		if err != nil || len(persons) > 0 {
			t.Fatalf("%s: %d persons are left", g.name, len(persons))
		}
	}
	for _, grant := range slices.SortedFunc(maps.Keys(w.cards), func(a, b wire.ID) int { return cmp.Compare(a.String(), b.String()) }) {
		m, ok := w.registry.grant(grant)
		for _, card := range w.cards[grant] {
			if _, bound := m.cards[card]; !orphans[grant] && ok && bound {
				open := !m.ended && !m.cards[card] && m.until == 0
				for i, k := range w.keyrings {
					if got := ask(k, card); (got == wire.ReasonGranted) != open {
						t.Fatalf("%s: the door says %d, the registry opens: %t", w.gates[i].name, got, open)
					}
				}
			}
		}
	}
}

// TestHouseEqualsModel runs check-ins and all other changes at two gateways with
// lists, repeats, losses, replays, restarts and disks that are rolled back.
func TestHouseEqualsModel(t *testing.T) {
	base := shm(t)
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(base, "town-")
		must(t, err)
		w := newTown(t, dir)
		defer func() {
			for _, k := range w.keyrings {
				k.Close()
			}
			os.RemoveAll(dir)
		}()
		rt.Repeat(map[string]func(*rapid.T){
			"check in": w.checkIn, "act": w.act, "act more": w.act, "say": w.say, "deliver": w.deliver, "deliver more": w.deliver, "issue": w.issue,
			"replay": w.replay, "restart": w.restart, "backup": w.backup, "roll back": w.rollBack, "": w.check,
		})
		w.settle(rt)
	})
}
