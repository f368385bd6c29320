// Package wire has the bytes that outlive the program: entries of the journal,
// grant lists, the messages between gateway and registry, the envelope they are
// signed in and the seals within them. gatehouse.cddl describes them all; the
// same bytes are journaled, hashed, published and exported.
//
// Everything is deterministic CBOR (RFC 8949 section 4.2) with integer keys.
// Decoding is strict: what does not encode again to the same bytes is refused,
// because a second spelling of one statement is a second hash, and a place to
// hide. What an envelope is for is judged before what it says. The package
// refuses to read clocks, files and networks, and imports nothing of ours but the
// names of faults. All functions are safe for concurrent use.
package wire

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// ErrMalformed means bytes that are not the one encoding of a valid message.
var ErrMalformed = errors.New("malformed")

type codec struct {
	enc cbor.EncMode
	dec cbor.DecMode
}

var canonical = newCodec()

func newCodec() codec {
	enc, err := cbor.EncOptions{
		Sort:        cbor.SortCoreDeterministic,
		IndefLength: cbor.IndefLengthForbidden,
		TagsMd:      cbor.TagsForbidden,
		// An empty list has one encoding, whatever a program held it in.
		NilContainers: cbor.NilContainerAsEmpty,
	}.EncMode()
	if err != nil {
		panic(err) // the options are constants
	}
	dec, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		UTF8:              cbor.UTF8RejectInvalid,
		MaxNestedLevels:   8,
		MaxArrayElements:  65536,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return codec{enc, dec}
}

// decode fills v from b and refuses b unless v encodes to b again.
func (c codec) decode(what string, b []byte, v any) error {
	if err := c.dec.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w: %w", what, ErrMalformed, err)
	}
	again, err := c.enc.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", what, ErrMalformed, err)
	}
	if !bytes.Equal(again, b) {
		return fmt.Errorf("%s: %w: not the deterministic encoding", what, ErrMalformed)
	}
	return nil
}
