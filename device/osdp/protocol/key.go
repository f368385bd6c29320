package protocol

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
)

// Key is the secret of one reader (SCBK): 16 bytes from crypto/rand. It never
// prints.
type Key [16]byte

// DefaultKey returns SCBK-D, which everybody knows.
func DefaultKey() Key {
	return Key{0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F}
}

// ErrWeakKey means a key that anybody would try.
var ErrWeakKey = errors.New("key that anybody would try")

// NewKey returns a fresh random key.
func NewKey() Key {
	var k Key
	for {
		_, _ = rand.Read(k[:]) // never fails: the runtime ends the program instead
		if k.Weak() == nil {
			return k
		}
	}
}

// Weak returns an error that wraps ErrWeakKey for the key that everybody knows,
// for one that repeats itself each 1, 2, 4 or 8 bytes, and for one that counts up
// or down by any step: the keys of makers' examples, which tools against OSDP try
// first (Bishop Fox, 2023).
func (k Key) Weak() error {
	if k.equal(DefaultKey()) {
		return fmt.Errorf("default key of the standard: %w", ErrWeakKey)
	}
	for _, period := range []int{1, 2, 4, 8} {
		repeats := true
		for i := period; i < len(k); i++ {
			repeats = repeats && k[i] == k[i-period]
		}
		if repeats {
			return fmt.Errorf("key repeats each %d bytes: %w", period, ErrWeakKey)
		}
	}
	counts := true
	for i := 2; i < len(k); i++ {
		counts = counts && k[i]-k[i-1] == k[1]-k[0]
	}
	if counts {
		return fmt.Errorf("key counts: %w", ErrWeakKey)
	}
	return nil
}

func (k Key) equal(other Key) bool { return subtle.ConstantTimeCompare(k[:], other[:]) == 1 }

// String does not tell the key.
func (k Key) String() string { return "key" }

// Format keeps every verb of fmt from printing the key.
func (k Key) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(k.String())) }

// MarshalText keeps encoders from writing the key: a KeyStore writes its bytes.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
