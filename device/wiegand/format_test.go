package wiegand

import (
	"bytes"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/device"
)

func format(t testing.TB, name string) Format {
	t.Helper()
	f, ok := Lookup(name)
	if !ok {
		t.Fatalf("no format %s", name)
	}
	return f
}

// allFormats are the table and some raw ones.
func allFormats(t testing.TB) []Format {
	return append(slices.Clone(table), format(t, "RAW16"), format(t, "RAW75"), format(t, "RAW256"))
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
	if v, err := format(t, "W26").Decode(card); err != nil || v.Card != whole {
		t.Errorf("as one number: %d, %v", v.Card, err)
	}
}

func TestNames(t *testing.T) {
	// The 43 that cloning tools know, and the open ones.
	for _, name := range strings.Fields(`H10301 ind26 ind27 indasc27 Tecom27 2804W ind29 ATSW30 ADT31 HCP32 HPP32 Kastle Kantech
		WIE32 D10202 H10306 N10002 Optus34 SMP34 BQT34 C1k35s C15001 S12906 S12906b Sie36 H10320 H10302 H10304 P10004 HGen37
		MDI37 BQT38 ISCS PW39 P10001 Casi40 Verkada40 BC40 Defcon32 H800002 C1k48s Avig56 IR56
		W24 W26 T1 T2 W30 W32 W34 W36 W37 W42 W44 HIK44 W50 W58 W66 TWIC58 PIV75 FASCN200`) {
		if !slices.Contains(Names(), name) {
			t.Errorf("no %s", name)
		}
	}
	seen, last := map[string]bool{}, 0
	for _, name := range Names() {
		f := format(t, name)
		if low := strings.ToLower(name); seen[low] || f.Name != name || f.Bits < last {
			t.Errorf("name %q twice, or out of order", name)
		}
		seen[strings.ToLower(name)], last = true, f.Bits
	}
	for _, name := range []string{"", "none such", "h10301", "RAW", "RAW15", "RAW257", "RAW026", "RAW+26", "RAW-26", "raw26"} {
		if _, ok := Lookup(name); ok {
			t.Errorf("found %q", name)
		}
	}
}

// The table is sound: no bit is outside or is set twice.
func TestTable(t *testing.T) {
	for _, f := range allFormats(t) {
		used := make(map[uint8]int)
		mark := func(list ...uint8) {
			for _, i := range list {
				if int(i) >= f.Bits {
					t.Errorf("%s: bit %d of %d", f.Name, i, f.Bits)
				}
				used[i]++
			}
		}
		for _, d := range []field{f.facility, f.card, f.issue, f.oem} {
			mark(d.list...)
			if limit := d.limit(); limit[0] < d.max || limit[0] < d.only || d.max != 0 && d.max >= 1<<len(d.list)-1 {
				t.Errorf("%s: limit %v", f.Name, limit)
			}
		}
		for n, p := range f.parity {
			mark(p.at)
			if bytes.Contains(p.over, []byte{p.at}) {
				t.Errorf("%s: parity bit %d covers itself", f.Name, p.at)
			}
			for _, later := range f.parity[n+1:] {
				if bytes.Contains(p.over, []byte{later.at}) {
					t.Errorf("%s: parity bit %d covers %d, which is set after it", f.Name, p.at, later.at)
				}
			}
		}
		for _, x := range f.fixed {
			mark(x.at)
		}
		for i := range f.xorWidth {
			mark(uint8(f.Bits - 1 - i))
		}
		for i, n := range used {
			if n > 1 {
				t.Errorf("%s: bit %d is used %d times", f.Name, i, n)
			}
		}
	}
}

// drawNumber draws a number of the field, high or low ones as often.
func drawNumber(t *rapid.T, d field, name string) number {
	limit := d.limit()
	if d.only != 0 || rapid.IntRange(0, 9).Draw(t, name+" at limit") == 0 {
		return limit
	}
	var v number
	for i := range v {
		v[i] = rapid.Uint64Range(0, limit[i]).Draw(t, name)
	}
	return v
}

