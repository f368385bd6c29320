package commit

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// shared runs f on a transaction of a committer, for a gateway that may have 1 MiB a
// day.
func shared(t *testing.T, f func(*Txn, *roster.Gateway)) {
	t.Helper()
	dir := t.TempDir()
	clock, err := agreed.Open(filepath.Join(dir, agreed.File), agreed.Only(time.Now))
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), filepath.Join(dir, "quota.db"), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	r := roster.New(time.Now)
	c := New(Options{Store: s, Roster: r, Clock: clock, Now: time.Now, PerDay: 1 << 20})
	g := r.Know(wire.Place{District: "d1", Town: "t1", Building: "b1", Gateway: "g1"}, nil, time.Time{})
	x := c.begin()
	if err := s.Update(t.Context(), func(tx *store.Tx) error {
		x.Tx = tx
		f(x, g)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestBudget: what one gateway may have stored within a day ends, is one alarm,
// and begins again a day later; records have their own.
func TestBudget(t *testing.T) {
	shared(t, func(x *Txn, g *roster.Gateway) {
		l, err := x.Ledger(g)
		if err != nil {
			t.Fatal(err)
		}
		batch := func(size int) bool {
			ok, err := x.AdmitBatch(g, l, false, size)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		record := func(size int) bool {
			ok, err := x.AdmitRecord(g, size)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		if !batch(1<<20) || l.held(x.Now) != 0 {
			t.Error("what a gateway may have is not stored")
		}
		for range 2 {
			if batch(1) {
				t.Error("more than it may have is stored")
			}
		}
		if got := l.held(x.Now); got != 3600 {
			t.Errorf("asked to wait %d s", got)
		}
		if !record(maxRecordBytes) || record(1) {
			t.Error("records go by another bound")
		}
		x.Now = x.Now.Add(quotaTime - time.Minute)
		if batch(1) || l.held(x.Now) != 60 {
			t.Errorf("a minute before the end of the day it is asked to wait %d s", l.held(x.Now))
		}
		x.Now = x.Now.Add(time.Minute)
		if !batch(1) || !record(1) || l.held(x.Now) != 0 {
			t.Error("the day after nothing is stored")
		}
	})
}

// TestEpochsAreBounded: a gateway that begins epochs without end is stopped, and
// goes on when the old ones are of last month.
func TestEpochsAreBounded(t *testing.T) {
	shared(t, func(x *Txn, g *roster.Gateway) {
		l, err := x.Ledger(g)
		if err != nil {
			t.Fatal(err)
		}
		taken := 0
		for epoch := uint64(1); epoch <= maxEpochs+50; epoch++ {
			ok, err := x.AdmitBatch(g, l, true, 1)
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				taken++
				if err := x.SetRange(l.ID, epoch, tree.Range{}.Add(tlog.RecordHash(nil)), x.Now); err != nil {
					t.Fatal(err)
				}
			}
		}
		if taken != maxEpochs || l.held(x.Now) != 3600 {
			t.Errorf("%d epochs are taken; then it is asked to wait %d s", taken, l.held(x.Now))
		}
		if ok, err := x.AdmitBatch(g, l, false, 1); err != nil || !ok {
			t.Errorf("an epoch that is there can't go on: %v", err)
		}
		x.Now = x.Now.Add(epochTime + time.Second)
		if ok, err := x.AdmitBatch(g, l, true, 1); err != nil || !ok {
			t.Errorf("a month later no epoch is taken: %v", err)
		}
	})
}
