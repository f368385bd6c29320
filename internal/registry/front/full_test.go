package front

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/registry/front/commit"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/sync/wire"
)

// sickWork can't be stored while it is sick.
type sickWork struct{ sick *atomic.Bool }

// Store fails like a disk without room.
func (s sickWork) Store(*commit.Txn, *roster.Gateway, *commit.Ledger) error {
	if s.sick.Load() {
		return errors.New("database or disk is full")
	}
	return nil
}

// TestSickStore: that nothing can be stored is told while it is so, and no longer.
func TestSickStore(t *testing.T) {
	r := newRig(t)
	_, link := newMemory()
	f := r.start(Options{Link: link})
	told := func() bool {
		st, err := f.client.Status(t.Context())
		r.must(err)
		return slices.ContainsFunc(st.Problems, func(p string) bool { return strings.Contains(p, "can be stored") })
	}
	g := roster.New(time.Now).Know(wire.Place{Building: "b1", Gateway: "g1"}, nil, time.Time{})
	var sick atomic.Bool
	job := commit.Job{Gateway: g, Work: sickWork{&sick}}
	sick.Store(true)
	f.committer.Submit(t.Context(), job)
	r.until("it is told that messages can't be stored", told)
	sick.Store(false)
	f.committer.Submit(t.Context(), job)
	r.until("the disk has room again, and the line goes", func() bool { return !told() })
}
