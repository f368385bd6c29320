// Package canonical writes and reads deterministic CBOR (RFC 8949 section 4.2): by the
// library where the shape is whatever a struct says, by hand where it comes by the
// hundred thousand. What does not encode again to the same bytes is refused. All
// functions are safe for concurrent use.
package canonical

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

var modes = newCodec()

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

// Marshal returns the deterministic encoding of v.
func Marshal(v any) ([]byte, error) { return modes.enc.Marshal(v) }

// Decode fills v from b and refuses b unless v encodes to b again.
func Decode(what string, b []byte, v any) error {
	return DecodeBy(what, b, v, func() ([]byte, error) { return modes.enc.Marshal(v) })
}

// DecodeBy is Decode for a v that is encoded by hand.
func DecodeBy(what string, b []byte, v any, encode func() ([]byte, error)) error {
	if err := modes.dec.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w: %w", what, ErrMalformed, err)
	}
	again, err := encode()
	if err != nil {
		return fmt.Errorf("%s: %w: %w", what, ErrMalformed, err)
	}
	if !bytes.Equal(again, b) {
		return fmt.Errorf("%s: %w: not the deterministic encoding", what, ErrMalformed)
	}
	return nil
}

// ValidName reports whether s is [a-z0-9-]{1,32}, or, where that may be, empty.
func ValidName(s string, orEmpty bool) bool {
	if s == "" {
		return orEmpty
	}
	if len(s) > 32 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
