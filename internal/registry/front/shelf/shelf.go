// Package shelf stores the backups of gateways for the day on which one burns: of each the newest,
// and one from at least a day before. They are sealed under recovery codes of landlords, and the
// registry can't read them.
//
// A backup counts when it is whole, as its gateway signed it, and on disk.
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

// Quotas of a gateway.
const (
	// apart is how old the newest backup must be for another to make it the previous one. A newer
	// one is replaced: a gateway that sends rubbish all night spoils only one.
	apart = 20 * time.Hour
	// perDay is the most backups that a gateway may send within 24 hours of this run.
	perDay = 8
)

var (
	// ErrTooMany means that a gateway sent more than perDay.
	ErrTooMany = errors.New("this gateway has sent as many snapshots as a day may have")
	// ErrOther means that a body is not what the gateway signed.
	ErrOther = errors.New("the snapshot is not as its gateway signed it, or was cut short")
	// ErrNone means that no backup is stored.
	ErrNone = errors.New("no snapshot of this gateway is kept here")
)

// Shelf has the backups. It is safe for concurrent use.
type Shelf struct {
	store *store.Store
	now   func() time.Time

	mu   sync.Mutex
	sent map[string][]time.Time // by address: the last day's, by this machine's own clock
}

// New returns the Shelf of a store; now is the time for what is stored.
func New(s *store.Store, now func() time.Time) *Shelf {
	return &Shelf{store: s, now: now, sent: map[string][]time.Time{}}
}

// Heard notes which backup a gateway would send, and reports whether that one is stored already.
func (s *Shelf) Heard(ctx context.Context, p api.Place, n snapshot.Snapshot) (kept bool, err error) {
	err = s.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		kept, err = tx.Snapshots.Heard(p.Building, p.Gateway, hex.EncodeToString(n.Sum[:]), s.now())
		return err
	})
	return kept, err
}

// Keep stores a backup durably. Errors wrap ErrOther or ErrTooMany if the gateway is at fault.
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

// count counts another backup of a gateway, unless it has sent perDay.
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

// Fetch returns a backup for the machine that replaces its gateway: turn 0 is the newest. The error
// is ErrNone if there is none.
func (s *Shelf) Fetch(ctx context.Context, p api.Place, turn int) (data []byte, err error) {
	if data, err = s.Body(ctx, p, turn); err != nil {
		return nil, err
	}
	err = s.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		return tx.Snapshots.SetFetched(p.Building, p.Gateway, turn, s.now())
	})
	return data, err
}

// Body is Fetch for the operator, which is not recorded.
func (s *Shelf) Body(ctx context.Context, p api.Place, turn int) ([]byte, error) {
	data, err := s.store.Snapshots(ctx).Body(p.Building, p.Gateway, turn)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNone
	}
	return data, err
}

// List returns the stored backups of a building; of all, for "".
func (s *Shelf) List(ctx context.Context, building string) ([]api.Snapshot, error) {
	return s.store.Snapshots(ctx).List(building)
}

// Drop deletes the backups of a gateway; ErrNone if there are none.
func (s *Shelf) Drop(ctx context.Context, p api.Place) error {
	return s.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		there, err := tx.Snapshots.Drop(p.Building, p.Gateway)
		if err == nil && !there {
			err = ErrNone
		}
		return err
	})
}
