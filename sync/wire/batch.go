package wire

import "math"

// encode returns the one encoding of a batch.
func (b Batch) encode() []byte {
	size := 64 + len(b.Root) + len(b.Sealed) + len(b.Signature)
	for _, list := range [][][]byte{b.Headers, b.Whos} {
		for _, v := range list {
			size += 3 + len(v)
		}
	}
	p := append(make([]byte, 0, size), majorMap|7)
	p = appendHead(append(p, 1), majorUint, b.Epoch)
	p = appendHead(append(p, 2), majorUint, b.First)
	p = appendStrings(append(p, 3), b.Headers)
	p = appendStrings(append(p, 4), b.Whos)
	p = appendBytes(append(p, 5), b.Root[:])
	p = appendBytes(append(p, 6), b.Sealed)
	return appendBytes(append(p, 7), b.Signature[:])
}

// decode reads what encode makes, and nothing else. The batch shares p.
func (b *Batch) decode(p []byte) error {
	r := reader{b: p}
	r.literal(majorMap | 7)
	r.literal(1)
	b.Epoch = r.head(majorUint, math.MaxUint64)
	r.literal(2)
	b.First = r.head(majorUint, math.MaxUint64)
	r.literal(3)
	b.Headers = r.strings(MaxBatch)
	r.literal(4)
	b.Whos = r.strings(MaxBatch)
	r.literal(5)
	r.bytes(b.Root[:])
	r.literal(6)
	b.Sealed = r.slice()
	r.literal(7)
	r.bytes(b.Signature[:])
	return r.done("wire.Batch")
}
