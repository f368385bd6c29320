package serialcard_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/device"
	"gatehouse/device/fault"
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

// decode feeds all bytes, then silence, and returns the cards and faults in
// order.
func decode(t testing.TB, l serialcard.Layout, in string) (cards []device.Card, faults []fault.Code) {
	t.Helper()
	d, err := serialcard.NewDecoder(l)
	if err != nil {
		t.Fatal(err)
	}
	take := func(e device.Event, ok bool) {
		if ok && e.Kind == device.CardRead {
			cards = append(cards, e.Card)
		}
		if ok && e.Kind == device.FaultSeen {
			faults = append(faults, e.Fault)
		}
	}
	for i := range len(in) {
		take(d.Push(in[i]))
	}
	take(d.Timeout())
	return cards, faults
}

func TestDecoder(t *testing.T) {
	card := device.CardOf(number, 40)
	bad := strings.Replace(frame, "89\x03", "88\x03", 1)
	tests := []struct {
		name, layout, in string
		cards            []device.Card
		faults           []fault.Code
	}{
		{name: "one frame", layout: "rdm6300", in: frame, cards: []device.Card{card}},
		{name: "with CR LF", layout: "id12", in: "\x02012345678989\r\n\x03", cards: []device.Card{card}},
		{name: "held", layout: "rdm6300", in: frame + frame, cards: []device.Card{card, card}},
		{name: "last card of all", layout: "rdm6300", in: "\x02FFFFFFFFFFFF\x03", cards: []device.Card{device.CardOf(1<<40-1, 40)}},
		{
			name: "restart in a frame", layout: "rdm6300", in: frame[:9] + frame,
			cards: []device.Card{card}, faults: []fault.Code{fault.Unterminated},
		},
		{
			name: "start marks only", layout: "rdm6300", in: "\x02\x02\x02" + frame[1:],
			cards: []device.Card{card}, faults: []fault.Code{fault.Unterminated, fault.Unterminated},
		},
		{
			name: "noise around", layout: "rdm6300", in: "\x00\xff7" + frame + "89\x03" + frame,
			cards: []device.Card{card, card}, faults: []fault.Code{fault.Noise, fault.Noise},
		},
		{name: "wrong checksum", layout: "rdm6300", in: bad, faults: []fault.Code{fault.Checksum}},
		{name: "lower case", layout: "rdm6300", in: "\x02abcdef0123ab\x03", faults: []fault.Code{fault.Noise}},
		{name: "no CR LF", layout: "id12", in: frame, faults: []fault.Code{fault.Noise}},
		{name: "CR LF not asked for", layout: "rdm6300", in: "\x02012345678989\r\n\x03", faults: []fault.Code{fault.Noise}},
		{name: "a digit too many", layout: "rdm6300", in: "\x020123456789089\x03", faults: []fault.Code{fault.Length}},
		{name: "a digit too few", layout: "rdm6300", in: "\x0201234567898\x03", faults: []fault.Code{fault.Length}},
		{name: "all zero", layout: "rdm6300", in: "\x02000000000000\x03", faults: []fault.Code{fault.Ghost}},
		{name: "all zero, ID-12", layout: "id12", in: "\x02000000000000\r\n\x03", faults: []fault.Code{fault.Ghost}},
		{name: "reported ghost", layout: "rdm6300", in: "\x02F000060007F1\x03", faults: []fault.Code{fault.Ghost}},
		{name: "all zero, line", layout: "line", in: "0000000000\n", faults: []fault.Code{fault.Ghost}},
		{name: "all zero, binary", layout: "7941d", in: "\x02\x09\x01\x00\x00\x00\x00\x08\x03", faults: []fault.Code{fault.Ghost}},
		{name: "ten digits of more than 32 bits", layout: "line", in: "4294967296\n", faults: []fault.Code{fault.Length}},
		{
			name: "lines", layout: "line", in: "0006171021\r\n\r\n0006171021\n0006171021\r",
			cards: []device.Card{device.CardOf(6171021, 32), device.CardOf(6171021, 32), device.CardOf(6171021, 32)},
		},
		{
			name: "spoiled line", layout: "line", in: "00061#0006171021\r\n0006171021\n",
			cards: []device.Card{device.CardOf(6171021, 32)}, faults: []fault.Code{fault.Noise},
		},
		{
			name: "lines of other lengths", layout: "line", in: "06171021\n00006171021\n0006171021\n",
			cards: []device.Card{device.CardOf(6171021, 32)}, faults: []fault.Code{fault.Length, fault.Length},
		},
		{
			name: "lost check byte", layout: "idteck", in: "\x020006171021\x03\x020006171021\x03\x03",
			cards: []device.Card{device.CardOf(6171021, 32)}, faults: []fault.Code{fault.Checksum},
		},
		{name: "no end and no silence", layout: "em18", in: "307E4DE5C224307E4DE5C224", faults: []fault.Code{fault.Length}},
		{
			name: "false start", layout: "7941d", in: "\x02\x0A\x02\x09\x01\x6B\x3D\x12\xD6\x9A\x03",
			cards: []device.Card{device.CardOf(0x6B3D12D6, 32)}, faults: []fault.Code{fault.Noise},
		},
		{name: "binary, wrong checksum", layout: "7941d", in: "\x02\x09\x01\x6B\x3D\x12\xD6\x9B\x03", faults: []fault.Code{fault.Checksum}},
		{name: "half a binary frame", layout: "7941d", in: "\x02\x09\x01\x6B", faults: []fault.Code{fault.Unterminated}},
		{name: "a length that lies", layout: "7941d", in: "\x02\xFF\x01\x6B\x3D\x12\xD6\x9A\x03", faults: []fault.Code{fault.Noise}},
		{
			name: "behind a longer false start", layout: "7941w", in: "\xCD\xDC\x00\x81\x07\xCD\xDC\x00\x80\x00\x80",
			faults: nil,
		},
		{name: "no card there", layout: "7941w", in: "\xCD\xDC\x00\x80\x00\x80\xCD\xDC\x00\x80\x00\x80"},
		{name: "reported low half", layout: "rdm6300", in: "\x02017DDFFDDF81\x03", faults: []fault.Code{fault.Ghost}},
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
	if _, ok := d.Timeout(); d.Pending() || ok {
		t.Fatal("silence before anything is something")
	}
	for _, b := range []byte(frame[:7]) {
		d.Push(b)
	}
	if !d.Pending() || !d.InFrame() {
		t.Fatal("nothing pending inside a frame")
	}
	if e, _ := d.Timeout(); e.Fault != fault.Unterminated {
		t.Fatalf("silence inside a frame: %v", e)
	}
	for i, b := range []byte(frame[7:]) {
		e, _ := d.Push(b)
		if e.Kind == device.CardRead {
			t.Fatal("the rest of a dropped frame became a card")
		}
		if want := i == 0; (e.Fault == fault.Noise) != want {
			t.Fatalf("byte %d of the rest: %v", i, e.Fault)
		}
	}
	if _, ok := d.Timeout(); ok || d.Pending() || d.InFrame() {
		t.Fatal("silence after noise")
	}
	if e, _ := d.Push('9'); e.Fault != fault.Noise {
		t.Fatalf("noise after silence is another run of it: %v", e)
	}
}

// TestNoDamagedFrameIsAnotherCard: what is left of a frame after a cut, a lost,
// an added or a changed byte is no card, but for a changed digit where there is
// no checksum.
func TestNoDamagedFrameIsAnotherCard(t *testing.T) {
	for _, s := range samples {
		l := s.of(t)
		damaged := func(what, in string) {
			t.Helper()
			if strings.TrimRight(in, "\r\n") == strings.TrimRight(s.in, "\r\n") && s.layout == "line" {
				return // one of CR and LF is enough
			}
			cards, _ := decode(t, l, in)
			for _, c := range cards {
				digit := len(in) == len(s.in) && c.Len() == s.card.Len()
				if s.checked() || c != s.card && !digit {
					t.Errorf("%s %+v: %s became a card: %q", s.layout, s.settings, what, in)
				}
			}
		}
		for i := range len(s.in) {
			damaged("a beginning", s.in[:i])
			damaged("an end", s.in[i+1:])
			damaged("a frame without one byte", s.in[:i]+s.in[i+1:])
			if i > 0 {
				damaged("a frame with a digit more", s.in[:i]+"0"+s.in[i:])
			}
			for bit := range 8 {
				damaged("a frame with a flipped bit", s.in[:i]+string([]byte{s.in[i] ^ 1<<bit})+s.in[i+1:])
			}
		}
	}
}

// TestSilenceInside: 50 ms of silence at any place inside a frame leaves no card.
func TestSilenceInside(t *testing.T) {
	for _, s := range samples {
		l := s.of(t)
		for cut := 1; cut < len(s.in); cut++ {
			first, _ := decode(t, l, s.in[:cut])
			d, err := serialcard.NewDecoder(l)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for i := range len(s.in) {
				if i == cut {
					d.Timeout()
				}
				if e, ok := d.Push(s.in[i]); ok && e.Kind == device.CardRead {
					n++
				}
			}
			if e, ok := d.Timeout(); ok && e.Kind == device.CardRead {
				n++
			}
			if n != len(first) { // 1 only where LF after CR is one too many
				t.Errorf("%s: silence before byte %d of %q left %d cards", s.layout, cut, s.in, n)
			}
		}
	}
}

// TestEncodeDecode: after any noise that has no mark of the layout in it, and
// silence, the next frame gives its card.
func TestEncodeDecode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(samples).Draw(t, "layout")
		found, _ := serialcard.Lookup(s.layout)
		l, err := found.With(s.settings)
		if err != nil {
			t.Fatal(err)
		}
		bits := rapid.SampledFrom(l.Lengths()).Draw(t, "bits")
		raw := rapid.SliceOfN(rapid.Byte(), bits/8, bits/8).Draw(t, "number")
		card, err := device.NewCard(raw, bits)
		if err != nil {
			t.Fatal(err)
		}
		out, err := l.Encode(card)
		if err != nil {
			t.Fatal(err)
		}
		d, err := serialcard.NewDecoder(l)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "noise") {
			d.Push(b)
		}
		d.Timeout()
		var got device.Event
		for _, b := range out {
			if e, ok := d.Push(b); ok {
				got = e
			}
		}
		if e, ok := d.Timeout(); ok {
			got = e
		}
		if got.Card != card && got.Fault != fault.Ghost {
			t.Fatalf("%q gave %v of fault %v", out, got.Card, got.Fault)
		}
	})
}

