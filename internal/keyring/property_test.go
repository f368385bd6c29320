package keyring

import (
	"errors"
	"maps"
	"os"
	"slices"
	"testing"

	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"

	"pgregory.net/rapid"
)

// house is a Keyring beside the plainest model of what it must answer.
type house struct {
	t       *testing.T
	k       *Keyring
	model   map[wire.ID]map[wire.CredentialID]wire.GrantState
	revoked map[wire.ID]bool // for good, even when they are off the list
	sent    []grantlist.Update
}

const cards = 12

func drawCard(t *rapid.T) wire.CredentialID {
	return credential(rapid.IntRange(0, cards-1).Draw(t, "card"))
}

func (h *house) grant(t *rapid.T) (wire.ID, bool) {
	ids := slices.SortedFunc(maps.Keys(h.model), func(a, b wire.ID) int { return slices.Compare(a[:], b[:]) })
	if len(ids) == 0 {
		return wire.ID{}, false
	}
	return ids[rapid.IntRange(0, len(ids)-1).Draw(t, "grant")], true
}

// edit makes one random change with the Editor, and the same in the model. The
// Editor refuses exactly what the model says it must.
func (h *house) edit(t *rapid.T, e *grantlist.Editor) {
	id, any := h.grant(t)
	lines := h.model[id]
	c := drawCard(t)
	state := wire.GrantState(rapid.IntRange(1, 3).Draw(t, "state"))
	action := rapid.SampledFrom([]string{"add", "add", "bind", "set", "set card", "end"}).Draw(t, "edit")
	if !any || action == "add" {
		id := add(h.t, e, c)
		h.model[id] = map[wire.CredentialID]wire.GrantState{c: wire.GrantActive}
		return
	}
	dead := slices.Contains(slices.Collect(maps.Values(lines)), wire.GrantRevoked)
	_, has := lines[c]
	switch action {
	case "bind":
		if refused(t, e.Bind(id, c), dead || has) {
			lines[c] = wire.GrantActive
		}
	case "set":
		if refused(t, e.SetState(id, state), dead && state != wire.GrantRevoked) {
			for c := range lines {
				lines[c] = state
			}
		}
	case "set card":
		if refused(t, e.SetCredential(id, c, state), !has || lines[c] == wire.GrantRevoked && state != wire.GrantRevoked) {
			lines[c] = state
		}
	case "end":
		if refused(t, e.End(id), false) {
			delete(h.model, id)
			h.revoked[id] = true
		}
	}
	for c, s := range lines {
		if s == wire.GrantRevoked && len(lines) == 1 && lines[c] == s {
			h.revoked[id] = true
		}
	}
}

// refused checks that an edit failed exactly when it must, and reports success.
func refused(t *rapid.T, err error, must bool) bool {
	if (err != nil) != must {
		t.Fatalf("edit: %v, must fail: %t", err, must)
	}
	return err == nil
}

// change applies one to three edits as one version.
func (h *house) change(t *rapid.T) {
	e := edit(h.t, h.k)
	for range rapid.IntRange(1, 3).Draw(t, "edits") {
		h.edit(t, e)
	}
	u := sign(h.t, e)
	apply(h.t, h.k, u)
	h.sent = append(h.sent, u)
}

// replay sends an earlier update again: refused, or the active one.
func (h *house) replay(t *rapid.T) {
	if len(h.sent) == 0 {
		t.Skip("nothing sent")
	}
	i := rapid.IntRange(0, len(h.sent)-1).Draw(t, "which")
	err := h.k.Apply(h.sent[i])
	if last := i == len(h.sent)-1; last && err != nil || !last && !errors.Is(err, ErrConflict) {
		t.Fatalf("update %d of %d again: %v", i, len(h.sent), err)
	}
}

func (h *house) restart(*rapid.T) { h.k = reopen(h.t, h.k) }

