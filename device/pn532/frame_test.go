package pn532

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/device/fault"
)

// decoded is a frame as a test sees it.
type decoded struct {
	what frame
	data string
}

func decodeAll(in []byte) (out []decoded) {
	var d decoder
	for _, b := range in {
		if f := d.push(b); f != frameNone {
			got := decoded{what: f}
			if f == frameData {
				got.data = string(d.data)
			}
			out = append(out, got)
		}
	}
	return out
}

// Frames from NXP's user manual UM0701-02, section 7.
const (
	versionFrame = "\x00\x00\xFF\x06\xFA\xD5\x03\x32\x01\x06\x07\xE8\x00"
	cardFrame    = "\x00\x00\xFF\x0C\xF4\xD5\x4B\x01\x01\x00\x04\x08\x04\x6B\x3D\x12\xD6\x3E\x00"
)

func TestFrames(t *testing.T) {
	version := decoded{frameData, "\x03\x32\x01\x06\x07"}
	card := decoded{frameData, "\x4B\x01\x01\x00\x04\x08\x04\x6B\x3D\x12\xD6"}
	for _, c := range []struct {
		name, in string
		want     []decoded
	}{
		{"ACK", ack, []decoded{{what: frameAck}}},
		{"NACK", nack, []decoded{{what: frameNack}}},
		{"error", "\x00\x00\xFF\x01\xFF\x7F\x81\x00", []decoded{{what: frameError}}},
		{"version", versionFrame, []decoded{version}},
		{"ACK and answer", ack + cardFrame, []decoded{{what: frameAck}, card}},
		{"extended", "\x00\x00\xFF\xFF\xFF\x00\x06\xFA\xD5\x03\x32\x01\x06\x07\xE8\x00", []decoded{version}},
		{"no zeros around", "\x00\xFF\x06\xFA\xD5\x03\x32\x01\x06\x07\xE8\x00\xFF\x00\xFF", []decoded{version, {what: frameAck}}},
		{"noise before", "\x55\xFF\x00\x00\x00\x00\xFE" + versionFrame, []decoded{version}},
		{"wrong checksum", "\x00\x00\xFF\x06\xFA\xD5\x03\x32\x01\x06\x06\xE8\x00" + ack, []decoded{{what: frameSum}, {what: frameAck}}},
		{"wrong check of the length", "\x00\x00\xFF\x06\xFB\xD5\x03\x32\x01\x06\x07\xE8\x00", nil},
		{"wrong check of the extended length", "\x00\x00\xFF\xFF\xFF\x00\x06\xFB\xD5\x03\x32\x01\x06\x07\xE8\x00", nil},
		{"extended length 0", "\x00\x00\xFF\xFF\xFF\x00\x00\x00\x00\x00", nil},
		{"extended and too long", "\x00\x00\xFF\xFF\xFF\x01\x0A\xF5\xD5\x00" + ack, []decoded{{what: frameAck}}},
		{"from the host", "\x00\x00\xFF\x02\xFE\xD4\x02\x2A\x00", nil},
		{"no code", "\x00\x00\xFF\x01\xFF\xD5\x2B\x00", nil},
	} {
		if got := decodeAll([]byte(c.in)); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAppendFrame(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"ask for firmware": {[]byte{0xD4, 0x02}, "\x00\x00\xFF\x02\xFE\xD4\x02\x2A\x00"},
		"wake":             {[]byte{0xD4, 0x14, 0x01, 0x14, 0x01}, "\x00\x00\xFF\x05\xFB\xD4\x14\x01\x14\x01\x02\x00"},
		"list":             {[]byte{0xD4, 0x4A, 0x01, 0x00}, "\x00\x00\xFF\x04\xFC\xD4\x4A\x01\x00\xE1\x00"},
	} {
		if got := appendFrame(nil, c.data); string(got) != c.want {
			t.Errorf("%s: % X", name, got)
		}
	}
}

// TestFrameLaw: what is written is read, of any length, and no beginning and no
// changed bit of it gives other data.
func TestFrameLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 2, 10, 253, 254, 255, 263, 264}).Draw(t, "size")
		data := append([]byte{fromChip}, rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "data")...)
		out := appendFrame(nil, data)
		got := decodeAll(out)
		if len(got) != 1 || got[0].what != frameData || got[0].data != string(data[1:]) {
			t.Fatalf("wrote % X", out)
		}
		cut := rapid.IntRange(0, len(out)-2).Draw(t, "cut") // the last zero is no part of it
		for _, f := range decodeAll(out[:cut]) {
			t.Fatalf("a beginning gave %d %q", f.what, f.data)
		}
		at, bit := rapid.IntRange(0, len(out)-1).Draw(t, "at"), rapid.IntRange(0, 7).Draw(t, "bit")
		out[at] ^= 1 << bit
		for _, f := range decodeAll(out) {
			if f.what == frameData && f.data != string(data[1:]) {
				t.Fatalf("bit %d of byte %d turned: %q", bit, at, f.data)
			}
		}
	})
}

