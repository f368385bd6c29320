// Package entries brings the journal's entries to the registry, exactly once: it packs,
// seals and signs batches, keeps those that are not confirmed, and writes how far the
// registry has them, with the newest cosigned checkpoint.
//
// It refuses to publish anything itself, and to move the cursor but over a batch whose root
// the witness has confirmed.
package entries

import (
	"context"
	"crypto/ed25519"
	"errors"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// Position is the place of an entry in the journal: the sequence numbers of each epoch
// start at 0. The zero Position stands before the oldest entry; no epoch is 0.
type Position struct {
	Epoch    uint64
	Sequence uint64
}

// Entry is one durable entry.
type Entry struct {
	Position
	journaled.Stored
}

// What a Journal says of a position at which it has nothing.
var (
	ErrGone  = errors.New("no such epoch in the journal")
	ErrAhead = errors.New("behind the end of the epoch")
)

// Options of Sending and Saver. Checkpoint, Batch and Gather may be missing.
type Options struct {
	Journal    Journal
	Keyring    interface{ Trust() wire.Trust }
	Key        ed25519.PrivateKey // the gateway's
	Address    string             // the gateway's
	Registry   string             // its name, as its notes are signed
	Checkpoint string             // file of the newest cosigned checkpoint
	Batch      int                // entries of a message at most; 0: 700
	Gather     time.Duration      // how long entries wait for others that are stored in the same moment; 0: not at all
	Log        zerolog.Logger
}

// Journal is what the uplink needs of the gateway's journal. All methods are safe for
// concurrent use. Of a position at which it has nothing it says ErrGone or
// ErrAhead.
type Journal interface {
	Queue(wire.Header, wire.Who) wire.Ref // does not wait
	Head() Head
	// Entries returns up to n durable entries from a position on, and the position after
	// them; none: there are no more before Changed. The first may stand later.
	Entries(ctx context.Context, from Position, n int) ([]Entry, Position, error)
	Changed() <-chan struct{} // closed with the next durable entry
	// Root and Range are of the tree over an epoch's entries before the position.
	Root(context.Context, Position) (tlog.Hash, error)
	Range(context.Context, Position) (tree.Range, error)

	Acked() Position     // all before it is at the registry
	Ack(Position) error  // moves it
	Safe(Position) error // the registry can't lose what is before it
	// NewEpoch has everything from a position on appended again in a new epoch, whose first
	// entry has detail, and returns where that begins.
	NewEpoch(ctx context.Context, from Position, detail []byte) (Position, error)
}

// Head is where a journal stands; zero: its files are not open yet.
type Head struct {
	Position           // of the next entry; its sequence is the size of the tree
	Root     tlog.Hash // of the tree at that size
	Oldest   Position  // of the oldest entry that is still there
	Boot     uint64    // number of this run
}
