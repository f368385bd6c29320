package serialcard_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/device"
	"gatehouse/device/serialcard"
)

// frame is a made-up card; its check digits were worked out by hand:
// 01^23 = 22, ^45 = 67, ^67 = 00, ^89 = 89.
const (
	number = 0x0123456789
	frame  = "\x02012345678989\x03"
)

func layout(t testing.TB, name string) serialcard.Layout {
	t.Helper()
	l, ok := serialcard.Lookup(name)
	if !ok {
		t.Fatalf("no layout %s", name)
	}
	return l
}

// decode feeds all bytes and returns the cards and faults in order.
func decode(t testing.TB, l serialcard.Layout, in string) (cards []device.Card, faults []device.Fault) {
	t.Helper()
	d, err := serialcard.NewDecoder(l)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(in) {
		card, fault := d.Push(in[i])
		if card.Len() != 0 {
			cards = append(cards, card)
		}
		if fault != device.FaultNone {
			faults = append(faults, fault)
		}
	}
	return cards, faults
}

func TestDecoder(t *testing.T) {
	card := device.CardOf(number, 40)
	bad := strings.Replace(frame, "89\x03", "88\x03", 1)
	tests := []struct {
		name, layout, in string
		cards            []device.Card
		faults           []device.Fault
	}{
		{name: "one frame", layout: "rdm6300", in: frame, cards: []device.Card{card}},
		{name: "with CR LF", layout: "id12", in: "\x02012345678989\r\n\x03", cards: []device.Card{card}},
		{name: "held", layout: "rdm6300", in: frame + frame, cards: []device.Card{card, card}},
		{name: "last card of all", layout: "rdm6300", in: "\x02FFFFFFFFFFFF\x03", cards: []device.Card{device.CardOf(1<<40-1, 40)}},
		{
			name: "restart in a frame", layout: "rdm6300", in: frame[:9] + frame,
			cards: []device.Card{card}, faults: []device.Fault{device.FaultUnterminated},
		},
		{
			name: "start marks only", layout: "rdm6300", in: "\x02\x02\x02" + frame[1:],
			cards: []device.Card{card}, faults: []device.Fault{device.FaultUnterminated, device.FaultUnterminated},
		},
		{
			name: "noise around", layout: "rdm6300", in: "\x00\xff7" + frame + "89\x03" + frame,
			cards: []device.Card{card, card}, faults: []device.Fault{device.FaultNoise, device.FaultNoise},
		},
		{name: "wrong checksum", layout: "rdm6300", in: bad, faults: []device.Fault{device.FaultChecksum}},
		{name: "lower case", layout: "rdm6300", in: "\x02abcdef0123ab\x03", faults: []device.Fault{device.FaultNoise}},
		{name: "no CR LF", layout: "id12", in: frame, faults: []device.Fault{device.FaultNoise}},
		{name: "CR LF not asked for", layout: "rdm6300", in: "\x02012345678989\r\n\x03", faults: []device.Fault{device.FaultNoise}},
		{name: "a digit too many", layout: "rdm6300", in: "\x020123456789089\x03", faults: []device.Fault{device.FaultNoise}},
		{name: "all zero", layout: "rdm6300", in: "\x02000000000000\x03", faults: []device.Fault{device.FaultGhost}},
		{name: "all zero, ID-12", layout: "id12", in: "\x02000000000000\r\n\x03", faults: []device.Fault{device.FaultGhost}},
		{name: "reported ghost", layout: "rdm6300", in: "\x02F000060007F1\x03", faults: []device.Fault{device.FaultGhost}},
		{name: "reported low half", layout: "rdm6300", in: "\x02017DDFFDDF81\x03", faults: []device.Fault{device.FaultGhost}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cards, faults := decode(t, layout(t, tt.layout), tt.in)
			if !slices.Equal(cards, tt.cards) || !slices.Equal(faults, tt.faults) {
				t.Errorf("got %v and %v, want %v and %v", cards, faults, tt.cards, tt.faults)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	d, err := serialcard.NewDecoder(layout(t, "rdm6300"))
	if err != nil {
		t.Fatal(err)
	}
	if f := d.Timeout(); d.Pending() || f != device.FaultNone {
		t.Fatalf("silence before anything: %v", f)
	}
	for _, b := range []byte(frame[:7]) {
		d.Push(b)
	}
	if !d.Pending() {
		t.Fatal("nothing pending inside a frame")
	}
	if f := d.Timeout(); f != device.FaultUnterminated {
		t.Fatalf("silence inside a frame: %v", f)
	}
	for i, b := range []byte(frame[7:]) {
		card, f := d.Push(b)
		if card.Len() != 0 {
			t.Fatal("the rest of a dropped frame became a card")
		}
		if want := i == 0; (f == device.FaultNoise) != want {
			t.Fatalf("byte %d of the rest: %v", i, f)
		}
	}
	if f := d.Timeout(); f != device.FaultNone || d.Pending() {
		t.Fatalf("silence after noise: %v", f)
	}
	if _, f := d.Push('9'); f != device.FaultNoise {
		t.Fatalf("noise after silence is another run of it: %v", f)
	}
}

func TestNoDamagedFrameIsACard(t *testing.T) {
	for _, name := range serialcard.Names() {
		l := layout(t, name)
		whole, err := l.Encode(device.CardOf(0x9AF0C3715E, 40))
		if err != nil {
			t.Fatal(err)
		}
		damaged := func(what string, in []byte) {
			t.Helper()
			if cards, _ := decode(t, l, string(in)); len(cards) != 0 {
				t.Errorf("%s: %s became a card", name, what)
			}
		}
		for i := range whole {
			damaged("a beginning", whole[:i])
			damaged("an end", whole[i+1:])
			damaged("a frame without one byte", slices.Delete(slices.Clone(whole), i, i+1))
			if i > 0 {
				damaged("a frame with a digit more", slices.Insert(slices.Clone(whole), i, '0'))
			}
			for bit := range 8 {
				flipped := slices.Clone(whole)
				flipped[i] ^= 1 << bit
				damaged("a frame with a flipped bit", flipped)
			}
		}
	}
}

func TestEncodeDecode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(serialcard.Names()).Draw(t, "layout")
		l, _ := serialcard.Lookup(name)
		card := device.CardOf(rapid.Uint64Range(1<<33, 1<<40-1).Draw(t, "number"), 40)
		before := rapid.SliceOfN(rapid.ByteRange(3, 255), 0, 20).Draw(t, "noise")
		out, err := l.Encode(card)
		if err != nil {
			t.Fatal(err)
		}
		d, err := serialcard.NewDecoder(l)
		if err != nil {
			t.Fatal(err)
		}
		var got device.Card
		for _, b := range append(before, out...) {
			got, _ = d.Push(b)
		}
		if fault := faultOf(l, out); got != card && fault != device.FaultGhost {
			t.Fatalf("the frame's last byte gave %v (%v)", got, fault)
		}
	})
}

