package protocol

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "-", "").Replace(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// published are frames that others wrote: the examples of SIA OSDP annex E, and
// the test data of OSDP.Net 5.1.
var published = []struct {
	hex, name string
	address   byte
	reply     bool
	sequence  byte
	crc       bool
	block     string
	data      string
}{
	{"53 7F 0D 00 04 6E 00 80 25 00 00 6E 38", "COMSET", 0x7F, false, 0, true, "", "0080250000"},
	{"53 7F 0C 00 00 6E 00 80 25 00 00 0F", "COMSET", 0x7F, false, 0, false, "", "0080250000"},
	{"53 00 09 00 04 61 00 C0 66", "ID", 0, false, 0, true, "", "00"},
	{"53 00 08 00 00 61 00 44", "ID", 0, false, 0, false, "", "00"},
	{"53 00 09 00 06 62 00 F3 5D", "CAP", 0, false, 2, true, "", "00"},
	{"53 00 08 00 02 62 00 41", "CAP", 0, false, 2, false, "", "00"},
	{"53 00 10 00 06 68 00 03 64 00 01 06 78 00 0B 5B", "OUT", 0, false, 2, true, "", "0003640001067800"},
	{"53 80 14 00 06 45 00 0E E3 10 10 00 00 74 97 23 06 06 1B 88", "PDID", 0, true, 2, true, "", "000EE3101000007497230606"},
	{"53 00 0E 00 0E 02 15 60 4B 32 76 77 73 B6", "POLL", 0, false, 2, true, "SCS_15", ""},
}

func TestPublishedFrames(t *testing.T) {
	for _, c := range published {
		f, err := Parse(unhex(t, c.hex))
		if err != nil {
			t.Errorf("%s: %v", c.hex, err)
			continue
		}
		if f.Name() != c.name || f.Address != c.address || f.Reply != c.reply || f.Sequence != c.sequence || f.CRC != c.crc ||
			f.Block.String() != c.block || hex.EncodeToString(f.Data) != strings.ToLower(c.data) {
			t.Errorf("%s: got %s %+v", c.hex, f.Name(), f)
		}
		again, err := f.Append(nil)
		if err != nil || !bytes.Equal(again, unhex(t, c.hex)) {
			t.Errorf("%s: written as %X, %v", c.hex, again, err)
		}
	}
}

// TestDamagedFrames: no truncation and no flipped bit of a frame is a frame, but
// for flips that turn a CRC frame's kind of check, which one byte can't catch.
func TestDamagedFrames(t *testing.T) {
	for _, c := range published {
		whole := unhex(t, c.hex)
		for n := range whole {
			if _, err := Parse(whole[:n]); err == nil {
				t.Errorf("%X: the first %d bytes are taken", whole, n)
			}
		}
		if _, err := Parse(append(whole[:len(whole):len(whole)], 0)); err == nil {
			t.Errorf("%X: one byte more is taken", whole)
		}
		for bit := range 8 * len(whole) {
			bad := bytes.Clone(whole)
			bad[bit/8] ^= 0x80 >> (bit % 8)
			if f, err := Parse(bad); err == nil {
				t.Errorf("%X: bit %d flipped is taken as %+v", whole, bit, f)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	seal := func(s string) []byte { // with the right CRC
		f := Frame{CRC: true}
		return f.appendCheck(unhex(t, s), 0)
	}
	for _, c := range []struct {
		name  string
		frame []byte
		want  error
	}{
		{"nothing", nil, ErrLength},
		{"another start", unhex(t, "54 00 08 00 00 61 00 44"), nil},
		{"reserved bits", seal("53 00 09 00 14 61 00"), nil},
		{"length 0", unhex(t, "53 00 00 00 00 61 00 44"), ErrLength},
		{"length 1441", seal("53 00 A1 05 04 61 00"), ErrLength},
		{"only a CRC after the head", seal("53 00 07 00 04"), ErrLength},
		{"block of 0 bytes", seal("53 00 0A 00 0C 00 15 60"), ErrLength},
		{"block of 1 byte", seal("53 00 0A 00 0C 01 15 60"), ErrLength},
		{"block without end", seal("53 00 0A 00 0C 03 11 60"), ErrLength},
		{"block of type 0", seal("53 00 0A 00 0C 02 00 60"), nil},
		{"block without MAC", seal("53 00 0D 00 0C 02 15 60 01 02 03"), ErrLength},
		{"wrong CRC", unhex(t, "53 00 09 00 04 61 00 C0 67"), ErrCheck},
		{"wrong sum", unhex(t, "53 00 08 00 00 61 00 45"), ErrCheck},
	} {
		if _, err := Parse(c.frame); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	for _, f := range []Frame{
		{Address: 0x80}, {Sequence: 4}, {Data: make([]byte, maxFrame-6)}, {CRC: true, Data: make([]byte, maxFrame-7)},
		{Block: Block{Type: 0x11, Data: make([]byte, 254)}},
	} {
		if b, err := f.Append(nil); err == nil {
			t.Errorf("%d bytes written", len(b))
		}
	}
	if _, err := (Frame{CRC: true, Data: make([]byte, maxFrame-8)}).Append(nil); err != nil {
		t.Errorf("the longest frame: %v", err)
	}
}

// drawFrame draws any frame that can be written.
func drawFrame(t *rapid.T) Frame {
	f := Frame{
		Address:  byte(rapid.IntRange(0, ConfigAddress).Draw(t, "address")),
		Reply:    rapid.Bool().Draw(t, "reply"),
		Sequence: byte(rapid.IntRange(0, 3).Draw(t, "sequence")),
		CRC:      rapid.Bool().Draw(t, "crc"),
		Code:     rapid.Byte().Draw(t, "code"),
		Data:     rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "data"),
	}
	if rapid.Bool().Draw(t, "block") {
		f.Block = Block{byte(rapid.IntRange(1, 255).Draw(t, "type")), rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, "block data")}
		if f.Block.HasMAC() {
			f.MAC = [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "mac"))
		}
	}
	return f
}

func TestFrameRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want, err := drawFrame(t).Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Parse(want)
		if err != nil {
			t.Fatalf("%X: %v", want, err)
		}
		if got, err := f.Append(nil); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%X written as %X, %v", want, got, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, c := range published {
		f.Add(unhex(f, c.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := Parse(b)
		if err != nil {
			return
		}
		_, _ = frame.Name(), frame.Explain()
		if again, err := frame.Append(nil); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%X written as %X, %v", b, again, err)
		}
		for n := range b {
			if _, err := Parse(b[:n]); err == nil {
				t.Fatalf("%X: the first %d bytes are a frame too", b, n)
			}
		}
	})
}
