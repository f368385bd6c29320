// Package offsite keeps the newest backup of a gateway at its registry, which can't read it.
//
// After each nightly backup, and only while all entries are there, it asks whether the registry
// still has what it was sent, and sends the new one where that would bring back something
// else: nothing waits for it. A registry whose database was put back gets it again.
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

	"gatehouse/internal/backup/keeper"
	"gatehouse/internal/durable"
	"gatehouse/internal/enrol"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/snapshot"
)

// Options of a Sender; all but Chance are needed.
type Options struct {
	Backups *keeper.Keeper
	File    string // what it keeps of the last one, in the state directory
	Address string // building/gateway
	Key     ed25519.PrivateKey
	// Clear says that all entries are at the registry now.
	Clear func() bool
	// Send is enrol.SendSnapshot of this gateway.
	Send func(ctx context.Context, envelope, data []byte) (kept bool, err error)
	Now  func() time.Time // the wall clock
	Log  zerolog.Logger
	// Chance returns a time by chance below a limit above 0, so that a city's gateways do not
	// send in the same minute; nil: any.
	Chance func(limit time.Duration) time.Duration
}

// Sender keeps a gateway's backup at the registry. It is safe for concurrent use.
type Sender struct {
	o Options

	mu    sync.Mutex
	state state
	said  string    // the problem that was logged last; empty: the last try went well
	next  time.Time // not before then, by the monotone clock
}

// state is File: the backup that the registry has.
type state struct {
	Sum  wire.Hash `json:"sha256"`
	Mark wire.Hash `json:"mark"` // of keeper.Newest
	Size int       `json:"size"`
	Made time.Time `json:"made"`
	Kept time.Time `json:"kept"` // when the registry said last that it has it
	Seen time.Time `json:"seen"` // when the newest backup of that moment was made
	Code time.Time `json:"code"` // when the recovery code was made that opens it
}

// Status is how it is with the snapshot at the registry.
type Status struct {
	Made    time.Time // of the one that is there; zero: none
	Kept    time.Time // when the registry said last that it has it
	Problem string    // why the last try went wrong; empty: it did not
	Old     bool      // the registry's program keeps no snapshots
}

// Times of a Sender.
const (
	look    = 5 * time.Minute // at what is to be done
	between = 12 * time.Hour  // two exchanges, at least
	daily   = 26 * time.Hour  // at most, where no backup was made since
	retry   = time.Hour       // after one that went wrong
	refresh = 7 * 24 * time.Hour
	spread  = 30 * time.Minute // by chance, before an exchange of each night
)

// New makes one, and reads what it kept. It starts nothing.
func New(o Options) *Sender {
	if o.Chance == nil {
		o.Chance = rand.N[time.Duration]
	}
	s := &Sender{o: o}
	raw, err := os.ReadFile(o.File)
	if err == nil && json.Unmarshal(raw, &s.state) != nil {
		s.state = state{} // it is sent again
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		o.Log.Warn().Err(err).Msg("what the registry has of the backup can't be read; it is sent again")
	}
	return s
}

// Status returns how it is. It waits for nothing.
func (s *Sender) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Status{Problem: s.said, Old: s.said == enrol.ErrNoSnapshots.Error()}
	if s.o.Backups.Status().Code.Equal(s.state.Code) && !s.state.Code.IsZero() {
		out.Made, out.Kept = s.state.Made, s.state.Kept
	}
	return out
}

// Run sends what is to be sent until ctx ends.
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
		if s.nightly() && !wait(ctx, s.o.Chance(spread)) {
			return
		}
		err := s.exchange(ctx)
		if ctx.Err() != nil {
			return
		}
		s.tell(err, time.Now())
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// nightly says that others ask at the same hour: the registry has one already that the code opens.
func (s *Sender) nightly() bool {
	code := s.o.Backups.Status().Code
	s.mu.Lock()
	defer s.mu.Unlock()
	return code.Equal(s.state.Code)
}

// due says whether the registry is to be asked: soon where it has none that the newest code
// opens, and after each backup.
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

// tell takes how an exchange went, and logs what is new of it.
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

// exchange asks whether the registry has what it was sent, and sends the newest backup where
// it has not, or where that would bring back something else.
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

// keep notes that the registry has it, where nothing went wrong.
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