// faultOf returns what a clean decoder says at the end of a frame.
func faultOf(l serialcard.Layout, frame []byte) (fault device.Fault) {
	d, err := serialcard.NewDecoder(l)
	if err != nil {
		return device.FaultNone
	}
	for _, b := range frame {
		_, fault = d.Push(b)
	}
	return fault
}

// FuzzDecoder: no panic, and a card comes only at the end of exactly the bytes
// that a module sends for it.
func FuzzDecoder(f *testing.F) {
	f.Add(uint8(0), []byte(frame))
	f.Add(uint8(1), []byte("\x02012345678989\r\n\x03"))
	f.Add(uint8(0), []byte(frame[:6]+frame+"\x02000000000000\x03"))
	f.Add(uint8(2), []byte("\x02R1234ABCD\x04"))
	f.Fuzz(func(t *testing.T, which uint8, in []byte) {
		layouts := []serialcard.Layout{layout(t, "rdm6300"), layout(t, "id12"), codatex}
		l := layouts[int(which)%len(layouts)]
		d, err := serialcard.NewDecoder(l)
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range in {
			if b == 0xFF { // stands for 50 ms of silence
				d.Timeout()
				continue
			}
			card, fault := d.Push(b)
			if card.Len() == 0 {
				continue
			}
			want, err := l.Encode(card)
			if err != nil || fault != device.FaultNone || !bytes.HasSuffix(in[:i+1], want) {
				t.Fatalf("byte %d of %q gave a card that encodes to %q (fault %v, error %v)", i, in, want, fault, err)
			}
		}
	})
}

func BenchmarkDecoder(b *testing.B) {
	d, err := serialcard.NewDecoder(layout(b, "rdm6300"))
	if err != nil {
		b.Fatal(err)
	}
	in := []byte(frame)
	b.ReportAllocs()
	for b.Loop() {
		var card device.Card
		for _, c := range in {
			card, _ = d.Push(c)
		}
		if card.Len() != 40 {
			b.Fatal("no card")
		}
	}
	// The limit is the wire: 14 bytes of 10 bits at 9600 baud take 14.6 ms.
	wire := 14 * 10 / 9600.0
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/wire, "of-wire-time")
}
