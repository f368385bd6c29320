package wire

import (
	"math"

	"gatehouse/sync/wire/internal/canonical"
)

// encode returns the one encoding of a batch.
func (b Batch) encode() []byte {
	size := 64 + len(b.Root) + len(b.Sealed) + len(b.Signature)
	for _, list := range [][][]byte{b.Headers, b.Whos} {
		for _, v := range list {
			size += 3 + len(v)
		}
	}
	p := append(make([]byte, 0, size), canonical.Map|7)
	p = canonical.AppendHead(append(p, 1), canonical.Uint, b.Epoch)
	p = canonical.AppendHead(append(p, 2), canonical.Uint, b.First)
	p = canonical.AppendStrings(append(p, 3), b.Headers)
	p = canonical.AppendStrings(append(p, 4), b.Whos)
	p = canonical.AppendBytes(append(p, 5), b.Root[:])
	p = canonical.AppendBytes(append(p, 6), b.Sealed)
	return canonical.AppendBytes(append(p, 7), b.Signature[:])
}

// decode reads what encode makes, and nothing else. The batch shares p.
func (b *Batch) decode(p []byte) error {
	r := canonical.Reader{B: p}
	r.Literal(canonical.Map | 7)
	r.Literal(1)
	b.Epoch = r.Head(canonical.Uint, math.MaxUint64)
	r.Literal(2)
	b.First = r.Head(canonical.Uint, math.MaxUint64)
	r.Literal(3)
	b.Headers = r.Strings(MaxBatch)
	r.Literal(4)
	b.Whos = r.Strings(MaxBatch)
	r.Literal(5)
	r.Bytes(b.Root[:])
	r.Literal(6)
	b.Sealed = r.Slice()
	r.Literal(7)
	r.Bytes(b.Signature[:])
	return r.Done("wire.Batch")
}
