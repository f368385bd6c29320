package uplink

import (
	"errors"

	"gatehouse/internal/tree"
	"gatehouse/sync/uplink/entries"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// before asks about the end of the epoch before one of which the registry has nothing. A registry that was put back
// from a backup may have lost that end, too, and nothing else would show it.
type before struct {
	begins journaled.Position // the epoch of which the registry has nothing; zero: nothing is asked
	end    journaled.Position // of the one before it
}

// asks reports whether the epoch before is to be asked about: both ends stand where an epoch begins, and it was not.
func (b *before) asks(at, cursor journaled.Position, j entries.Journal) bool {
	if at.Sequence > 0 || at != cursor || at == b.begins {
		return false
	}
	end, ok := j.Before(at.Epoch)
	if ok {
		*b = before{begins: at, end: end}
	}
	return ok
}

// isKnownFork reports whether the registry's copy of the epoch that is asked about is another one: that is why it was
// left, and what follows it stands in the epoch after it. own and err are what the journal has there.
func (b *before) isKnownFork(at journaled.Position, own tree.Range, err error, k wire.Ack2) bool {
	if b.begins.Epoch == 0 || b.begins.Epoch == at.Epoch {
		return false
	}
	return errors.Is(err, journaled.ErrAhead) || err == nil && wire.Hash(own.Root()) != k.Root
}
