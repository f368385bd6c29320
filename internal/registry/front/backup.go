package front

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/dbfile"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/socket"
)

// safety knows what of the store a backup has. Gateways keep longer what none has.
// It is safe for concurrent use.
type safety struct {
	mu     sync.RWMutex
	marks  map[markKey]uint64
	at     time.Time               // of the newest backup; zero: none
	copies map[string][]store.Mark // handed out, and not said to be kept; by id
	one    sync.Mutex              // one copy is made at a time
}

type markKey struct {
	gateway int64
	kind    int64
	stream  uint64
}

// maxCopies is how many copies may be under way: an operator makes one at a time.
const maxCopies = 8

func newSafety() *safety {
	return &safety{marks: make(map[markKey]uint64), copies: make(map[string][]store.Mark)}
}

// add takes what a backup has.
func (s *safety) add(all []store.Mark, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range all {
		s.marks[markKey{m.Gateway, m.Kind, m.Stream}] = m.Count
	}
	s.at = at
}

// of returns how much of a gateway's epoch or line is in a backup, at most what is
// stored.
func (s *safety) of(gateway, kind int64, stream, stored uint64) uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return min(s.marks[markKey{gateway, kind, stream}], stored)
}

func (s *safety) last() time.Time {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.at
}

func (s *safety) hand(id string, all []store.Mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.copies) >= maxCopies {
		clear(s.copies) // of commands that were broken off
	}
	s.copies[id] = all
}

func (s *safety) take(id string) ([]store.Mark, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, there := s.copies[id]
	delete(s.copies, id)
	return all, there
}

// getBackup answers with a whole copy of the database. What it has counts as safe
// when whoever asked says that it is kept.
func (f *Front) getBackup(w http.ResponseWriter, r *http.Request, _ socket.None) error {
	id := r.URL.Query().Get("id")
	if id == "" {
		return socket.Refused(http.StatusBadRequest, "", "want id=TEXT")
	}
	file, err := f.copyStore(r.Context(), id)
	if err != nil {
		return err
	}
	defer file.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = io.Copy(w, file) // whoever asked checks what came
	return nil
}

// copyStore makes a copy, which is gone when it is closed, and notes what it has.
func (f *Front) copyStore(ctx context.Context, id string) (*os.File, error) {
	f.safety.one.Lock()
	defer f.safety.one.Unlock()
	return dbfile.Temporary(f.o.Config.path(api.FileDatabase)+".copy", func(path string) error {
		if err := f.store.Copy(ctx, path); err != nil {
			return err
		}
		all, err := store.MarksOf(ctx, path)
		if err == nil {
			f.safety.hand(id, all)
		}
		return err
	})
}

// putAway forgets what a restore has shown.
func (f *Front) putAway(ctx context.Context, _ struct{}) (any, error) {
	return struct{}{}, f.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error { return tx.PutAway() })
}

// errNoCopy means a copy that was never handed out, or too long ago.
var errNoCopy = errors.New("no copy of this id was handed out")

// kept takes the word that a copy is kept: acks say from now on that what it has
// is safe.
func (f *Front) kept(ctx context.Context, k api.Kept) (any, error) {
	all, there := f.safety.take(k.ID)
	if !there {
		return k, errNoCopy
	}
	now := f.o.Now()
	err := f.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error { return tx.SetSafe(all, now) })
	if err != nil {
		return k, err
	}
	f.safety.add(all, now)
	k.Time = now
	return k, nil
}

// loadSafety reads what backups have, and keeps what the start has found.
func (f *Front) loadSafety(ctx context.Context) error {
	all, at, err := f.store.Safe(ctx)
	if err != nil {
		return err
	}
	f.safety.add(all, at)
	found := f.store.Found()
	if f.putBack, err = f.store.PutBack(ctx); err != nil {
		return err
	}
	said := found.String()
	if said == "" {
		return nil
	}
	f.o.Log.Warn().Str("database", f.o.Config.path(api.FileDatabase)).Msg(said)
	now := f.o.Now()
	if found.Restored {
		f.putBack = now
	}
	return f.store.Update(ctx, func(tx *store.Tx) error {
		if found.Restored {
			if err := tx.SetPutBack(now); err != nil {
				return err
			}
		}
		return tx.Remark(api.FileDatabase+": "+said+". Gateways bring what they still keep; docs/restore.md says what is lost", now)
	})
}
