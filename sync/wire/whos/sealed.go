package whos

import (
	"fmt"
	"math"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
)

// Sealed is the who part of one entry of a batch, sealed by itself: salt and who, under the entry's
// own key. Whoever stores them can take one out.
type Sealed struct {
	Index uint16 // of the entry in its batch
	Bytes []byte
}

// least is the salt and the tag of AES-GCM, and one byte of who.
const least = 16 + 16 + 1

// Join returns the one encoding of seals, in ascending order of their index.
func Join(all []Sealed) []byte {
	size := 3
	for _, s := range all {
		size += 7 + len(s.Bytes)
	}
	b := canonical.AppendHead(make([]byte, 0, size), canonical.Array, uint64(len(all)))
	for _, s := range all {
		b = canonical.AppendHead(append(b, canonical.Array|2), canonical.Uint, uint64(s.Index))
		b = canonical.AppendBytes(b, s.Bytes)
	}
	return b
}

// Split reads what Join makes and refuses all else, with ErrMalformed. The seals share b.
func Split(b []byte) ([]Sealed, error) {
	r := canonical.Reader{B: b}
	n := r.Head(canonical.Array, wire.MaxBatch)
	r.Bad = r.Bad || n > uint64(len(b))
	var all []Sealed
	for i := 0; i < int(n) && !r.Bad; i++ {
		r.Literal(canonical.Array | 2)
		s := Sealed{uint16(r.Head(canonical.Uint, math.MaxUint16)), r.Slice()}
		r.Bad = r.Bad || len(s.Bytes) < least || i > 0 && s.Index <= all[i-1].Index
		all = append(all, s)
	}
	return all, r.Done("seals of who parts")
}

// Check reports what is wrong with the seals of a batch: each must be of an entry that names
// somebody, so that all there is to read of a person is at its entry's place.
func Check(b wire.Batch) error {
	all, err := Split(b.Sealed)
	if err != nil {
		return err
	}
	for _, s := range all {
		if int(s.Index) >= len(b.Whos) || len(b.Whos[s.Index]) == 0 {
			return fmt.Errorf("%w: seal of entry %d, which names nobody", wire.ErrMalformed, s.Index)
		}
	}
	return nil
}
