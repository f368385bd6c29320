package issuer

import (
	"crypto/sha256"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/registry/issuer/lists"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// hashOf is the hash of a manifest's payload.
func hashOf(t *testing.T, envelope []byte) wire.Hash {
	t.Helper()
	payload, err := wire.PayloadOf(envelope)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(payload)
}

// TestLog: every list names the root over all manifests before it, in both formats,
// and the front gets what it needs to prove that one of them is among these.
func TestLog(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	var leaves []tlog.Hash
	for n := range 5 {
		w.front.deliver(g.record(id('r', n), checkIn(n, 0)))
		w.turn()
		if n == 2 {
			w.reopen()
		}
		l := w.front.lists[building1]
		m, err := manifestOf(l.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		old, err := manifestOf(l.Old)
		if err != nil || old.Version != m.Version || m.Format != wire.LogFormat || old.Format != wire.ListFormat || len(old.Buckets) != len(m.Buckets) {
			t.Fatalf("%+v %+v %v", m, old, err)
		}
		leaves = append(leaves, lists.Logged{Hash: hashOf(t, l.Old)}.Leaf())
		if m.Earlier != uint64(len(leaves)) {
			t.Fatalf("list %d names %d before it, want %d", m.Version, m.Earlier, len(leaves))
		}
		var r tree.Range
		if want := r.AddAll(leaves).Root(); wire.Hash(want) != m.Log {
			t.Fatalf("list %d names another root", m.Version)
		}
		leaves = append(leaves, lists.Logged{Hash: hashOf(t, l.Manifest)}.Leaf())
		if got := l.LogFrom + uint64(len(l.Log)); got != uint64(len(leaves)) || wire.Hash(l.Log[len(l.Log)-1].Hash) != hashOf(t, l.Manifest) || !l.Log[0].Own {
			t.Fatalf("the front gets %d of %d", got, len(leaves))
		}
	}
}

// TestOldDatabase: the lists of a database of before the log begin it.
func TestOldDatabase(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
	w.turn()
	first := hashOf(t, w.front.lists[building1].Manifest)
	for _, q := range []string{`DELETE FROM listlog`, `UPDATE buildings SET log = NULL`} {
		if _, err := w.view().Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	w.reopen()
	w.do(operator.Act{Act: operator.ActSuspend, Grant: id('g', 1).String(), Reason: "lost"})
	if m, _ := w.listed(); m.Earlier != 2 || m.Previous != first {
		t.Fatalf("%+v", m)
	}
	log, err := w.i.ledger.LogFrom(building1, 0)
	if err != nil || len(log) != 3 || wire.Hash(log[0].Hash) != first {
		t.Fatal(log, err)
	}
}
