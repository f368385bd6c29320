// Package sealed has the details of sealed entries of a journal: what was asked of the log, and by
// which mandate, and what residents ask the registry to put right, readable by whoever has the records key, or knows the mandate's random reference. Most
// of them are covers, which say nothing: nobody else can tell them apart, since all have one size and are
// made in the same way.
//
// A detail is three parts, one after the other:
//
//	1120  a key that the records key opens: HPKE (RFC 9180, section 5.3) exports the secret from it
//	  48  the secret, under a key that follows from the reference: AES-256-GCM
//	 880  the record and zeros, under a key that follows from the secret: AES-256-GCM
//
// The reference opens the secret too, so that a gateway, which has no private records key, finds out when
// a mandate comes back how often it was used. A key is used for one text alone, so the nonces are zeros.
//
// The functions are safe for concurrent use.
package sealed

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
	"gatehouse/sync/wire/sealing"
)

// What says what a record is about. Numbers are for ever.
type What uint8

const (
	Cover   What = 1 // nothing happened
	Answer  What = 2 // a mandate was used, and may be answered from now on
	Refusal What = 3 // a mandate was not answered, or an order not taken
	Held    What = 4 // an officer's order to preserve was taken
	Correct What = 5 // a resident asks for a correction: see Correction
)

var names = map[What]string{Cover: "cover", Answer: "answer", Refusal: "refusal", Held: "preserved", Correct: "correction"}

// String returns the stable name.
func (w What) String() string {
	if name, ok := names[w]; ok {
		return name
	}
	return fmt.Sprintf("what_%d", uint8(w))
}

// Record is what a sealed entry says. Zero fields are left out.
type Record struct {
	What      What   `cbor:"1,keyasint"`
	Mandate   []byte `cbor:"2,keyasint,omitempty"` // SHA-256 of what was handed in
	Reference []byte `cbor:"3,keyasint,omitempty"` // of the mandate or order, 16 random bytes
	Approver  []byte `cbor:"4,keyasint,omitempty"` // id of the key that signed it, of an order the officer's, 8 bytes
	Use       uint64 `cbor:"5,keyasint,omitempty"` // which use of the mandate at this gateway, from 1
	Refusal   string `cbor:"6,keyasint,omitempty"` // code of the reason; at most 64 bytes
	Fixed     []byte `cbor:"7,keyasint,omitempty"` // the bytes of Fixed.Encode, or of a Correction; at most MaxFixed
	Span      *Span  `cbor:"8,keyasint,omitempty"` // what an order preserves
}

// Span is what one door's log says of some hours, preserved for a case.
type Span struct {
	_           struct{} `cbor:",toarray"`
	Door        string
	From, Until uint32 // unix s; Until exclusive
	Case        string
}

// MaxFixed is the most bytes of Record.Fixed.
const MaxFixed = 640

const (
	maxText    = 64
	keySize    = 8
	secretSize = 32
	tagSize    = 16
	wrapped    = 1120          // where the wrapped secret begins: the size of an encapsulated key
	body       = wrapped + 48  // where the record begins
	room       = 880 - tagSize // for a record
)

func (r Record) check() error {
	switch {
	case r.What == 0, len(r.Mandate) != 0 && len(r.Mandate) != sha256.Size, len(r.Approver) != 0 && len(r.Approver) != keySize,
		len(r.Reference) != 0 && len(r.Reference) != len(wire.ID{}),
		len(r.Refusal) > maxText, len(r.Fixed) > MaxFixed, r.Span != nil && !r.Span.valid():
		return fmt.Errorf("sealed record: %w", wire.ErrMalformed)
	}
	return nil
}

func (s Span) valid() bool {
	return wire.ValidName(s.Door, false) && s.From > 0 && s.From < s.Until && wire.ValidText(s.Case)
}

