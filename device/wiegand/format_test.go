package wiegand

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/device"
)

// rows that the table does not have yet, to prove that it can hold them: fixed
// bits, parity over parity, XOR of bytes, a limit, decimal digits.
var rows = []Format{
	{Name: "Kastle", Bits: 32, facility: field{list: run(7, 14)}, card: field{list: run(15, 30)},
		fixed: []fixed{{1, 1}}, parity: []parity{even(0, run(1, 16)), odd(31, run(14, 30))}},
	{Name: "C1k35s", Bits: 35, facility: field{list: run(2, 13)}, card: field{list: run(14, 33)},
		parity: []parity{even(1, without(run(2, 33), every(3, 4, 31))),
			odd(34, without(run(1, 32), every(3, 3, 30))), odd(0, run(1, 34))}},
	{Name: "P10001", Bits: 40, facility: field{list: run(4, 15)}, card: field{list: run(16, 31)},
		fixed: []fixed{{0, 1}, {1, 1}, {2, 1}, {3, 1}}, xorWidth: 8},
	{Name: "HCP32", Bits: 32, card: field{list: run(1, 24), max: 16383}},
	{Name: "H10320", Bits: 37, card: field{list: run(0, 31), max: 99999999, bcd: true},
		parity: []parity{even(32, every(4, 0, 28)), odd(33, every(4, 1, 29)),
			even(34, []uint8{2, 6, 10, 14, 18, 22, 28, 30}), even(35, []uint8{3, 7, 11, 15, 19, 23, 29, 31})},
		fixed: []fixed{{36, 0}}},
}

func without(list, except []uint8) []uint8 {
	var out []uint8
	for _, i := range list {
		if !bytes.Contains(except, []byte{i}) {
			out = append(out, i)
		}
	}
	return out
}

func allFormats() []Format { return append(append([]Format(nil), table...), rows...) }

func format(t testing.TB, name string) Format {
	t.Helper()
	f, ok := Lookup(name)
	if !ok {
		t.Fatalf("no format %s", name)
	}
	return f
}

func TestGolden(t *testing.T) {
	for _, c := range []struct {
		name   string
		fields Fields
		bits   []byte
		n      int
	}{
		{"H10301", Fields{Facility: 123, Card: 4567, HasFacility: true}, []byte{0xbd, 0x88, 0xeb, 0x80}, 26},
		// Worked out by hand: 0 0000000000000001 0000000000000010 with parity 1 and 0.
		{"H10306", Fields{Facility: 1, Card: 2, HasFacility: true}, []byte{0x80, 0x00, 0x80, 0x01, 0x00}, 34},
		{"W66", Fields{Card: 1 << 63}, []byte{0xc0, 0, 0, 0, 0, 0, 0, 0, 0x40}, 66},
	} {
		card, err := format(t, c.name).Encode(c.fields)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(card.Bytes(), c.bits) || card.Len() != c.n {
			t.Errorf("%s %+v: got % x of %d bits, want % x of %d", c.name, c.fields, card.Bytes(), card.Len(), c.bits, c.n)
		}
	}
}

// A card shows one number printed in two ways: 0006171021, and 094,10637.
func TestPrintedNumbers(t *testing.T) {
	const whole = 6171021
	card, err := format(t, "H10301").Encode(Fields{Facility: 94, Card: 10637, HasFacility: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := card.Uint64(1, 24); got != whole {
		t.Errorf("094,10637 has data %d, want %d", got, whole)
	}
}

// The table is sound: every bit is data or check, and no bit is both.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for i, name := range Names() {
		if seen[name] || table[i].Name != name {
			t.Errorf("name %q twice, or out of order", name)
		}
		seen[name] = true
	}
	for _, f := range allFormats() {
		used := make(map[uint8]int)
		mark := func(list []uint8) {
			for _, i := range list {
				if int(i) >= f.Bits {
					t.Errorf("%s: bit %d of %d", f.Name, i, f.Bits)
				}
				used[i]++
			}
		}
		mark(f.facility.list)
		mark(f.card.list)
		for _, p := range f.parity {
			mark([]uint8{p.at})
			if bytes.Contains(p.over, []byte{p.at}) {
				t.Errorf("%s: parity bit %d covers itself", f.Name, p.at)
			}
		}
		for _, x := range f.fixed {
			mark([]uint8{x.at})
		}
		for i, n := range used {
			if n > 1 {
				t.Errorf("%s: bit %d is used %d times", f.Name, i, n)
			}
		}
	}
	if _, ok := Lookup("none such"); ok {
		t.Error("found a format that is not there")
	}
}

