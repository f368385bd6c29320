package keyring

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gatehouse/internal/keyring/merge"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"

	"pgregory.net/rapid"
)

// fate is a gateway, a registry that is rolled back now and then, and what the two
// laws need to know: whom a list that was applied has ended or suspended.
type fate struct {
	t         *testing.T
	k         *Keyring
	g         *listLog
	yesterday []*listLog
	content   map[wire.Hash]map[wire.ID]wire.Grant // of every list that was signed
	active    wire.Hash
	dead      map[wire.ID]bool
	suspended map[wire.ID]bool
	cards     byte
	fine      bool // nothing was ever rolled back
}

func (f *fate) grant(t *rapid.T) (wire.Grant, bool) {
	if len(f.g.rows) == 0 {
		return wire.Grant{}, false
	}
	ids := slices.SortedFunc(maps.Keys(f.g.rows), signedlist.CompareIDs)
	return f.g.rows[rapid.SampledFrom(ids).Draw(t, "grant")], true
}

func (f *fate) checkIn(t *rapid.T) {
	if f.cards < 200 {
		f.cards++
		f.g.set(f.cards, int(f.cards))
	}
}

func (f *fate) act(t *rapid.T) {
	r, ok := f.grant(t)
	if !ok {
		return
	}
	switch rapid.SampledFrom([]string{"suspend", "revoke", "resume", "drop", "again"}).Draw(t, "act") {
	case "revoke":
		r.State = wire.GrantRevoked
	case "suspend":
		if r.State == wire.GrantActive {
			r.State = wire.GrantSuspended
		}
	case "resume":
		if r.State == wire.GrantSuspended {
			r.State = wire.GrantActive
		}
	case "again": // what no registry may do
		r.State = wire.GrantActive
	case "drop":
		delete(f.g.rows, r.ID)
		return
	}
	f.g.rows[r.ID] = r
}

func (f *fate) issue(t *rapid.T) {
	f.g.issue(f.t, wire.LogFormat)
	f.content[f.g.hashes[len(f.g.hashes)-1]] = maps.Clone(f.g.rows)
}

func (f *fate) snapshot(*rapid.T) { f.yesterday = append(f.yesterday, f.g.copy()) }

func (f *fate) restore(t *rapid.T) {
	if len(f.yesterday) == 0 {
		return
	}
	f.fine = false
	f.g = rapid.SampledFrom(f.yesterday).Draw(t, "day").copy()
	if rapid.Bool().Draw(t, "it hears of the gateway's number") {
		f.g.version = max(f.g.version, f.k.Status().Version)
	}
}

// worst is a day on which a registry that was rolled back acts and issues at once.
func (f *fate) worst(t *rapid.T) {
	f.restore(t)
	f.g.version = max(f.g.version, f.k.Status().Version)
	f.act(t)
	f.issue(t)
	f.give(t)
}

// learn is what a registry does that was given the gateway's list.
func (f *fate) learn(*rapid.T) {
	s := f.k.Status()
	if s.Version == 0 || slices.Contains(f.g.hashes, s.Hash) {
		return
	}
	f.g.hashes, f.g.version = append(f.g.hashes, s.Hash), max(f.g.version, s.Version)
	for id, r := range f.content[s.Hash] {
		if own, there := f.g.rows[id]; !there || own.State < r.State {
			f.g.rows[id] = r
		}
	}
}

// heard notes what a list has done to the gateway: all that it says, or what it
// takes.
func (f *fate) heard(hash wire.Hash, proved bool) {
	rows := f.content[hash]
	if proved {
		for id := range f.content[f.active] {
			if _, still := rows[id]; !still {
				f.dead[id] = true
			}
		}
		f.active, f.suspended = hash, make(map[wire.ID]bool)
	}
	for id, r := range rows {
		f.dead[id] = f.dead[id] || r.State == wire.GrantRevoked
		f.suspended[id] = f.suspended[id] || r.State == wire.GrantSuspended
	}
}

func (f *fate) give(t *rapid.T) {
	if len(f.g.hashes) == 0 || len(f.g.newest.Manifest) == 0 {
		return
	}
	hash := f.g.hashes[len(f.g.hashes)-1]
	if _, ours := f.content[hash]; !ours || wire.Hash(headOf(f.t, f.k, f.g.newest).Hash) != hash {
		return // it has learned of the gateway's list and not issued since
	}
	known := f.k.active.state.Limits.Knows(headOf(f.t, f.k, f.g.newest))
	var all *[]string
	if kill := rapid.Bool().Draw(t, "power goes"); kill {
		all = snapshots(f.t, f.k)
	}
	proves := f.active == (wire.Hash{}) || slices.Contains(f.g.hashes[:len(f.g.hashes)-1], f.active)
	err := f.g.give(f.t, f.k)
	f.k.active.dir.Written = nil
	if f.k.Status().Hash == hash && hash != f.active && !proves {
		t.Fatal("a list that proves nothing is active")
	}
	switch {
	case errors.Is(err, ErrConflict):
		if f.fine && !errors.Is(err, ErrRolledBack) {
			t.Fatalf("in good weather: %v", err)
		}
		return
	case errors.Is(err, ErrUnproved):
		if f.fine {
			t.Fatal("a list that knows the gateway's proves nothing")
		}
		f.heard(hash, false)
	case err != nil:
		t.Fatal(err)
	case hash == f.k.Status().Hash && hash != f.active:
		before, was := f.suspended, f.active
		f.heard(hash, true)
		f.cut(t, all, was, before)
		return
	case hash != f.k.Status().Hash && !known:
		t.Fatal("taken, not active, and not told")
	}
	f.cut(t, all, f.active, f.suspended)
}