// crash restarts with one copy as it was before the last change, as when power
// went between the two.
func (h *house) crash(t *rapid.T) {
	name := fileOf(h.k, rapid.SampledFrom([]string{"grants-a.db", "grants-b.db"}).Draw(t, "file"))
	before, err := os.ReadFile(name)
	h.change(t)
	h.k.Close()
	if err == nil {
		err = os.WriteFile(name, before, 0o600)
	} else {
		err = os.Remove(name)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.k = open(h.t, h.k.opts.Dir)
}

// check asks the door about every card.
func (h *house) check(t *rapid.T) {
	rank := []wire.Reason{wire.ReasonUnknown, wire.ReasonRevoked, wire.ReasonSuspended, wire.ReasonGranted}
	for n := range cards {
		best := 0
		for _, lines := range h.model {
			if s, ok := lines[credential(n)]; ok {
				best = max(best, 4-int(s)) // active 1, suspended 2, revoked 3
			}
		}
		if got := ask(h.k, credential(n)); got != rank[best] {
			t.Fatalf("card %d: the door says %d, the model %d", n, got, rank[best])
		}
	}
	for r := range h.k.Grants().All() {
		if h.revoked[r.ID] && r.State == wire.GrantActive {
			t.Fatal("a revoked grant is back")
		}
	}
	if s := h.k.Status(); s.Version != uint64(len(h.sent)) || len(s.Files.Aside) > 0 {
		t.Fatalf("after %d updates: %+v", len(h.sent), s)
	}
}

// shm is memory where there is some: thousands of rounds need no disk that may be
// slow.
func shm(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "keyring-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestKeyringEqualsModel runs random edits, replays, restarts and crashes.
func TestKeyringEqualsModel(t *testing.T) {
	base := shm(t)
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(base, "house-")
		must(t, err)
		h := &house{t: t, k: open(t, dir), revoked: make(map[wire.ID]bool),
			model: make(map[wire.ID]map[wire.CredentialID]wire.GrantState)}
		defer func() {
			h.k.Close()
			os.RemoveAll(dir)
		}()
		rt.Repeat(map[string]func(*rapid.T){
			"change": h.change, "replay": h.replay, "restart": h.restart, "crash": h.crash, "": h.check,
		})
	})
}

// TestOrderOfUpdates sends six updates in random order, with repeats and losses:
// once a revocation was applied, its card never opens again.
func TestOrderOfUpdates(t *testing.T) {
	source := open(t, t.TempDir())
	ids := bulk(t, source, 6)
	var updates []grantlist.Update
	for i := range 6 {
		e := edit(t, source)
		if err := e.SetState(ids[i], wire.GrantRevoked); err != nil {
			t.Fatal(err)
		}
		u := sign(t, e)
		updates = append(updates, u)
		apply(t, source, u)
	}
	base := shm(t)
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(base, "house-")
		must(t, err)
		k := open(t, dir)
		defer func() {
			k.Close()
			os.RemoveAll(dir)
		}()
		active, revoked := -1, -1
		for range rapid.IntRange(1, 15).Draw(rt, "messages") {
			i := rapid.IntRange(0, 5).Draw(rt, "which")
			err := k.Apply(updates[i])
			switch {
			case i < active:
				if !errors.Is(err, ErrConflict) {
					rt.Fatalf("update %d after %d: %v", i, active, err)
				}
			case active < 0, i <= active+1:
				if err != nil {
					rt.Fatalf("update %d after %d: %v", i, active, err)
				}
				active, revoked = i, max(i, revoked)
			default: // one between was lost: what it takes counts all the same
				if err != nil && !errors.Is(err, ErrUnproved) {
					rt.Fatalf("update %d after %d: %v", i, active, err)
				}
				revoked = max(i, revoked)
			}
			for n := range 6 {
				if open := ask(k, credential(n)) == wire.ReasonGranted; open != (n > revoked) {
					rt.Fatalf("card %d opens: %t, after update %d", n, open, revoked)
				}
			}
		}
	})
}
