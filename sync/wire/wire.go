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
	"fmt"

	"gatehouse/sync/wire/internal/canonical"
)

// ErrMalformed means bytes that are not the one encoding of a valid message.
var ErrMalformed = canonical.ErrMalformed

// malformedIf returns ErrMalformed with what is wrong where something is.
func malformedIf(wrong bool, format string, args ...any) error {
	if !wrong {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}