// FuzzDecoder: no panic, and a card comes only at the end of bytes that are a
// frame of it by themselves, and that a module sends for it.
func FuzzDecoder(f *testing.F) {
	for i, s := range samples {
		f.Add(uint8(i), []byte(s.in))
		f.Add(uint8(i), []byte(s.in[:len(s.in)/2]+s.in+s.in))
	}
	f.Add(uint8(0), []byte(frame[:6]+frame+"\x02000000000000\x03"))
	f.Add(uint8(255), []byte("]Q1GHP1.CODE\r\n"))
	f.Fuzz(func(t *testing.T, which uint8, in []byte) {
		s := sample{layout: "code"}
		if int(which) < len(samples) {
			s = samples[which]
		}
		l := s.of(t)
		d, err := serialcard.NewDecoder(l)
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range in {
			e, ok := d.Push(b)
			if i == len(in)-1 && !ok {
				e, _ = d.Timeout()
			}
			switch e.Kind {
			case device.CardRead:
				checkSource(t, l, s, in[:i+1], e.Card)
			case device.CodeRead:
				if !bytes.Contains(in[:i+1], []byte(e.Code.Text())) {
					t.Fatalf("a code of %d bytes that were never sent", len(e.Code.Text()))
				}
			}
		}
	})
}

// checkSource looks for the card's frame at the end of the bytes.
func checkSource(t *testing.T, l serialcard.Layout, s sample, in []byte, card device.Card) {
	t.Helper()
	want, err := l.Encode(card)
	if err != nil {
		t.Fatal(err)
	}
	if l.Name == "line" && (s.settings.End == "" || s.settings.End == "any") { // one of CR and LF is enough
		want = bytes.TrimRight(want, "\r\n")
		in = in[:len(in)-1]
	}
	if len(in) < len(want) {
		t.Fatalf("a card from %d bytes, its frame has %d", len(in), len(want))
	}
	tail := in[len(in)-len(want):]
	if strings.HasPrefix(l.Name, "7941") || s.settings.Skip > 0 { // kind, address and skipped characters are not the card's
		if again, _ := decode(t, l, string(tail)); len(again) != 1 || again[0] != card {
			t.Fatalf("%q gave a card that %q does not give", in, tail)
		}
		return
	}
	if !bytes.Equal(tail, want) {
		t.Fatalf("%q gave a card whose frame is %q", in, want)
	}
}
