// Package whos seals the who parts of entries to the records key of the registry, which lies
// offline: all of a batch at once, as in the first formats, or each by itself in a context that
// serves many batches, so that one can be erased and the others still open.
//
// It refuses to keep a context for longer than it is told to, and to seal an entry otherwise than by
// its place in the journal. Its functions are safe for concurrent use, a Context is not.
package whos

import (
	"fmt"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
	"gatehouse/sync/wire/sealing"
)

// Part is the who part of one entry of a batch.
type Part struct {
	_     struct{} `cbor:",toarray"`
	Index uint16   // of the entry in its batch
	Salt  [16]byte
	Who   []byte
}

// Seal encrypts the who parts of a batch, in ascending order of their index, at once. The position
// of its first entry is bound, so that they can't be moved to other entries.
func Seal(records []byte, address string, epoch, first uint64, parts []Part) ([]byte, error) {
	plain, err := canonical.Marshal(parts)
	if err != nil {
		return nil, fmt.Errorf("seal who parts: %w", err)
	}
	return sealing.Seal(records, sealing.Who, placeOf(address, epoch, first), plain)
}

// Unseal opens what Seal made with the private records key.
func Unseal(private []byte, address string, epoch, first uint64, sealed []byte) ([]Part, error) {
	plain, err := sealing.Unseal(private, sealing.Who, placeOf(address, epoch, first), sealed)
	if err != nil {
		return nil, err
	}
	return decode(plain)
}

// placeOf is what the who parts of a batch are sealed for: the gateway's address, the epoch in 16
// hex digits, the sequence number of the first entry.
func placeOf(address string, epoch, first uint64) string {
	return fmt.Sprintf("%s/%016x/%d", address, epoch, first)
}

func decode(b []byte) ([]Part, error) {
	var parts []Part
	if err := canonical.Decode("who parts", b, &parts); err != nil {
		return nil, err
	}
	for i := range parts {
		if i > 0 && parts[i-1].Index >= parts[i].Index {
			return nil, fmt.Errorf("who parts: %w: out of order", wire.ErrMalformed)
		}
	}
	return parts, nil
}
