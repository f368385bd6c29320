package cardnumber

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestTwoPrints: what is printed twice on a card is one number, and it is the one that says more.
func TestTwoPrints(t *testing.T) {
	for _, c := range []struct{ text, form, number, itsForm string }{
		{"0006171021 094,10637", "10D", "0006171021", "10D"},
		{"094,10637 0006171021", "10D", "0006171021", "10D"},
		{"0006171021 094,10637", "3+5D", "0006171021", "10D"},
		{"0006171021（094,10637）", "10D", "0006171021", "10D"},
		{"0006171021/09410637", "3+5d", "0006171021", "10D"},
		{"0006171021\n0A005E298D", "10D", "0A005E298D", "10H"},
		{"0006171021 2368298496", "10D", "0006171021", "10D"}, // from its other end
		{"0006171021 0006171021", "10D", "0006171021", "10D"},
		{"00094,10637 094,10637", "3+5D", "00094,10637", "5+5D"},
	} {
		number, form, err := TwoPrints(c.text, c.form)
		if err != nil || number != c.number || form != c.itsForm {
			t.Errorf("%s: %s %s %v", c.text, number, form, err)
		}
	}
	for text, want := range map[string]error{"0006171021 094,10638": ErrTwo, "0006171021;0006171022": ErrTwo, "0006171021 front": ErrForm, "0006171021": ErrForm, "": ErrForm,
		"094,10637": ErrForm} {
		if number, form, err := TwoPrints(text, "10D"); !errors.Is(err, want) {
			t.Errorf("%s: %s %s %v", text, number, form, err)
		}
	}
}

// TestTwoPrintsOfOneCard: two numbers beside each other are taken if and only if what both say of a card is alike,
// and the number is one of them.
func TestTwoPrintsOfOneCard(t *testing.T) {
	print := func(v uint64, form string) string {
		return map[string]string{"3+5D": fmt.Sprintf("%03d,%05d", v>>16&0xff, v&0xffff), "10D": fmt.Sprintf("%010d", v&0xffffffff),
			"10H": fmt.Sprintf("%010X", v), "13D": fmt.Sprintf("%013d", v), "6H": fmt.Sprintf("%06X", v&0xffffff)}[form]
	}
	forms := rapid.SampledFrom([]string{"3+5D", "10D", "10H", "13D", "6H"})
	rapid.Check(t, func(t *rapid.T) {
		v, off := rapid.Uint64Range(0, 1<<40-1).Draw(t, "card"), rapid.Uint64Range(0, 1).Draw(t, "other")
		one, other := forms.Draw(t, "one"), forms.Draw(t, "two")
		a, b := print(v, one), print(v^off, other)
		number, form, err := TwoPrints(a+rapid.SampledFrom([]string{" ", "/", " (", "  "}).Draw(t, "between")+b, one)
		n, wrong := ParsePrinted(number, form)
		if (err == nil) != (off == 0) || err == nil && (wrong != nil || number != a && number != b || n.bits.Uint64(n.bits.Len()-24, 24) != v&0xffffff) {
			t.Fatalf("%s of %s and %s: %s as %s, %v", one, a, b, number, form, err)
		}
	})
}
