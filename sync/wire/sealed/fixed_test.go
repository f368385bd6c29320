package sealed

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"gatehouse/sync/wire"
)

// TestFixed: the most that an answer may be made from fits into an entry, comes back as it was, and one
// more does not fit.
func TestFixed(t *testing.T) {
	_, public := keys(t)
	f := Fixed{Epoch: math.MaxUint64, Size: math.MaxUint64, Root: wire.Hash{1}, Cosigned: &Cosigned{Size: math.MaxUint64, Root: wire.Hash{2}, Witness: wire.Hash{3}, Time: math.MaxUint64, Signature: wire.Signature{4}},
		Wall: math.MaxInt64, Boot: math.MaxUint64, BootTime: math.MaxUint64, Clock: wire.ClockRegistry, Earliest: math.MaxInt64, Latest: math.MaxInt64}
	for range MaxSubjects {
		f.Cards = append(f.Cards, wire.CredentialID{5})
	}
	text, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	r := sample()
	r.Use, r.Fixed = math.MaxUint64, text
	detail, err := Seal(public, at, r.Reference, r)
	if err != nil {
		t.Fatal(err)
	}
	read, ok := NewOpener(r.Reference).Open(detail)
	again, err := DecodeFixed(read.Fixed)
	if err != nil || !ok {
		t.Fatal(err, ok)
	}
	if b, err := again.Encode(); err != nil || !bytes.Equal(b, text) {
		t.Errorf("%+v comes back as %+v, %v", f, again, err)
	}
	for range 10 {
		f.Cards = append(f.Cards, wire.CredentialID{6})
	}
	if _, err := f.Encode(); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("%d subjects: %v", len(f.Cards), err)
	}
	if _, err := DecodeFixed(append(bytes.Clone(text), 0)); err == nil {
		t.Error("bytes behind it are read")
	}
}
