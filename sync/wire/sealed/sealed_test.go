package sealed

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
	"gatehouse/sync/wire/sealing"
)

const at = "building-1/gateway-1"

func seq(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func keys(t testing.TB) (private, public []byte) {
	t.Helper()
	private, public, err := sealing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

func sample() Record {
	return Record{What: Answer, Mandate: seq(0xa0, sha256.Size), Reference: seq(0x40, 16), Approver: seq(0x10, 8), Use: 2, Fixed: seq(0, 100)}
}

func same(a, b Record) bool {
	one, _ := canonical.Marshal(a)
	two, _ := canonical.Marshal(b)
	return bytes.Equal(one, two)
}

// TestPreserved: what an order preserves is read as it was sealed, and has the same size; what no order
// says is not sealed.
func TestPreserved(t *testing.T) {
	private, public := keys(t)
	longest := Record{What: Held, Mandate: seq(0xa0, sha256.Size), Reference: seq(0x40, 16), Approver: seq(0x10, 8),
		Span: &Span{Door: strings.Repeat("d", 32), From: 1_790_000_000, Until: 1_790_086_400, Case: strings.Repeat("案", 64)}}
	detail, err := Seal(public, at, longest.Reference, longest)
	if err != nil || len(detail) != wire.SealedSize {
		t.Fatalf("%d bytes, %v", len(detail), err)
	}
	if got, err := Open(private, at, detail); err != nil || !same(got, longest) || got.What.String() != "preserved" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, s := range []Span{{From: 1, Until: 2, Case: "A1"}, {Door: "front", From: 2, Until: 2, Case: "A1"}, {Door: "front", From: 1, Until: 2},
		{Door: "*", From: 1, Until: 2, Case: "A1"}, {Door: "front", From: 1, Until: 2, Case: strings.Repeat("a", 65)}} {
		longest.Span = &s
		if _, err := Seal(public, at, longest.Reference, longest); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// TestSealed: whoever has the records key, or knows the reference, reads a record; nobody else does,
// and no changed byte is read as something else.
func TestSealed(t *testing.T) {
	private, public := keys(t)
	others, _ := keys(t)
	r := sample()
	detail, err := Seal(public, at, r.Reference, r)
	if err != nil {
		t.Fatal(err)
	}
	if len(detail) != wire.SealedSize {
		t.Fatalf("%d bytes", len(detail))
	}
	if got, err := Open(private, at, detail); err != nil || !same(got, r) {
		t.Errorf("with the records key: %+v, %v", got, err)
	}
	if got, ok := NewOpener(r.Reference).Open(detail); !ok || !same(got, r) {
		t.Errorf("with the reference: %+v, %v", got, ok)
	}
	if _, err := Open(others, at, detail); err == nil {
		t.Error("another key opens it")
	}
	if _, err := Open(private, "building-1/gateway-2", detail); err == nil {
		t.Error("it opens as another gateway's")
	}
	if _, ok := NewOpener(seq(0x41, 16)).Open(detail); ok {
		t.Error("another reference opens it")
	}
	for i := range detail {
		changed := bytes.Clone(detail)
		changed[i] ^= 1
		if _, ok := NewOpener(r.Reference).Open(changed); ok {
			t.Errorf("byte %d was changed, and the reference opens it", i)
		}
		if i%97 == 0 || i >= wrapped && i%13 == 0 {
			if got, err := Open(private, at, changed); err == nil && !same(got, r) {
				t.Errorf("byte %d was changed, and it says %+v", i, got)
			}
		}
	}
	for _, n := range []int{0, 1, wrapped, body, wire.SealedSize - 1} {
		if _, err := Open(private, at, detail[:n]); err == nil {
			t.Errorf("%d bytes of it open", n)
		}
		if _, ok := NewOpener(r.Reference).Open(detail[:n]); ok {
			t.Errorf("%d bytes of it open with the reference", n)
		}
	}
}

// TestOneSize: the largest record, a refusal that says little, and a cover have one size, and no part
// of two of them is the same.
func TestOneSize(t *testing.T) {
	private, public := keys(t)
	full := sample()
	full.Refusal, full.Use, full.Fixed = strings.Repeat("x", maxText), 1<<63, seq(1, MaxFixed)
	all := map[string]bool{}
	for _, r := range []Record{full, full, {What: Refusal}, {What: Cover}} {
		detail, err := Seal(public, at, seq(0x40, 16), r)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Open(private, at, detail); err != nil || !same(got, r) {
			t.Errorf("%v: %v", r.What, err)
		}
		for i := 0; i < len(detail); i += 16 {
			if part := string(detail[i : i+16]); all[part] {
				t.Errorf("bytes %d to %d stand in two of them", i, i+16)
			} else {
				all[part] = true
			}
		}
	}
	cover, err := SealCover(public, at)
	if err != nil || len(cover) != wire.SealedSize {
		t.Fatalf("a cover of %d bytes, %v", len(cover), err)
	}
	if got, err := Open(private, at, cover); err != nil || !same(got, Record{What: Cover}) {
		t.Errorf("a cover says %+v, %v", got, err)
	}
}

// TestRefuses: what no record says is not sealed, and not read where somebody else has sealed it.
func TestRefuses(t *testing.T) {
	private, public := keys(t)
	for what, change := range map[string]func(*Record){
		"nothing":            func(r *Record) { r.What = 0 },
		"a short hash":       func(r *Record) { r.Mandate = seq(0, 31) },
		"a short reference":  func(r *Record) { r.Reference = seq(0, 15) },
		"a long key id":      func(r *Record) { r.Approver = seq(0, 9) },
		"a long refusal":     func(r *Record) { r.Refusal = strings.Repeat("x", maxText+1) },
		"more than its room": func(r *Record) { r.Fixed = seq(0, MaxFixed+1) },
	} {
		r := sample()
		change(&r)
		if _, err := Seal(public, at, seq(0x40, 16), r); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := Seal(public[1:], at, seq(0x40, 16), sample()); err == nil {
		t.Error("it was sealed to no key")
	}
	forged := func(text []byte) []byte {
		secret, detail, err := sealing.Share(public, sealing.Entry, at)
		if err != nil {
			t.Fatal(err)
		}
		wrap, _ := referenceKey(hmac.New(sha256.New, seq(0x40, 16)), detail)
		key, _ := recordKey(secret)
		return key.Seal(wrap.Seal(detail, nonce[:], secret, nil), nonce[:], append(text, make([]byte, room-len(text))...), nil)
	}
	for what, text := range map[string][]byte{
		"no record":             {0x01},
		"an unfinished one":     {0xa1, 0x01},
		"one that says nothing": {0xa0},
		"bytes behind it":       {0xa1, 0x01, 0x01, 0x00, 0x07},
		"zeros":                 {},
		"an unknown field":      {0xa2, 0x01, 0x01, 0x18, 0x63, 0x00},
	} {
		if r, err := Open(private, at, forged(text)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s is read as %+v, %v", what, r, err)
		}
	}
}

// TestGolden: the record's bytes are those of gatehouse.cddl's example.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("../testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\nsealed-record:\n")
	if !found {
		t.Fatal("golden.txt has no sealed-record")
	}
	var in strings.Builder
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, " ") {
			break
		}
		in.WriteString(strings.TrimSpace(line))
	}
	want, err := hex.DecodeString(in.String())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := canonical.Marshal(sample()); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, %v; golden.txt has %x", got, err, want)
	}
}

// FuzzOpener: no detail makes a reader fall, or is read without its reference.
func FuzzOpener(f *testing.F) {
	f.Add(seq(0, wire.SealedSize))
	f.Fuzz(func(t *testing.T, detail []byte) {
		if r, ok := NewOpener(seq(0x40, 16)).Open(detail); ok {
			t.Errorf("%x says %+v", detail, r)
		}
	})
}
