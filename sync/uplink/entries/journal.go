// Package entries brings the journal's entries to the registry, exactly once: it packs,
// seals and signs batches, keeps those that are not confirmed, and tells the journal how far
// the registry has them, with the newest cosigned checkpoint.
//
// It refuses to publish anything itself, and to move the cursor but over a batch whose root
// the witness has confirmed.
package entries

import (
	"context"
	"crypto/ed25519"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// Options are those of Sending and Saver. Batch and Gather are optional.
type Options struct {
	Journal  Journal
	Keyring  interface{ Trust() wire.Trust }
	Key      ed25519.PrivateKey // of the gateway
	Address  string             // of the gateway
	Registry string             // its name, as its notes are signed
	Batch    int                // entries of a message at most; 0: 700
	Gather   time.Duration      // how long entries wait for others that are stored in the same moment; 0: not at all
	Log      zerolog.Logger
}

// Journal is what the uplink needs of the gateway's journal. All methods are safe for concurrent
// use. For a position without entries they return ErrGone or ErrAhead.
type Journal interface {
	Queue(wire.Header, wire.Who) wire.Ref // does not wait
	Head() journaled.Head
	// Entries returns up to n durable entries from a position on, and the position after them;
	// none: no more until Changed. The first one may be later than from.
	Entries(ctx context.Context, from journaled.Position, n int) ([]journaled.Entry, journaled.Position, error)
	// Before returns where the epoch before another one ends; ok: there is one that has entries.
	Before(epoch uint64) (end journaled.Position, ok bool)
	Changed() <-chan struct{} // closed with the next durable entry
	// Root and Range are of the tree over the entries of an epoch before the position.
	Root(context.Context, journaled.Position) (tlog.Hash, error)
	Range(context.Context, journaled.Position) (tree.Range, error)

	// What the registry has the journal keeps for the next run, and may lose what came last. None of
	// these waits for the disk.
	Acked() journaled.Position    // all before it is at the registry
	Ack(journaled.Position) error // moves the cursor
	Safe(journaled.Position)      // the registry can't lose what is before it
	Cosigned() string             // the newest checkpoint that a witness cosigned, a signed note; empty: none
	SetCosigned(note string)
	// NewEpoch appends everything from a position on again in a new epoch, whose first entry has
	// detail, and returns where the epoch begins.
	NewEpoch(ctx context.Context, from journaled.Position, detail []byte) (journaled.Position, error)
}
