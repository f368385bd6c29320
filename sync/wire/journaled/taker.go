package journaled

import (
	"bytes"

	"gatehouse/sync/wire"
)

// Taker gets entries as they are read from a log's files.
type Taker interface {
	// Begin says that at most so many follow. What was taken before does not count any more.
	Begin(most int)
	// Take gets an entry's bytes, which are valid until it returns; they were verified before.
	Take(at Position, stored []byte) error
}

// maxPrepared bounds the entries that memory is made for before they are read.
const maxPrepared = 2048

// Copies is a Taker that copies each entry.
type Copies []Entry

// Begin implements Taker.
func (c *Copies) Begin(most int) { *c = make(Copies, 0, min(most, maxPrepared)) }

// Take implements Taker.
func (c *Copies) Take(at Position, stored []byte) error {
	s, err := Split(bytes.Clone(stored))
	*c = append(*c, Entry{at, s})
	return err
}

// Batch is a Taker that uses its memory again: what it has is valid until then.
type Batch struct {
	List  []Entry
	bytes []byte
}

// Begin implements Taker.
func (b *Batch) Begin(int) { b.List, b.bytes = b.List[:0], b.bytes[:0] }

// Take implements Taker.
func (b *Batch) Take(at Position, stored []byte) error {
	from := len(b.bytes)
	b.bytes = append(b.bytes, stored...)
	s, err := Split(b.bytes[from:len(b.bytes):len(b.bytes)])
	b.List = append(b.List, Entry{at, s})
	return err
}

// Headed is what a walk over a whole log sees of an entry.
type Headed struct {
	Position
	Glimpse        // of no kind: there is no header
	Detail  []byte // of a sealed entry
}

// Headers is a Taker of what is seen at a glance, without a hash over who an entry names: for a walk over a
// whole log. What it has is valid until it is used again, in the same memory.
type Headers struct {
	List  []Headed
	bytes []byte
}

// Begin implements Taker.
func (h *Headers) Begin(int) { h.List, h.bytes = h.List[:0], h.bytes[:0] }

// Take implements Taker. It refuses nothing: whoever uses the entry does.
func (h *Headers) Take(at Position, stored []byte) error {
	h.List = append(h.List, Headed{Position: at})
	e := &h.List[len(h.List)-1]
	if len(stored) > 0 && stored[0] >= arrayOf1 && stored[0] <= arrayOf3 {
		e.Glimpse, _ = Glance(stored[1:])
	}
	if e.Kind == wire.KindSealed || e.Kind == wire.KindBoot {
		from := len(h.bytes)
		h.bytes = append(h.bytes, Detail(stored[1:])...)
		e.Detail = h.bytes[from:len(h.bytes):len(h.bytes)]
	}
	return nil
}