// fits is the highest number of a field.
func (d field) fits() uint64 {
	if d.max != 0 {
		return d.max
	}
	return 1<<len(d.list) - 1
}

func drawFields(t *rapid.T, f Format) Fields {
	v := Fields{Card: rapid.Uint64Range(0, f.card.fits()).Draw(t, "card")}
	if len(f.facility.list) > 0 {
		v.HasFacility = true
		v.Facility = rapid.Uint64Range(0, f.facility.fits()).Draw(t, "facility")
	}
	return v
}

func TestEncodeDecode(t *testing.T) {
	for _, f := range allFormats() {
		t.Run(f.Name, rapid.MakeCheck(func(t *rapid.T) {
			want := drawFields(t, f)
			card, err := f.Encode(want)
			if err != nil {
				t.Fatalf("encode: %v", err)
			}
			if got, err := f.Decode(card); err != nil || got != want {
				t.Fatalf("decode: %v", err)
			}
			oneBitWrong(t, f, card)
		}))
	}
}

// oneBitWrong proves that every bit that a check covers is checked, and that no
// other length passes.
func oneBitWrong(t *rapid.T, f Format, card device.Card) {
	covered := map[uint8]bool{}
	for _, p := range f.parity {
		covered[p.at] = true
		for _, i := range p.over {
			covered[i] = true
		}
	}
	for _, x := range f.fixed {
		covered[x.at] = true
	}
	for i := range f.Bits {
		var wrong, short device.Card
		for k := range f.Bits {
			bit := card.Bit(k)
			if k < i {
				short, _ = short.Append(bit)
			}
			if k == i {
				bit = 1 - bit
			}
			wrong, _ = wrong.Append(bit)
		}
		if err := f.Check(wrong); errors.Is(err, ErrParity) != (covered[uint8(i)] || f.xorWidth > 0) {
			t.Fatalf("bit %d wrong: %v", i, err)
		}
		if _, err := f.Decode(short); !errors.Is(err, ErrLength) {
			t.Fatalf("only %d bits: %v", i, err)
		}
	}
	long, _ := card.Append(0)
	if err := f.Check(long); !errors.Is(err, ErrLength) {
		t.Fatalf("one bit more: %v", err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	h, w, hcp, bcd := format(t, "H10301"), format(t, "W66"), rows[3], rows[4]
	for name, err := range map[string]error{
		"facility too large":  second(h.Encode(Fields{Facility: 256, HasFacility: true})),
		"card too large":      second(h.Encode(Fields{Card: 65536, HasFacility: true})),
		"no facility given":   second(h.Encode(Fields{Card: 1})),
		"facility of none":    second(w.Encode(Fields{HasFacility: true})),
		"facility but no say": second(w.Encode(Fields{Facility: 1})),
		"above the limit":     second(hcp.Encode(Fields{Card: 16384})),
		"too many digits":     second(bcd.Encode(Fields{Card: 100000000})),
	} {
		if err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
}

func second(_ device.Card, err error) error { return err }

// FuzzDecode: no panic; what is accepted encodes to the same bits.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0xbd, 0x88, 0xeb, 0x80}, uint16(26))
	f.Add([]byte{0x80, 0x00, 0x80, 0x01, 0x00}, uint16(34))
	f.Add([]byte{0xc0, 0, 0, 0, 0, 0, 0, 0, 0x40}, uint16(66))
	f.Fuzz(func(t *testing.T, bits []byte, n uint16) {
		card, err := device.NewCard(bits, int(n))
		if err != nil {
			return
		}
		for _, x := range allFormats() {
			v, err := x.Decode(card)
			switch {
			case err == nil:
				again, err := x.Encode(v)
				// Formats with bits that nothing checks come back with those bits zero.
				if err == nil && again != card && x.allChecked() {
					t.Errorf("%s: decoded, but encodes to other bits", x.Name)
				}
				if err != nil && x.card.max == 0 {
					t.Errorf("%s: decoded, does not encode: %v", x.Name, err)
				}
			case !errors.Is(err, ErrLength) && !errors.Is(err, ErrParity):
				t.Errorf("%s: %v", x.Name, err)
			}
		}
	})
}

// allChecked tells whether every bit is data or set by the format.
func (f Format) allChecked() bool {
	return len(f.facility.list)+len(f.card.list)+len(f.parity)+len(f.fixed)+f.xorWidth == f.Bits
}
