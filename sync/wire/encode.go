package wire

import (
	"fmt"
	"math"

	"gatehouse/sync/wire/internal/canonical"
)

// Payload is a message body that Encode and Decode take: the types of this
// package whose encoding is a CBOR map with integer keys.
type Payload interface{ check() error }

// Encode returns the one encoding of a message body. An error wraps
// ErrMalformed: the body says something that none may.
func Encode(p Payload) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("encode %T: %w", p, err)
	}
	if b, ok := p.(Batch); ok {
		return b.encode(), nil
	}
	return canonical.Marshal(p)
}

// Decode reads a message body and refuses all but the bytes that Encode makes.
// What p holds after an error is not to be used. A Batch shares b.
func Decode[P Payload](b []byte, p *P) (err error) {
	what := fmt.Sprintf("%T", *p)
	if batch, ok := any(p).(*Batch); ok {
		err = batch.decode(b)
	} else {
		err = canonical.Decode(what, b, p)
	}
	if err != nil {
		return err
	}
	if err := (*p).check(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// encode writes what somebody at a door waits for by hand: the library takes some microseconds more.
func (h Header) encode() []byte {
	m := canonical.NewFields(headerRoom).Uint(1, h.Boot).Uint(2, h.Counter).Uint(3, h.BootTime).Int(4, h.Wall)
	m = m.Some(5, uint64(h.Clock)).Uint(6, uint64(h.Kind)).Some(7, uint64(h.Outcome)).Some(8, uint64(h.Reason))
	m = m.Text(9, h.Door).Text(10, h.Source).Some(11, uint64(h.Direction))
	if h.Ref != nil {
		m = m.Pair(12, h.Ref.Boot, h.Ref.Counter)
	}
	return m.Some(13, h.Count).Bytes(14, h.Detail)
}

func (w Who) encode() []byte {
	m := canonical.NewFields(maxWho)
	if w.Credential != nil {
		m = m.Bytes(1, w.Credential[:])
	}
	if w.Grant != nil {
		m = m.Bytes(2, w.Grant[:])
	}
	if w.Tenancy != nil {
		m = m.Bytes(3, w.Tenancy[:])
	}
	return m.Some(4, uint64(w.Method))
}

func (b Batch) encode() []byte {
	size := 64 + len(b.Root) + len(b.Sealed) + len(b.Signature) + len(b.Context)
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
	p = canonical.AppendBytes(append(p, 7), b.Signature[:])
	if len(b.Context) > 0 {
		p[0]++
		p = canonical.AppendBytes(append(p, 8), b.Context)
	}
	return p
}

// decode reads what encode makes, and nothing else. The batch shares p.
func (b *Batch) decode(p []byte) error {
	r := canonical.Reader{B: p}
	fields := r.Head(canonical.Map, 8)
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
	if b.Context = nil; fields == 8 {
		r.Literal(8)
		b.Context = r.Slice()
	}
	r.Bad = r.Bad || fields < 7 || fields == 8 && len(b.Context) == 0
	return r.Done("wire.Batch")
}
