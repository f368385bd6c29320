// Package journaled has an entry as it stands in the journal's file: header and who
// part side by side, so that the who part can be erased while the tree stays provable;
// with its place and its time. Its functions are safe for concurrent use.
package journaled

import (
	"errors"
	"fmt"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
)

// Position is the place of an entry: the sequence numbers of each epoch start at 0. The
// zero Position stands before the oldest entry; no epoch is 0.
type Position struct {
	Epoch    uint64
	Sequence uint64
}

// Head is where a journal stands; zero: its files are not open yet.
type Head struct {
	Position           // of the next entry; its sequence is the size of the tree
	Root     wire.Hash // of the tree at that size
	Oldest   Position  // of the oldest entry that is still there
	Boot     uint64    // number of this run
}

// Entry is one durable entry as a reader gets it. Its bytes are a copy.
type Entry struct {
	Position
	Stored
}

// Stamp is the time of an entry as the gateway knows it.
type Stamp struct {
	BootTime uint64            // CLOCK_BOOTTIME, ns
	Wall     int64             // ms since 1970-01-01T00:00:00Z
	Quality  wire.ClockQuality // where Wall came from
	Trusted  bool              // whether anything may be closed or deleted by it
}

// Made returns Wall where it is trusted, else 0.
func (s Stamp) Made() int64 {
	if s.Trusted {
		return s.Wall
	}
	return 0
}

// Written is what became of an entry that somebody waits for.
type Written struct {
	Ref wire.Ref
	Err error // nil: it is durable
}

// What a journal says of a position at which it has nothing.
var (
	ErrGone  = errors.New("no such epoch in the journal")
	ErrAhead = errors.New("behind the end of the epoch")
)

// Stored is an entry as it stands in the journal's file, split into its parts.
// It is a CBOR array in one of three forms:
//
//	[header]             an entry that names nobody
//	[header, salt, who]  one that does
//	[header, hash]       the same after erasing
//
// Header and who stand there as CBOR items, not as byte strings; the salt is
// 16 bytes, the hash 32.
type Stored struct {
	Header  []byte   // the bytes of Header.Encode
	Salt    [16]byte // random; zeros without Who
	Who     []byte   // the bytes of Who.Encode; nil where it names nobody or is erased
	Erased  bool     // who is gone and only WhoHash is left
	WhoHash [32]byte // SHA-256 of salt and who, also after erasing; zeros where it names nobody
}

const (
	arrayOf1 = 0x81
	arrayOf2 = 0x82
	arrayOf3 = 0x83
	bytes16  = 0x50
	bytes32  = 0x58
)

// maxStored bounds a stored entry: header, salt and who with every field full.
const maxStored = 512 + wire.SealedSize

// New joins the encoded parts of an entry; who is nil where it names
// nobody, and the salt is left out then.
func New(header []byte, salt [16]byte, who []byte) Stored {
	if len(who) == 0 {
		return Stored{Header: header}
	}
	return Stored{Header: header, Salt: salt, Who: who, WhoHash: wire.WhoHash(salt, who)}
}

// Encode returns the one encoding of s.
func (s Stored) Encode() []byte {
	return s.Append(make([]byte, 0, 3+len(s.Header)+len(s.WhoHash)+len(s.Who)))
}

// Append appends Encode to b.
func (s Stored) Append(b []byte) []byte {
	switch {
	case s.Erased:
		b = append(append(b, arrayOf2), s.Header...)
		return append(append(b, bytes32, 32), s.WhoHash[:]...)
	case len(s.Who) == 0:
		return append(append(b, arrayOf1), s.Header...)
	}
	b = append(append(b, arrayOf3), s.Header...)
	b = append(append(b, bytes16), s.Salt[:]...)
	return append(b, s.Who...)
}

// Erase returns the entry without its who part. What names nobody stays as it
// is, and so does the leaf.
func (s Stored) Erase() Stored {
	if len(s.Who) == 0 {
		return s
	}
	return Stored{Header: s.Header, Erased: true, WhoHash: s.WhoHash}
}

// Leaf returns the leaf record: what the tree hashes for this entry.
func (s Stored) Leaf() []byte { return wire.LeafRecord(s.Header, s.WhoHash) }

// Decode reads a stored entry, and its header and who part, and refuses
// all but the bytes that Encode makes. The parts of the result share b.
func Decode(b []byte) (Stored, error) {
	s, err := Split(b)
	if err != nil {
		return Stored{}, err
	}
	if _, err := wire.DecodeHeader(s.Header); err != nil {
		return Stored{}, err
	}
	if s.Who != nil {
		if _, err := wire.DecodeWho(s.Who); err != nil {
			return Stored{}, err
		}
	}
	return s, nil
}

// Next splits the stored entry at the front of a CBOR sequence (RFC 8742) of them, as Split does, and
// returns what stands behind it.
func Next(b []byte) (s Stored, rest []byte, err error) {
	size := canonical.ItemSize(b, 0)
	if size == 0 {
		return Stored{}, b, fmt.Errorf("stored entry: %w: no whole item", wire.ErrMalformed)
	}
	s, err = Split(b[:size:size])
	return s, b[size:], err
}

// Split finds the parts of a stored entry without judging what they say:
// for bytes that a hash is about to prove. Every byte of b is in a part, and b
// is Encode of the result. The parts share b.
func Split(b []byte) (Stored, error) {
	fail := func(what string, err error) (Stored, error) {
		return Stored{}, fmt.Errorf("stored entry: %s: %w", what, err)
	}
	if len(b) == 0 || len(b) > maxStored || b[0] < arrayOf1 || b[0] > arrayOf3 {
		return fail("array", wire.ErrMalformed)
	}
	end := 1 + canonical.ItemSize(b[1:], 0)
	if end == 1 {
		return fail("header", wire.ErrMalformed)
	}
	s, rest := Stored{Header: b[1:end:end]}, b[end:]
	switch b[0] {
	case arrayOf2:
		if len(rest) != 34 || rest[0] != bytes32 || rest[1] != 32 {
			return fail("hash", wire.ErrMalformed)
		}
		s.Erased, s.WhoHash, rest = true, [32]byte(rest[2:]), nil
	case arrayOf3:
		if len(rest) < 18 || rest[0] != bytes16 {
			return fail("salt", wire.ErrMalformed)
		}
		s.Salt, s.Who, rest = [16]byte(rest[1:]), rest[17:], nil
		s.WhoHash = wire.WhoHash(s.Salt, s.Who)
	}
	if len(rest) != 0 {
		return fail("array", wire.ErrMalformed)
	}
	return s, nil
}
