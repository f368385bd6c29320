package journaled

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"gatehouse/sync/wire"
)

// goldenParts is one access entry with every common field, by made-up numbers.
func goldenParts(t testing.TB) (header []byte, salt [16]byte, who []byte) {
	t.Helper()
	h := wire.Header{
		Boot: 7, Counter: 300, BootTime: 86_400_000_000_000, Wall: 1_795_392_000_000, Clock: wire.ClockNTP,
		Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted,
		Door: "front", Source: "street", Direction: wire.DirectionIn,
	}
	credential := wire.CredentialID{0x01, 0x9d, 0x23, 0x47}
	grant, tenancy := wire.ID{0xaa}, wire.ID{0xbb}
	header, err := h.Encode()
	if err != nil {
		t.Fatal(err)
	}
	who, err = wire.Who{Credential: &credential, Grant: &grant, Tenancy: &tenancy}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range salt {
		salt[i] = byte(i)
	}
	return header, salt, who
}

const goldenStored = "83ab010702" + "19012c" + "031b00004e94914f0000" + "041b000001a205b3d000" + "0503" + "0604" +
	"0701" + "0801" + "096566726f6e74" + "0a66737472656574" + "0b01" +
	"50000102030405060708090a0b0c0d0e0f" +
	"a30151019d234700000000000000000000000000" + "0250aa000000000000000000000000000000" + "0350bb000000000000000000000000000000"

func TestStoredGolden(t *testing.T) {
	header, salt, who := goldenParts(t)
	s := New(header, salt, who)
	if got := hex.EncodeToString(s.Encode()); got != goldenStored {
		t.Fatalf("stored entry is\n%s, want\n%s", got, goldenStored)
	}
	erased := s.Erase()
	if !bytes.Equal(erased.Leaf(), s.Leaf()) {
		t.Fatal("erasing changed the leaf")
	}
	nobody := New(header, salt, nil)
	for name, want := range map[string]Stored{"with who": s, "erased": erased, "nobody": nobody} {
		got, err := Decode(want.Encode())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(got.Encode(), want.Encode()) || got.Erased != want.Erased || got.WhoHash != want.WhoHash {
			t.Errorf("%s: read back %+v", name, got)
		}
	}
	if bytes.Contains(erased.Encode(), who) || nobody.Erase().Erased || nobody.WhoHash != ([32]byte{}) {
		t.Error("erased or nameless form is wrong")
	}
}

func TestStoredRefuses(t *testing.T) {
	header, salt, who := goldenParts(t)
	whole := New(header, salt, who).Encode()
	bad := map[string][]byte{
		"nil":             nil,
		"empty array":     {0x80},
		"four parts":      append([]byte{0x84}, whole[1:]...),
		"salt as text":    bytes.Replace(whole, append([]byte{bytes16}, salt[:]...), append([]byte{0x70}, salt[:]...), 1),
		"who names none":  append(append(append([]byte{arrayOf3}, header...), append([]byte{bytes16}, salt[:]...)...), 0xa0),
		"long array form": append([]byte{0x98, 0x01}, header...),
		"trailing":        append(bytes.Clone(whole), 0),
	}
	for n := range len(whole) {
		bad["cut to "+string(rune('0'+n%10))+hex.EncodeToString([]byte{byte(n)})] = whole[:n]
	}
	for name, b := range bad {
		if s, err := Decode(b); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %+v, %v; want ErrMalformed", name, s, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	header, salt, who := goldenParts(f)
	s := New(header, salt, who)
	for _, seed := range []Stored{s, s.Erase(), New(header, salt, nil)} {
		f.Add(seed.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(b)
		if err != nil {
			return
		}
		if !bytes.Equal(s.Encode(), b) {
			t.Fatalf("%x read and written again is %x", b, s.Encode())
		}
		for n := range len(b) {
			if _, err := Decode(b[:n]); err == nil {
				t.Fatalf("%x is also accepted when cut to %d bytes", b, n)
			}
		}
	})
}

// TestNext: a sequence of stored entries is read one by one, each as Split reads it, and what is no
// whole entry is an error.
func TestNext(t *testing.T) {
	header, salt, who := goldenParts(t)
	all := []Stored{New(header, salt, who), New(header, salt, nil), New(header, salt, who).Erase()}
	var b []byte
	for _, s := range all {
		b = append(b, s.Encode()...)
	}
	rest := b
	for i, want := range all {
		var s Stored
		var err error
		if s, rest, err = Next(rest); err != nil || !bytes.Equal(s.Encode(), want.Encode()) || s.WhoHash != want.WhoHash {
			t.Errorf("entry %d: %v", i, err)
		}
	}
	if len(rest) != 0 {
		t.Errorf("%d bytes are left", len(rest))
	}
	for n := range len(all[0].Encode()) {
		if _, _, err := Next(b[:n]); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, _, err := Next(append([]byte{0x01}, b...)); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("a number: %v", err)
	}
}
