// Package offsite stores the newest backup of a gateway at its registry, which can't read it.
//
// After each nightly backup, and only once all entries are delivered, it asks whether the registry
// still has the last one, and sends the new one if that would bring back something else. A registry
// whose database was restored gets it again. Nothing waits for it.
package offsite

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/backoff"
	"gatehouse/internal/backup/keeper"
	"gatehouse/internal/durable"
	"gatehouse/internal/enrol"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/snapshot"
)

// Options of a Sender; all but Chance are needed.
type Options struct {
	Backups *keeper.Keeper
	File    string // its file in the state directory: the state of the last one
	Address string // building/gateway
	Key     ed25519.PrivateKey
	// Clear reports whether all entries are delivered.
	Clear func() bool
	// Send is enrol.SendSnapshot for this gateway.
	Send func(ctx context.Context, envelope, data []byte) (kept bool, err error)
	Now  func() time.Time // the wall clock
	Log  zerolog.Logger
	// Chance returns a random time from 0 to the limit, so that the gateways of a city do not send
	// in the same minute; nil: the standard one.
	Chance func(limit time.Duration) time.Duration
}

// Sender stores a gateway's backup at the registry. It is safe for concurrent use.
type Sender struct {
	o Options

	mu    sync.Mutex
	state state
	said  string    // the last logged problem; empty: the last exchange succeeded
	next  time.Time // earliest next exchange, by the monotonic clock
}

// state is the content of Options.File: the backup that the registry has.
type state struct {
	Sum  wire.Hash `json:"sha256"`
	Mark wire.Hash `json:"mark"` // of keeper.Newest
	Size int       `json:"size"`
	Made time.Time `json:"made"`
	Kept time.Time `json:"kept"` // when the registry last confirmed it
	Seen time.Time `json:"seen"` // when the then newest backup was made
	Code time.Time `json:"code"` // when its recovery code was made
}

// Status is the state of the backup at the registry.
type Status struct {
	Made    time.Time // when the one there was made; zero: none
	Kept    time.Time // when the registry last confirmed it
	Problem string    // why the last exchange failed; empty: it did not
	Old     bool      // the registry's program keeps no snapshots
}

// Times of a Sender.
const (
	look    = 5 * time.Minute // between checks whether an exchange is due
	between = 12 * time.Hour  // least time between two exchanges
	daily   = 26 * time.Hour  // most time between them, if there was no new backup
	retry   = time.Hour       // after a failed one
	refresh = 7 * 24 * time.Hour
	spread  = 30 * time.Minute // random delay of nightly exchanges
)

// New returns a Sender with the state that is on disk. Run starts it.
func New(o Options) *Sender {
	if o.Chance == nil {
		o.Chance = rand.N[time.Duration]
	}
	s := &Sender{o: o}
	raw, err := os.ReadFile(o.File)
	if err == nil && json.Unmarshal(raw, &s.state) != nil {
		s.state = state{} // the backup is sent again
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		o.Log.Warn().Err(err).Msg("what the registry has of the backup can't be read; it is sent again")
	}
	return s
}

// Status returns the state without disk or network access.
func (s *Sender) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Status{Problem: s.said, Old: s.said == enrol.ErrNoSnapshots.Error()}
	if s.o.Backups.Status().Code.Equal(s.state.Code) && !s.state.Code.IsZero() {
		out.Made, out.Kept = s.state.Made, s.state.Kept
	}
	return out
}

// Run sends backups until ctx ends.
func (s *Sender) Run(ctx context.Context) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !s.due(time.Now()) || !s.o.Clear() {
			continue
		}
		if s.nightly() && !backoff.Sleep(ctx, s.o.Chance(spread)) {
			return
		}
		err := s.exchange(ctx)
		if ctx.Err() != nil {
			return
		}
		s.tell(err, time.Now())
	}
}

// nightly reports whether other gateways exchange at the same hour: this is not the first backup
// under the present code.
func (s *Sender) nightly() bool {
	code := s.o.Backups.Status().Code
	s.mu.Lock()
	defer s.mu.Unlock()
	return code.Equal(s.state.Code)
}

// due reports whether an exchange is due: soon if the registry has no backup under the present
// code, and after each backup.
func (s *Sender) due(now time.Time) bool {
	b := s.o.Backups.Status()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case b.Made.IsZero() || b.Code.IsZero() || s.said != "" && now.Before(s.next):
		return false
	case s.said != "" || !b.Code.Equal(s.state.Code):
		return true
	}
	gap := daily
	if !b.Made.Equal(s.state.Seen) {
		gap = between
	}
	age := s.o.Now().Sub(s.state.Kept)
	return age >= gap || age < 0 && !now.Before(s.next) // the clock was set back
}

// tell stores the result of an exchange, and logs a new problem.
func (s *Sender) tell(err error, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := ""
	s.next = now.Add(retry)
	if err != nil {
		text = err.Error()
	}
	if errors.Is(err, enrol.ErrNoSnapshots) {
		text, s.next = enrol.ErrNoSnapshots.Error(), now.Add(daily)
	}
	if text != "" && text != s.said {
		s.o.Log.Warn().Str("why", text).Msg("the registry does not keep this gateway's backup; it is tried again")
	}
	s.said = text
}

// exchange asks whether the registry still has the last backup, and sends the newest if not, or if
// that would bring back something else.
func (s *Sender) exchange(ctx context.Context) error {
	newest, err := s.o.Backups.Newest()
	if err != nil {
		return err
	}
	s.mu.Lock()
	have := s.state
	s.mu.Unlock()
	code := s.o.Backups.Status().Code
	if age := newest.Made.Sub(have.Made); have.Mark == newest.Mark && age >= 0 && age < refresh && code.Equal(have.Code) {
		have.Seen = newest.Made
		kept, err := s.send(ctx, snapshot.Snapshot{Sum: have.Sum, Size: uint32(have.Size), Made: uint32(have.Made.Unix())}, nil)
		if err != nil || kept {
			return s.keep(have, err)
		}
	}
	if len(newest.Data) > snapshot.Most {
		return fmt.Errorf("the backup has %d KiB, and a registry keeps at most %d: keep a copy on a stick", len(newest.Data)>>10, snapshot.Most>>10)
	}
	of := snapshot.Of(newest.Data, newest.Made.Unix())
	kept, err := s.send(ctx, of, newest.Data)
	if err == nil && !kept {
		err = errors.New("the registry says that it did not keep the backup")
	}
	return s.keep(state{Sum: of.Sum, Mark: newest.Mark, Size: len(newest.Data), Made: newest.Made, Seen: newest.Made, Code: code}, err)
}

func (s *Sender) send(ctx context.Context, n snapshot.Snapshot, data []byte) (bool, error) {
	envelope, err := n.Sign(s.o.Address, s.o.Key)
	if err != nil {
		return false, err
	}
	return s.o.Send(ctx, envelope, data)
}

// keep stores that the registry has the backup, unless err is set, which it returns.
func (s *Sender) keep(next state, err error) error {
	if err != nil {
		return err
	}
	next.Kept = s.o.Now().UTC().Truncate(time.Second)
	raw, err := json.Marshal(next)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.state = next
	s.mu.Unlock()
	return durable.WriteFile(s.o.File, raw, 0o600)
}
