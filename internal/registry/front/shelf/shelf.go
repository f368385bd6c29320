// Package shelf keeps the backups of gateways for the day on which one burns: of each the
// newest, and one of a day before. They are sealed under recovery codes of landlords, and
// nobody here can read them.
//
// A backup counts when it is whole, as its gateway signed it, and on the disk; there is no
// half one to be had.
package shelf

import (
	"context"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/snapshot"
)

// Bounds of what a gateway may have stored.
const (
	// apart is how long after the newest was stored another one makes it the one before.
	// Until then it takes its place: a gateway that sends rubbish all night spoils one.
	apart = 20 * time.Hour
	// perDay is how many a gateway may send within 24 hours of this run.
	perDay = 8
)

var (
	// ErrTooMany means a gateway that sends more than perDay.
	ErrTooMany = errors.New("this gateway has sent as many snapshots as a day may have")
	// ErrOther means a body that is not what the gateway has signed.
	ErrOther = errors.New("the snapshot is not as its gateway signed it, or was cut short")
	// ErrNone means that there is none.
	ErrNone = errors.New("no snapshot of this gateway is kept here")
)

// Shelf is all of them. Safe for concurrent use.
type Shelf struct {
	store *store.Store
	now   func() time.Time

	mu   sync.Mutex
	sent map[string][]time.Time // by address, within the last day by this machine's own clock
}

// New makes one on a store; now is the time that is stored.
func New(s *store.Store, now func() time.Time) *Shelf {
	return &Shelf{store: s, now: now, sent: map[string][]time.Time{}}
}

// Heard notes what a gateway would send, and reports whether that is kept already.
func (s *Shelf) Heard(ctx context.Context, p api.Place, n snapshot.Snapshot) (kept bool, err error) {
	err = s.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		kept, err = tx.Snapshots.Heard(p.Building, p.Gateway, hex.EncodeToString(n.Sum[:]), s.now())
		return err
	})
	return kept, err
}

// Keep keeps a backup, durably when it returns. Errors wrap ErrOther or ErrTooMany where
// the gateway is at fault.
func (s *Shelf) Keep(ctx context.Context, p api.Place, n snapshot.Snapshot, data []byte) error {
	if !n.Is(data) {
		return ErrOther
	}
	if kept, err := s.Heard(ctx, p, n); kept || err != nil {
		return err
	}
	if !s.count(wire.Place(p).Address(), time.Now()) {
		return ErrTooMany
	}
	now := s.now()
	kept := api.Snapshot{Place: p, Sum: hex.EncodeToString(n.Sum[:]), Size: len(data), Made: time.Unix(int64(n.Made), 0), Stored: now, Heard: now}
	return s.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error { return tx.Snapshots.Put(kept, data, now.Add(-apart)) })
}

// count counts one more of a gateway, if it may send one.
func (s *Shelf) count(address string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var recent []time.Time
	for _, at := range s.sent[address] {
		if now.Sub(at) < 24*time.Hour {
			recent = append(recent, at)
		}
	}
	if len(recent) >= perDay {
		return false
	}
	s.sent[address] = append(recent, now)
	return true
}

// Fetch returns a backup for the machine in its gateway's place: turn 0 is the newest. The
// error is ErrNone where there is none.
func (s *Shelf) Fetch(ctx context.Context, p api.Place, turn int) (data []byte, err error) {
	if data, err = s.Body(ctx, p, turn); err != nil {
		return nil, err
	}
	err = s.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		return tx.Snapshots.SetFetched(p.Building, p.Gateway, turn, s.now())
	})
	return data, err
}

// Body is Fetch for the operator, of whom no note is made.
func (s *Shelf) Body(ctx context.Context, p api.Place, turn int) ([]byte, error) {
	data, err := s.store.Snapshots(ctx).Body(p.Building, p.Gateway, turn)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNone
	}
	return data, err
}

// List lists what is kept of a building; of all, for "".
func (s *Shelf) List(ctx context.Context, building string) ([]api.Snapshot, error) {
	return s.store.Snapshots(ctx).List(building)
}

// Drop forgets those of a gateway: ErrNone where there is none.
func (s *Shelf) Drop(ctx context.Context, p api.Place) error {
	return s.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		there, err := tx.Snapshots.Drop(p.Building, p.Gateway)
		if err == nil && !there {
			err = ErrNone
		}
		return err
	})
}
