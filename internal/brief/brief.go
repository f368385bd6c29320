// Package brief keeps at a gateway which tenancies of its building the log names for a shorter time, as the registry's
// issuer has signed it for all of them: the desk of one gateway knows it of whom it has checked in, the others would not.
//
// It refuses to forget a tenancy that still has a card here, whatever an older list or an issuer that lost its records
// leaves out: then a log would name it for longer.
package brief

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"

	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/briefs"
)

// File is the name of the list's file, in the directory of the grants.
const File = "briefs"

// Options of a List; all are needed.
type Options struct {
	Path     string
	Registry func() *keys.Registry   // nil: the house has none
	Living   func() map[wire.ID]bool // tenancies that have a card here
	Log      zerolog.Logger
}

// List has the tenancies. Safe for concurrent use; make it with Open.
type List struct {
	o     Options
	mu    sync.Mutex
	saved []byte // what the file has; nil: there is none
	now   atomic.Pointer[map[wire.ID]bool]
	news  atomic.Uint64
}

// Open reads the file. What of it can't be read is logged, and comes again with the registry's next list.
func Open(o Options) *List {
	l := &List{o: o}
	all := map[wire.ID]bool{}
	b, err := os.ReadFile(o.Path)
	if err == nil {
		l.saved = append([]byte{}, b...)
	} else if !errors.Is(err, fs.ErrNotExist) {
		o.Log.Error().Err(err).Msg("which tenancies the log names for a shorter time can't be read; the registry says it again")
	}
	for line := range strings.Lines(string(b)) {
		var id wire.ID
		if n, err := hex.Decode(id[:], []byte(strings.TrimSpace(line))); n < len(id) || err != nil {
			o.Log.Error().Str("file", o.Path).Msg("a line that names no tenancy; the registry says it again")
			continue
		}
		all[id] = true
	}
	l.now.Store(&all)
	return l
}

// Has reports whether the log names a tenancy for a shorter time. It is one atomic load.
func (l *List) Has(tenancy wire.ID) bool { return (*l.now.Load())[tenancy] }

// Learned counts how often a list had a tenancy that was not known before.
func (l *List) Learned() uint64 { return l.news.Load() }

// Heard reports whether the registry has ever signed a list: then it reads which check-in is of such a tenancy.
func (l *List) Heard() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.saved != nil
}

// Take takes the registry's list. It counts at once, also if no disk takes it. Errors wrap those of briefs.Open.
func (l *List) Take(envelope []byte) error {
	r := l.o.Registry()
	if r == nil {
		return fmt.Errorf("take list of tenancies kept briefly: %w: this house has no registry", wire.ErrUnknownKey)
	}
	signed, err := briefs.Open(envelope, r.Place.Building, r.Trust.Keyset(wire.RoleIssuer))
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	living, next := l.o.Living(), map[wire.ID]bool{}
	for id := range *l.now.Load() {
		if living[id] {
			next[id] = true
		}
	}
	news := slices.ContainsFunc(signed.Tenancies, func(id wire.ID) bool { return !l.Has(id) })
	for _, id := range signed.Tenancies {
		next[id] = true
	}
	l.now.Store(&next)
	if news {
		l.news.Add(1)
	}
	l.save(next)
	return nil
}

// save writes the file where it says something else. What fails is tried again with the next list. Callers hold mu.
func (l *List) save(all map[wire.ID]bool) {
	text := []byte{}
	for _, id := range slices.SortedFunc(maps.Keys(all), func(a, b wire.ID) int { return bytes.Compare(a[:], b[:]) }) {
		text = append(text, id.String()+"\n"...)
	}
	if l.saved != nil && bytes.Equal(text, l.saved) {
		return
	}
	if err := durable.WriteFile(l.o.Path, text, 0o600); err != nil {
		l.o.Log.Error().Err(err).Msg("which tenancies the log names for a shorter time can't be written; it counts until the next start")
		return
	}
	l.saved = text
}
