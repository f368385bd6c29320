package journal

import (
	"cmp"
	"context"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/journal/erasing"
	"gatehouse/internal/journal/intake"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// What callers of a journal see of the packages that it is made of.
type (
	// Stamp is the time of an entry as the gateway knows it.
	Stamp = journaled.Stamp
	// Position of an entry.
	Position = journaled.Position
	// Entry is one durable entry as a reader gets it.
	Entry = journaled.Entry
)

// Errors that callers tell apart.
var (
	ErrQueued   = intake.ErrQueued
	ErrDegraded = intake.ErrDegraded
	ErrDropped  = intake.ErrDropped
	ErrGone     = journaled.ErrGone
	ErrAhead    = journaled.ErrAhead
)

// Options of a journal. Dir and Clock are required; the rest has defaults.
type Options struct {
	Dir        string       // made if it is not there
	Clock      func() Stamp // called for each entry, under a lock: it must be quick and must not call the journal
	Boot       []byte       // detail of the boot entry: journaled.BootDetail
	Log        zerolog.Logger
	MaxEntries uint64        // of a file; 50,000
	MaxAge     time.Duration // of a file, by the trusted clock; 7 days
	MaxBytes   int64         // of the directory, damaged files and tree included; 512 MiB
	Ballast    int64         // bytes kept back for a full disk; 4 MiB, negative for none
	Queue      int           // entries that wait in memory at most; 10,000
	Anchors    AnchorStore   // nil: deletion and rollback of the whole journal go unnoticed
	Uplink     bool          // a registry is to have all entries: deleting one that it lacks is a gap
	// Verify checks a file before it is used: nil if it is good, an error that
	// wraps durable.ErrDamaged if it is not, any other if it could not be
	// checked. A fault while checking can end the process, so give it one of
	// its own: segment.VerifyBy. Nil checks in this process (for tests).
	Verify func(ctx context.Context, path string) error
	// EraseAfter says how long a file has to be closed, and with Uplink what is in it
	// safe at the registry, before its who parts are erased; nil: 30 days, and 7 of
	// those that Brief is true for. Where the registry has them and never says that they
	// are safe, 30 days more; what it does not have is not erased.
	EraseAfter erasing.After
	// Brief reports whether a who part is kept for the shorter of these times. It must be
	// safe for concurrent use. Nil: none is.
	Brief func(wire.Who) bool
	// Learned counts how often Brief has come to know more, so that it is asked again of all files; nil: it never does.
	Learned func() uint64
	// Preserved reports whether an entry is kept from erasing: while it is, neither age nor
	// a request takes its who part, and soon after it is not any more it goes as the others
	// went. It must be safe for concurrent use and quick. Nil: nothing is preserved.
	Preserved func(wire.Header) bool
	// KeepEvery is how often the files are looked after when nothing else is the
	// reason to: missing files, space, age; 1 min.
	KeepEvery time.Duration
	// Sync is called before each commit, and before a rewritten file takes its place, by the
	// goroutine that does it: it may wait, as a slow disk does. Nil: nothing is called.
	Sync func()
}

// AnchorStore keeps anchors elsewhere; *keyring.Keyring does, in both files of the grants. Safe for
// concurrent use.
type AnchorStore interface {
	// Anchors returns the kept anchors in any order; broken ones do no harm.
	Anchors() [][]byte
	// SetAnchor replaces the kept anchors by one, durably.
	SetAnchor([]byte) error
}

func (o Options) withDefaults() Options {
	o.MaxEntries = cmp.Or(o.MaxEntries, 50_000)
	o.MaxAge = cmp.Or(o.MaxAge, 7*24*time.Hour)
	o.MaxBytes = cmp.Or(o.MaxBytes, 512<<20)
	o.Ballast = cmp.Or(o.Ballast, 4<<20)
	o.Queue = cmp.Or(o.Queue, 10_000)
	o.KeepEvery = cmp.Or(max(o.KeepEvery, 0), time.Minute)
	if o.EraseAfter == nil {
		o.EraseAfter = func() (all, brief time.Duration) { return 30 * 24 * time.Hour, 7 * 24 * time.Hour }
	}
	if o.Verify == nil {
		o.Verify = func(_ context.Context, path string) error {
			_, err := segment.Verify(path)
			return err
		}
	}
	return o
}