func TestDecode(t *testing.T) {
	for in, want := range map[string]struct {
		bits  int
		fault fault.Code
	}{
		cardFrame:       {bits: 32},
		ack + cardFrame: {bits: 32},
		"\x00\x00\xFF\x03\xFD\xD5\x4B\x00\xE0\x00":                                     {},
		"\x00\x00\xFF\x0C\xF4\xD5\x4B\x01\x01\x00\x04\x08\x04\x08\x01\x02\x03\xC0\x00": {fault: fault.RandomUID},
		strings.Replace(cardFrame, "\x3E", "\x3F", 1):                                  {fault: fault.Checksum},
		"\x00\x00\xFF\x01\xFF\x7F\x81\x00":                                             {fault: fault.Refused},
		versionFrame:                                                                   {fault: fault.Noise},
		cardFrame[:9]:                                                                  {fault: fault.Noise},
		"":                                                                             {fault: fault.Noise},
	} {
		if card, found := Decode([]byte(in)); card.Len() != want.bits || found != want.fault {
			t.Errorf("% X: %v, %v; want %d bits, %v", in, card, found, want.bits, want.fault)
		}
	}
}

// FuzzDecoder: no panic, no more bytes kept than a frame has, and data only at
// the end of a frame that has them.
func FuzzDecoder(f *testing.F) {
	for _, s := range []string{ack, nack, versionFrame, cardFrame, ack + cardFrame[:9] + cardFrame} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var d decoder
		for i, b := range in {
			got := d.push(b)
			if len(d.buf) > maxData+8 {
				t.Fatalf("%d bytes kept", len(d.buf))
			}
			if got != frameData {
				continue
			}
			short := appendFrame(nil, append([]byte{fromChip}, d.data...))
			short = short[1 : len(short)-1]
			long := append([]byte{0x00, 0xFF, 0xFF, 0xFF}, extended(d.data)...)
			if !bytes.HasSuffix(in[:i+1], short) && !bytes.HasSuffix(in[:i+1], long) {
				t.Fatalf("% X gave data % X", in[:i+1], d.data)
			}
			if card, found := parse(d.data[min(1, len(d.data)):]); card.Len() != 0 && found != 0 {
				t.Fatal("a card and a fault")
			}
		}
	})
}

// extended is an extended frame from its length on, without the last zero.
func extended(data []byte) []byte {
	n := len(data) + 1
	body := append([]byte{fromChip}, data...)
	out := append([]byte{byte(n >> 8), byte(n), -(byte(n>>8) + byte(n))}, body...)
	return append(out, -sum(body))
}

func BenchmarkDecoder(b *testing.B) {
	in := []byte(ack + cardFrame)
	var d decoder
	b.ReportAllocs()
	for b.Loop() {
		got := frameNone
		for _, x := range in {
			if f := d.push(x); f != frameNone {
				got = f
			}
		}
		if got != frameData {
			b.Fatal("no frame")
		}
	}
	each := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(each*1e9/float64(len(in)), "ns/byte")
	b.ReportMetric(each/(float64(len(in))*10/115200), "of-wire-time") // 10 bits a byte
}
