// Package backup makes copies of the front's database and records which data the stored copies
// have: gateways retain longer what no backup has.
package backup

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/dbfile"
	"gatehouse/internal/registry/store"
)

// Safety knows how much of the store a backup has. It is safe for concurrent use.
type Safety struct {
	store   *store.Store
	path    string    // of the database
	putBack time.Time // when a copy last replaced the database; zero: never

	mu     sync.RWMutex
	marks  map[store.Stream]uint64
	at     time.Time               // of the newest backup; zero: none
	copies map[string][]store.Mark // delivered, but not reported as stored; by id
	one    sync.Mutex              // held while a copy is made
}

// maxCopies is the most copies in progress: an operator makes one at a time.
const maxCopies = 8

// ErrNoCopy means a copy that was never delivered, or too long ago.
var ErrNoCopy = errors.New("no copy of this id was handed out")

// Load loads what backups have of a store, whose database is at path. It stores a remark if the
// database was restored or damaged.
func Load(ctx context.Context, s *store.Store, path string, now time.Time, log zerolog.Logger) (*Safety, error) {
	b := &Safety{store: s, path: path, marks: make(map[store.Stream]uint64), copies: make(map[string][]store.Mark)}
	all, at, err := s.Safe(ctx)
	if err != nil {
		return nil, err
	}
	b.add(all, at)
	if b.putBack, err = s.PutBack(ctx); err != nil {
		return nil, err
	}
	said := s.Found.String()
	if said == "" {
		return b, nil
	}
	log.Warn().Str("database", path).Msg(said)
	if s.Found.Restored {
		b.putBack = now
	}
	return b, s.Update(ctx, func(tx *store.Tx) error {
		if s.Found.Restored {
			if err := tx.Backups.SetPutBack(now); err != nil {
				return err
			}
		}
		return tx.Backups.Remark(api.FileDatabase+": "+said+". Gateways bring what they still keep; what an older ledger of answers lacks may be answered once more. docs/restore.md says what is lost", now)
	})
}

// add records what a backup has.
func (s *Safety) add(all []store.Mark, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range all {
		s.marks[m.Stream] = m.Count
	}
	s.at = at
}

// Of returns how much of a stream is in a backup, at most stored.
func (s *Safety) Of(stream store.Stream, stored uint64) uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return min(s.marks[stream], stored)
}

// Last returns when the newest backup was made; zero: there is none.
func (s *Safety) Last() time.Time {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.at
}

// PutBack returns when a copy last replaced the database; zero: never.
func (s *Safety) PutBack() time.Time { return s.putBack }

// Copy makes a copy of the database, which is deleted when it is closed. Its content counts as safe
// when Keep is called with its id.
func (s *Safety) Copy(ctx context.Context, id string) (*os.File, error) {
	s.one.Lock()
	defer s.one.Unlock()
	return dbfile.Temporary(s.path+".copy", func(path string) error {
		if err := s.store.Copy(ctx, path); err != nil {
			return err
		}
		all, err := store.MarksOf(ctx, path)
		if err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.copies) >= maxCopies {
			clear(s.copies) // of interrupted commands
		}
		s.copies[id] = all
		return nil
	})
}

// Keep records that a copy is stored: from now on acks report its content as safe.
func (s *Safety) Keep(ctx context.Context, k api.Kept, now time.Time) (api.Kept, error) {
	s.mu.Lock()
	all, there := s.copies[k.ID]
	delete(s.copies, k.ID)
	s.mu.Unlock()
	if !there {
		return k, ErrNoCopy
	}
	err := s.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error { return tx.Backups.SetSafe(all, now) })
	if err != nil {
		return k, err
	}
	s.add(all, now)
	k.Time = now
	return k, nil
}