// cut goes on from where power went in one of the writes.
func (f *fate) cut(t *rapid.T, all *[]string, was wire.Hash, suspended map[wire.ID]bool) {
	if all == nil || len(*all) == 0 {
		return
	}
	dir := rapid.SampledFrom(*all).Draw(t, "after the write")
	must(f.t, f.k.Close())
	f.k = openEnrolled(f.t, dir)
	if s := f.k.Status(); s.Hash == was && was != f.active {
		f.active = was
		maps.Copy(f.suspended, suspended)
	}
}

func (f *fate) restart(*rapid.T) { f.k = restarted(f.t, f.k) }

// check holds the gateway to the laws: W1, who was ended or suspended stays outside;
// W4, at once; and who should come in does, where nothing waits for a proof.
func (f *fate) check(t *rapid.T) {
	s := f.k.Status()
	if s.Version > 0 && s.Hash != f.active || len(s.Files.Damage)+len(s.Files.Aside) > 0 {
		t.Fatalf("%x is active, want %x; %+v", s.Hash, f.active, s)
	}
	for n := byte(1); n <= f.cards; n++ {
		id, got := wire.ID{n}, ask(f.k, credential(int(n)))
		if got == wire.ReasonGranted && (f.dead[id] || f.suspended[id]) {
			t.Fatalf("grant %d opens; it is over: %t, suspended: %t", n, f.dead[id], f.suspended[id])
		}
		r, listed := f.content[f.active][id]
		if len(f.k.active.state.Limits.Rows) == 0 && listed && r.State == wire.GrantActive && !f.dead[id] && got != wire.ReasonGranted {
			t.Fatalf("grant %d stays outside: %d", n, got)
		}
		if masked := slices.Contains(s.Over.Masked, merge.Masked{Grant: id, Tenancy: wire.ID{n, 1}}); masked != (listed && r.State != wire.GrantRevoked && f.dead[id]) {
			t.Fatalf("grant %d is told: %t", n, masked)
		}
	}
}

// TestLaws runs random histories of lists, with restored registries, forks, lists
// that are missed, restarts and power cuts.
func TestLaws(t *testing.T) {
	base := shm(t)
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(base, "laws-")
		must(t, err)
		enrol(t, dir, "gate-a", true)
		f := &fate{t: t, k: openEnrolled(t, dir), g: newLog(), content: make(map[wire.Hash]map[wire.ID]wire.Grant),
			dead: make(map[wire.ID]bool), suspended: make(map[wire.ID]bool), fine: true}
		defer func() {
			f.k.Close()
			os.RemoveAll(dir)
		}()
		for range 8 {
			f.checkIn(rt)
		}
		f.issue(rt)
		f.give(rt)
		rt.Repeat(map[string]func(*rapid.T){"check in": f.checkIn, "act": f.act, "act again": f.act, "issue": f.issue, "give": f.give,
			"a day":     func(rt *rapid.T) { f.snapshot(rt); f.checkIn(rt); f.act(rt); f.issue(rt); f.give(rt) },
			"worst day": f.worst, "worst day again": f.worst,
			"snapshot": f.snapshot, "restore": f.restore, "learn": f.learn, "restart": f.restart, "": f.check})
	})
}

// TestRevokedAfterRestore is law W4 in its plainest words, from any day: revoke A,
// go back to a day before, revoke B; B is denied by the first list that comes, and A
// stays so, whatever the registry then learns and issues.
func TestRevokedAfterRestore(t *testing.T) {
	base := shm(t)
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(base, "restored-")
		must(t, err)
		defer os.RemoveAll(dir)
		enrol(t, dir, "gate-a", true)
		k := openEnrolled(t, dir)
		defer func() { k.Close() }()
		g := newLog()
		for i := byte(1); i <= 5; i++ {
			g.set(i, int(i))
		}
		g.issue(t, wire.LogFormat)
		must(t, g.give(t, k))
		day := g.copy()
		for range rapid.IntRange(0, 3).Draw(rt, "lists before") {
			g.issue(t, wire.LogFormat)
			must(t, g.give(t, k))
		}
		g.set(1, 1, revoke)
		g.issue(t, wire.LogFormat)
		must(t, g.give(t, k))
		g = day
		g.set(2, 2, revoke)
		for range rapid.IntRange(1, 3).Draw(rt, "lists after") {
			g.version = max(g.version, k.Status().Version)
			g.issue(t, wire.LogFormat)
			if err := g.give(t, k); err != nil && !errors.Is(err, ErrUnproved) {
				rt.Fatal(err)
			}
			want(t, k, credential(1), wire.ReasonRevoked)
			want(t, k, credential(2), wire.ReasonRevoked)
			want(t, k, credential(3), wire.ReasonGranted)
			if rapid.Bool().Draw(rt, "restart") {
				k = openAgain(t, k)
			}
			if rapid.Bool().Draw(rt, "it learns") && !slices.Contains(g.hashes, k.Status().Hash) {
				g.hashes = append(g.hashes, k.Status().Hash)
			}
		}
	})
}

func openAgain(t testing.TB, k *Keyring) *Keyring {
	t.Helper()
	must(t, k.Close())
	return openEnrolled(t, filepath.Dir(k.opts.Dir))
}