// Seal makes the detail of an entry of a gateway (its address) that the private records key opens,
// and the reference: 16 bytes or more that nobody can guess.
func Seal(records []byte, address string, reference []byte, r Record) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	text, err := canonical.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("seal entry: %w", err)
	}
	if len(text) > room {
		return nil, fmt.Errorf("seal entry: %w: a record of %d bytes", wire.ErrMalformed, len(text))
	}
	secret, detail, err := sealing.Share(records, sealing.Entry, address)
	if err != nil {
		return nil, fmt.Errorf("seal entry: %w", err)
	}
	defer clear(secret)
	if len(detail) != wrapped {
		return nil, fmt.Errorf("seal entry: %w: an encapsulated key of %d bytes", wire.ErrMalformed, len(detail))
	}
	wrap, err := referenceKey(hmac.New(sha256.New, reference), detail)
	if err != nil {
		return nil, fmt.Errorf("seal entry: %w", err)
	}
	record, err := recordKey(secret)
	if err != nil {
		return nil, fmt.Errorf("seal entry: %w", err)
	}
	detail = wrap.Seal(detail, nonce[:], secret, nil)
	return record.Seal(detail, nonce[:], append(text, make([]byte, room-len(text))...), nil), nil
}

// SealCover makes the detail of a cover.
func SealCover(records []byte, address string) ([]byte, error) {
	var nobodys [32]byte
	rand.Read(nobodys[:]) // never fails: it ends the program instead
	return Seal(records, address, nobodys[:], Record{What: Cover})
}

// Open reads a detail with the private records key. An error means that it is of another gateway or
// key, or was changed.
func Open(private []byte, address string, detail []byte) (Record, error) {
	if len(detail) != wire.SealedSize {
		return Record{}, fmt.Errorf("sealed entry: %w", wire.ErrMalformed)
	}
	secret, err := sealing.Derive(private, sealing.Entry, address, detail[:wrapped])
	if err != nil {
		return Record{}, fmt.Errorf("sealed entry: %w", err)
	}
	return read(secret, detail)
}

// Opener reads the details that were sealed with one reference: for a walk over a log, most of whose
// details are of others. It is for one goroutine at a time.
type Opener struct{ mac hash.Hash }

// NewOpener returns the opener by a reference.
func NewOpener(reference []byte) Opener { return Opener{hmac.New(sha256.New, reference)} }

// Open reads a detail. ok is false for all that were sealed with another reference.
func (o Opener) Open(detail []byte) (r Record, ok bool) {
	if len(detail) != wire.SealedSize {
		return r, false
	}
	wrap, err := referenceKey(o.mac, detail[:wrapped])
	if err != nil {
		return r, false
	}
	secret, err := wrap.Open(nil, nonce[:], detail[wrapped:body], nil)
	if err != nil {
		return r, false
	}
	r, err = read(secret, detail)
	return r, err == nil
}

func read(secret, detail []byte) (r Record, err error) {
	defer clear(secret)
	key, err := recordKey(secret)
	if err != nil {
		return r, err
	}
	text, err := key.Open(nil, nonce[:], detail[body:], nil)
	if err != nil {
		return r, fmt.Errorf("sealed entry: %w", err)
	}
	end := canonical.ItemSize(text, 0)
	if len(bytes.Trim(text[end:], "\x00")) != 0 {
		return r, fmt.Errorf("sealed entry: %w: bytes behind the record", wire.ErrMalformed)
	}
	if err := canonical.Decode("sealed entry", text[:end], &r); err != nil {
		return Record{}, err
	}
	return r, r.check()
}

// nonce is that of every text: no key has a second one.
var nonce [12]byte

// referenceKey is the key that wraps the secret of one entry for whoever knows the reference, which is the
// mac's.
func referenceKey(reference hash.Hash, encapsulated []byte) (cipher.AEAD, error) {
	return keyOf(reference, "gatehouse sealed reference v1\x00", encapsulated)
}

func recordKey(secret []byte) (cipher.AEAD, error) {
	return keyOf(hmac.New(sha256.New, secret), "gatehouse sealed record v1\x00", nil)
}

// keyOf is AES-256-GCM by HMAC-SHA256 of a label, a zero byte and what the key is for.
func keyOf(from hash.Hash, label string, of []byte) (cipher.AEAD, error) {
	from.Reset()
	_, _ = io.WriteString(from, label) // a hash takes everything
	from.Write(of)
	var sum [sha256.Size]byte
	key := from.Sum(sum[:0])
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("key of a sealed entry: %w", err)
	}
	return cipher.NewGCM(block)
}
