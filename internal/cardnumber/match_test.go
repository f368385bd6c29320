package cardnumber

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gatehouse/device"
	"gatehouse/device/wiegand"
)

// numbered returns one card of a format that has only a card number.
func numbered(t testing.TB, format string, number uint64) []device.Card {
	t.Helper()
	f, _ := wiegand.Lookup(format)
	c, err := f.Encode(wiegand.Fields{Card: number})
	if err != nil {
		t.Fatal(err)
	}
	return []device.Card{c}
}

func namesOf(proposals []wiegand.Proposal) string {
	var names []string
	for _, p := range proposals {
		names = append(names, p.Format)
	}
	return strings.Join(names, " ")
}

func TestMatch(t *testing.T) {
	w34 := numbered(t, "W34", 6171021)
	w26 := numbered(t, "W26", 6171021)
	for _, c := range []struct {
		cards         []device.Card
		printed, want string
	}{
		{w34, "0006171021", "BQT34 W34"},
		{w34, "6171021", "BQT34 W34"},
		{w34, "094,10637", "H10306 N10002 W34"},
		{w34, "94 10637", "H10306 N10002 W34"},
		{w34, " 094-10637 ", "H10306 N10002 W34"},
		{w34, "0006171021 094,10637", "H10306 N10002 BQT34 W34"},
		{w34, "2368298496", "W34"}, // bytes reversed
		{w34, "005e298d", "W34"},
		{w34, "06171022", ""},
		{w34, "95,10637", ""},
		{w26, "06171021", "W26"},
		{w26, "10637", "H10301"},
		{w26, "094,10637", "H10301 W26"},
		{w26, "3479054733", "W26"}, // 10D of a card of which W26 gives the low 24 bits
	} {
		got, err := Match(wiegand.Propose(c.cards), 0, c.printed)
		if err != nil || namesOf(got) != c.want {
			t.Errorf("%q: %s, %v", c.printed, namesOf(got), err)
		}
		advice := wiegand.Advice(c.cards, got)
		if len(got) == 0 && !strings.Contains(advice, "No format shows") || len(got) > 0 && !strings.Contains(advice, got[0].Format) {
			t.Errorf("%q: advice %q", c.printed, advice)
		}
	}
	for _, printed := range []string{"", " ", ",", "12x", "1,2,3", "१२", "-", "94, 10637 x"} {
		if got, err := Match(wiegand.Propose(w34), 0, printed); err == nil {
			t.Errorf("%q: %s", printed, namesOf(got))
		} else if strings.ContainsAny(err.Error(), "x") && printed == "12x" {
			t.Errorf("%v repeats the number", err)
		}
	}
	for _, i := range []int{-1, 1} {
		if got, err := Match(wiegand.Propose(w34), i, "6171021"); err != nil || got != nil {
			t.Errorf("card %d: %s, %v", i, namesOf(got), err)
		}
	}
}

// TestMatchEveryFormat: the number that a format has is found in what is printed.
func TestMatchEveryFormat(t *testing.T) {
	for _, name := range wiegand.Names() {
		f, _ := wiegand.Lookup(name)
		v := f.Limits()
		card, err := f.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		printed := v.Number().String()
		if v.HasFacility {
			printed = fmt.Sprint(v.Facility, " ", printed)
		}
		kept, err := Match(wiegand.Propose([]device.Card{card}), 0, printed)
		if err != nil || !slices.ContainsFunc(kept, func(p wiegand.Proposal) bool { return p.Format == name && p.Matched != "" }) {
			t.Errorf("%s: the printed number leaves %s, %v", name, namesOf(kept), err)
		}
	}
}

// FuzzMatch: no panic whatever is printed, and nothing is kept that was not proposed.
func FuzzMatch(f *testing.F) {
	for _, s := range []string{"123,4567", "0006171021 094,10637", "005e298d", "", "94, x"} {
		f.Add(uint64(6171021), s)
	}
	f.Fuzz(func(t *testing.T, number uint64, printed string) {
		all := wiegand.Propose([]device.Card{device.CardOf(number, 32)})
		kept, err := Match(all, 0, printed)
		if err == nil && len(kept) > len(all) {
			t.Error("more kept than proposed")
		}
	})
}
