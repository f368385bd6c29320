package wiegand

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/device"
)

// cardsOf makes cards of a format, each of a facility and a number.
func cardsOf(t testing.TB, name string, numbers ...[2]uint64) (cards []device.Card) {
	t.Helper()
	f := format(t, name)
	for _, n := range numbers {
		v := f.has()
		v.Facility, v.Card = n[0], n[1]
		card, err := f.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		cards = append(cards, card)
	}
	return cards
}

func inverses(cards []device.Card) (all []device.Card) {
	for _, c := range cards {
		all = append(all, inverse(c))
	}
	return all
}

func namesOf(proposals []Proposal) string {
	var names []string
	for _, p := range proposals {
		names = append(names, p.Format)
	}
	return strings.Join(names, " ")
}

func TestPropose(t *testing.T) {
	house := [][2]uint64{{123, 4567}, {123, 4570}, {123, 60001}}
	one := cardsOf(t, "H10301", house[0])
	for _, c := range []struct {
		name, best, advice string
		swapped            bool
		cards              []device.Card
	}{
		{"a house of H10301", "H10301 W26 ind26", "H10301, W26 and ind26 have the same checks", false, cardsOf(t, "H10301", house...)},
		{"exchanged wires", "H10301", "D0 and D1 look exchanged", true, inverses(cardsOf(t, "H10301", house...))},
		{"one card", "H10301", "Swipe more", false, one},
		{"one card again and again", "H10301", "Swipe more", false, slices.Repeat(one, 3)},
		{"numbers without facility", "W34 H10306", "printed", false, cardsOf(t, "W34", [2]uint64{0, 0x12345678}, [2]uint64{0, 0xa2345678}, [2]uint64{0, 0x92305678})},
		{"a house of H10306", "H10306 N10002", "printed", false, cardsOf(t, "H10306", house...)},
		{"nothing checked", "W32", "RAW32 opens doors", false, cardsOf(t, "W32", [2]uint64{0, 0x12345678}, [2]uint64{0, 0xa2345678}, [2]uint64{0, 0x92305678})},
		{"a facility, nothing checked", "Kantech", "RAW32 opens doors", false, cardsOf(t, "Kantech", house...)},
		{"only one of its length", "C1k35s", "C1k35s fits.", false, cardsOf(t, "C1k35s", house...)},
		{"strong checks", "P10001", "P10001 fits.", false, cardsOf(t, "P10001", house...)},
		{"one check", "BC40", "could by chance", false, cardsOf(t, "BC40", [2]uint64{3, 1}, [2]uint64{3, 2}, [2]uint64{3, 4})},
		{"fixed facility", "S12906b", "S12906b fits.", false, cardsOf(t, "S12906b", [2]uint64{217, 1}, [2]uint64{217, 2}, [2]uint64{217, 3})},
		{"unknown length", "RAW45", "No format of 45 bits", false, []device.Card{device.CardOf(1, 45)}},
		{"keys", "", "keypad", false, []device.Card{device.CardOf(1, 4)}},
		{"two kinds", "", "different numbers of bits", false, append(cardsOf(t, "W34", [2]uint64{0, 1}), one...)},
		{"none", "", "Swipe a card", false, nil},
	} {
		got := Propose(c.cards)
		if !strings.HasPrefix(namesOf(got), c.best) || c.best == "" && got != nil {
			t.Errorf("%s: proposes %s", c.name, namesOf(got))
			continue
		}
		if len(got) > 0 && got[0].Swapped != c.swapped {
			t.Errorf("%s: swapped %t", c.name, got[0].Swapped)
		}
		if advice := Advice(c.cards, got); !strings.Contains(advice, c.advice) {
			t.Errorf("%s: advice %q", c.name, advice)
		}
	}
}

// TestProposeFinds: the right format is always among the proposals, with the
// right numbers, and its rivals pass the same cards.
func TestProposeFinds(t *testing.T) {
	for i := range table {
		f := &table[i]
		t.Run(f.Name, rapid.MakeCheck(func(t *rapid.T) {
			var cards []device.Card
			var want []Fields
			for range rapid.IntRange(1, 4).Draw(t, "cards") {
				v := drawFields(t, *f)
				card, err := f.Encode(v)
				if err != nil {
					t.Fatal(err)
				}
				cards, want = append(cards, card), append(want, v)
			}
			got := Propose(cards)
			n := slices.IndexFunc(got, func(p Proposal) bool { return p.Format == f.Name && !p.Swapped })
			if n < 0 || !slices.Equal(got[n].Cards, want) || len(got[n].Why) == 0 {
				t.Fatalf("proposes %s", namesOf(got))
			}
			for _, rival := range got[n].Rivals {
				g, _ := Lookup(rival)
				if !g.fits(cards) {
					t.Fatalf("rival %s does not fit", rival)
				}
			}
			if last := got[len(got)-1]; last.Format != fmt.Sprint("RAW", f.Bits) || Advice(cards, got) == "" {
				t.Fatalf("last is %s", last.Format)
			}
		}))
	}
}

// TestBlind: formats of even groups look right when all bits are inverted.
func TestBlind(t *testing.T) {
	want := strings.Fields("W32EO W36 W36A C15001 Sie36 BC40 Avig56")
	for i := range table {
		f := &table[i]
		card, err := f.Encode(f.Limits())
		if err != nil {
			t.Fatal(err)
		}
		inverted := f.fits([]device.Card{inverse(card)})
		if f.blind() != slices.Contains(want, f.Name) || f.blind() && !inverted {
			t.Errorf("%s: blind %t, inverted card fits %t", f.Name, f.blind(), inverted)
		}
	}
}

// FuzzPropose: no panic whatever is swiped.
func FuzzPropose(f *testing.F) {
	f.Add([]byte{0xbd, 0x88, 0xeb, 0x80}, []byte{0, 0, 0, 0x40}, uint16(26))
	f.Fuzz(func(t *testing.T, a, b []byte, n uint16) {
		var cards []device.Card
		for _, bits := range [][]byte{a, b} {
			if c, err := device.NewCard(bits, int(n)); err == nil {
				cards = append(cards, c)
			}
		}
		if Advice(cards, Propose(cards)) == "" {
			t.Error("no advice")
		}
	})
}