func drawFields(t *rapid.T, f Format) Fields {
	v := f.has()
	v.Facility, v.Issue, v.OEM = drawNumber(t, f.facility, "facility")[0], drawNumber(t, f.issue, "issue")[0], drawNumber(t, f.oem, "OEM")[0]
	v.setNumber(drawNumber(t, f.card, "card"))
	return v
}

func TestEncodeDecode(t *testing.T) {
	for _, f := range allFormats(t) {
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

// covered are the bits of which each one alone is checked.
func (f *Format) covered() map[uint8]bool {
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
	if f.facility.only != 0 {
		for _, i := range f.facility.list {
			covered[i] = true
		}
	}
	for i := range uint8(f.Bits) {
		covered[i] = covered[i] || f.xorWidth > 0
	}
	return covered
}

// oneBitWrong proves that every bit that a check covers is checked, and that no
// other length passes.
func oneBitWrong(t *rapid.T, f Format, card device.Card) {
	covered := f.covered()
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
		err := f.Check(wrong)
		// A digit above 9 is told besides.
		if told := errors.Is(err, ErrParity); told != covered[uint8(i)] && !(told && f.card.bcd) {
			t.Fatalf("bit %d wrong: %v", i, err)
		}
		if _, err := f.Decode(short); !errors.Is(err, ErrLength) {
			t.Fatalf("only %d bits: %v", i, err)
		}
	}
	if long, ok := card.Append(0); ok {
		if err := f.Check(long); !errors.Is(err, ErrLength) {
			t.Fatalf("one bit more: %v", err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	encode := func(name string, v Fields) error {
		_, err := format(t, name).Encode(v)
		return err
	}
	wide := Fields{Above: [3]uint64{1 << 11}}
	for name, c := range map[string]struct {
		err  error
		says string
	}{
		"facility too large":   {encode("H10301", Fields{Facility: 256, HasFacility: true}), "facility above 255"},
		"card too large":       {encode("H10301", Fields{Card: 65536, HasFacility: true}), "card number above 65535"},
		"far too large":        {encode("H10301", Fields{Above: [3]uint64{0, 0, 1}, HasFacility: true}), "card number above 65535"},
		"no facility given":    {encode("H10301", Fields{Card: 1}), "none is given"},
		"facility but no say":  {encode("H10301", Fields{Facility: 1}), "none is given"},
		"facility of none":     {encode("W66", Fields{HasFacility: true}), "no facility"},
		"none, but a number":   {encode("W66", Fields{Facility: 1}), "no facility"},
		"above the limit":      {encode("HCP32", Fields{Card: 16384}), "above 16383"},
		"too many digits":      {encode("H10320", Fields{Card: 100000000}), "above 99999999"},
		"another facility":     {encode("S12906b", Fields{Facility: 216, HasFacility: true}), "always 217"},
		"no issue level given": {encode("S12906", Fields{HasFacility: true}), "issue level"},
		"issue level too high": {encode("S12906", Fields{HasFacility: true, HasIssue: true, Issue: 4}), "issue level above 3"},
		"no OEM code given":    {encode("C15001", Fields{HasFacility: true}), "OEM code"},
		"an issue level":       {encode("H10301", Fields{HasFacility: true, HasIssue: true}), "no issue level"},
		"an OEM code":          {encode("H10301", Fields{HasFacility: true, OEM: 1}), "no OEM code"},
		"76 bits":              {encode("RAW75", wide), "above 37778931862957161709567"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

// TestLimits: what Limits tells is encoded, and one more is not.
func TestLimits(t *testing.T) {
	for _, f := range allFormats(t) {
		limits := f.Limits()
		if _, err := f.Encode(limits); err != nil {
			t.Errorf("the limits: %v", err)
		}
		for _, n := range []*uint64{&limits.Facility, &limits.Issue, &limits.OEM} {
			*n++
			if _, err := f.Encode(limits); err == nil {
				t.Errorf("%s: encoded one above the limits %+v", f.Name, f.Limits())
			}
			*n--
		}
		if more := new(big.Int).Add(limits.Number(), big.NewInt(1)); limits.SetNumber(more) {
			if _, err := f.Encode(limits); err == nil {
				t.Errorf("%s: encoded a card number one too high", f.Name)
			}
		}
	}
}

// TestNoHeap: what runs for every frame and every configuration needs no heap.
func TestNoHeap(t *testing.T) {
	for i := range table {
		f := &table[i]
		card, err := f.Encode(f.Limits())
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(10, func() {
			_, ok := Lookup(f.Name)
			_, err := f.Decode(card)
			if !ok || err != nil || f.Check(card) != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", f.Name, n)
		}
	}
}

// TestNumber: arithmetic of 256 bits against math/big.
func TestNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want Fields
		want.setNumber(number{rapid.Uint64().Draw(t, "0"), rapid.Uint64().Draw(t, "1"), rapid.Uint64().Draw(t, "2"), rapid.Uint64().Draw(t, "3")})
		n := want.Number()
		var got Fields
		if !got.SetNumber(n) || got != want || want.number().String() != n.String() {
			t.Fatalf("%v is not %v", got, want)
		}
		// The same digits, read as hexadecimal, are its BCD form.
		digits := n.String()
		digits = digits[:min(len(digits), 64)]
		decimal, _ := new(big.Int).SetString(digits, 10)
		bcd, _ := new(big.Int).SetString(digits, 16)
		if numberOf(decimal).toBCD() != numberOf(bcd) || numberOf(bcd).fromBCD() != numberOf(decimal) {
			t.Fatalf("BCD of %v", decimal)
		}
		other := number{rapid.Uint64().Draw(t, "other"), got.Above[0], got.Above[1], got.Above[2]}
		got.setNumber(other)
		if want.number().less(other) != (n.Cmp(got.Number()) < 0) {
			t.Fatalf("%v less than %v", want.number(), other)
		}
	})
	var v Fields
	if v.SetNumber(big.NewInt(-1)) || v.SetNumber(new(big.Int).Lsh(big.NewInt(1), 256)) || v != (Fields{}) {
		t.Error("took a negative number, or one of 257 bits")
	}
}

// FuzzDecode: no panic; what is accepted encodes to the same bits, as far as the
// format uses them.
func FuzzDecode(f *testing.F) {
	for _, row := range vectors(f) {
		f.Add(row.card.Bytes(), uint16(row.card.Len()))
	}
	formats := allFormats(f)
	f.Fuzz(func(t *testing.T, bits []byte, n uint16) {
		card, err := device.NewCard(bits, int(n))
		if err != nil {
			return
		}
		for i := range formats {
			x := &formats[i]
			v, err := x.Decode(card)
			switch {
			case err == nil:
				x.encodesAgain(t, card, v)
			case !errors.Is(err, ErrLength) && !errors.Is(err, ErrParity):
				t.Errorf("%s: %v", x.Name, err)
			}
		}
	})
}

func (f *Format) encodesAgain(t *testing.T, card device.Card, v Fields) {
	again, err := f.Encode(v)
	limits := f.Limits()
	above := v.Facility > limits.Facility || v.Issue > limits.Issue || v.OEM > limits.OEM || limits.number().less(v.number())
	switch {
	case above != (err != nil):
		t.Errorf("%s: above the limit %t, encode: %v", f.Name, above, err)
	case err == nil && f.unused(card) == 0 && again != card:
		t.Errorf("%s: encodes to other bits", f.Name)
	}
	if got, err := f.Decode(again); !above && (err != nil || got != v) {
		t.Errorf("%s: encodes to another number: %v", f.Name, err)
	}
}
