package idnumber

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/sync/wire"
)

var today = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// full adds the check character by its definition in the standard, the weights
// written out, so that the code under test is not its own judge.
func full(digits string) string {
	weights := []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += int(digits[i]-'0') * w
	}
	return digits + string("10X98765432"[sum%11])
}

// invented is a number of no area that was ever given out.
func invented(born string, sequence int) string {
	return full(fmt.Sprintf("440000%s%03d", born, sequence))
}

// withX is one whose check character is X.
func withX(t *testing.T) string {
	for i := range 1000 {
		if n := invented("19900307", i); strings.HasSuffix(n, "X") {
			return n
		}
	}
	t.Fatal("no number ends in X")
	return ""
}

func wide(s string) string {
	return strings.Map(func(r rune) rune { return r + 0xfee0 }, s)
}

func TestCheck(t *testing.T) {
	good, x := invented("19900307", 1), withX(t)
	swapped := []byte(good)
	swapped[8], swapped[9] = swapped[9], swapped[8]
	for _, c := range []struct {
		name     string
		document wire.DocumentType
		text     string
		want     string // empty: refused
		word     string // in the refusal
	}{
		{"plain", wire.DocumentResidentID, good, good, ""},
		{"X", wire.DocumentResidentID, x, x, ""},
		{"lower-case x", wire.DocumentResidentID, strings.ToLower(x), x, ""},
		{"full width", wire.DocumentResidentID, wide(x), x, ""},
		{"full-width lower case", wire.DocumentResidentID, wide(strings.ToLower(x)), x, ""},
		{"grouped", wire.DocumentResidentID, " " + good[:6] + " " + good[6:14] + "\u3000" + good[14:] + "\n", good, ""},
		{"pasted with a mark of direction", wire.DocumentResidentID, "\u200e" + good, good, ""},
		{"born today", wire.DocumentResidentID, invented("20261123", 2), invented("20261123", 2), ""},
		{"leap day", wire.DocumentResidentID, invented("20000229", 2), invented("20000229", 2), ""},
		{"no leap day", wire.DocumentResidentID, invented("19000229", 2), "", "no day of the calendar"},
		{"month 13", wire.DocumentResidentID, invented("19901307", 2), "", "no day of the calendar"},
		{"future", wire.DocumentResidentID, invented("20270101", 2), "", "in the future"},
		{"too old", wire.DocumentResidentID, invented("18491231", 2), "", "before 1850"},
		{"the standard's examples", wire.DocumentResidentID, "11010519491231002x", "11010519491231002X", ""},
		{"the standard's oldest", wire.DocumentResidentID, "440524188001010014", "440524188001010014", ""},
		{"Roman ten", wire.DocumentResidentID, x[:17] + "Ⅹ", x, ""},
		{"small Roman ten", wire.DocumentResidentID, x[:17] + "ⅹ", x, ""},
		{"dashes of all sorts", wire.DocumentResidentID, good[:6] + "–" + good[6:14] + "—" + good[14:15] + "－" + good[15:], good, ""},
		{"Arabic digits", wire.DocumentResidentID, "٤" + good[1:], "", "neither"},
		{"area", wire.DocumentResidentID, full("99000019900307001"), "", "no area"},
		{"area between two of the list", wire.DocumentResidentID, full("16000019900307001"), "", "no area"},
		{"residence permit's area", wire.DocumentResidentID, full("83000019000307001"), "", "residence_permit"},
		{"swapped", wire.DocumentResidentID, string(swapped), "", "check digit"},
		{"17", wire.DocumentResidentID, good[:17], "", "17 characters"},
		{"15 digits", wire.DocumentResidentID, good[:15], "", "before 1999"},
		{"15 digits of a foreigner", wire.DocumentForeigner, good[:15], "", "3 letters"},
		{"letter inside", wire.DocumentResidentID, good[:5] + "O" + good[6:], "", "must be digits"},
		{"empty", wire.DocumentResidentID, " ", "", "empty"},
		{"hanzi", wire.DocumentResidentID, "长期", "", "neither"},
		{"residence", wire.DocumentResidence, full("81000019000307001"), full("81000019000307001"), ""},
		{"residence Taiwan", wire.DocumentResidence, full("83000019000307001"), full("83000019000307001"), ""},
		{"citizen's as residence", wire.DocumentResidence, good, "", "no area"},
		{"passport", wire.DocumentPassport, "x1234567", "X1234567", ""},
		{"passport letters", wire.DocumentPassport, "ABCDEFG", "", "none"},
		{"passport short", wire.DocumentPassport, "A12", "", "5 to 15"},
		{"passport long", wire.DocumentPassport, "A123456789012345", "", "5 to 15"},
		{"foreigner's card as passport", wire.DocumentPassport, "ABC440090030701", "", "permanent residence"},
		{"Hong Kong", wire.DocumentHongKong, "h12345678", "H12345678", ""},
		{"Macao with renewals", wire.DocumentHongKong, "M1234567801", "M1234567801", ""},
		{"Hong Kong letter", wire.DocumentHongKong, "K12345678", "", "H (Hong Kong)"},
		{"Hong Kong 9", wire.DocumentHongKong, "H123456789", "", "8 digits"},
		{"Hong Kong alone", wire.DocumentHongKong, "H", "", "8 digits"},
		{"Taiwan", wire.DocumentTaiwan, "00000001", "00000001", ""},
		{"Taiwan 10", wire.DocumentTaiwan, "0000000101", "0000000101", ""},
		{"Taiwan letter", wire.DocumentTaiwan, "T00000001", "", "8 digits"},
		{"foreigner new", wire.DocumentForeigner, full("94400019900307001"), full("94400019900307001"), ""},
		{"foreigner new check", wire.DocumentForeigner, full("94400019900307001")[:17] + "x", "", "check digit"},
		{"foreigner old", wire.DocumentForeigner, "abc440090030701", "ABC440090030701", ""},
		{"foreigner old date", wire.DocumentForeigner, "ABC440091330701", "", "no day"},
		{"foreigner old shape", wire.DocumentForeigner, "AB1440090030701", "", "3 letters"},
		{"foreigner citizen's", wire.DocumentForeigner, good, "", "begins with 9"},
		{"permit for who is no citizen", wire.DocumentHongKong, "HA1234567", "HA1234567", ""},
		{"the same of Macao", wire.DocumentHongKong, "ma 1234567", "MA1234567", ""},
		{"one digit too many", wire.DocumentHongKong, "HA12345678", "", "7 digits"},
		{"renewals in brackets", wire.DocumentHongKong, "H12345678(00)", "H1234567800", ""},
		{"the same in full width", wire.DocumentHongKong, "Ｈ１２３４５６７８（００）", "H1234567800", ""},
		{"brackets elsewhere", wire.DocumentHongKong, "H1234(56)78", "", "neither"},
		{"office in brackets", wire.DocumentTaiwan, "1234567801(B)", "1234567801", ""},
		{"resident's of Hong Kong", wire.DocumentResidentID, full("81000019900307011"), "", "residence_permit"},
		{"multiplication sign", wire.DocumentResidentID, x[:17] + "×", x, ""},
		{"Cyrillic", wire.DocumentResidentID, x[:17] + "Х", x, ""},
		{"asterisk", wire.DocumentResidentID, x[:17] + "*", x, ""},
		{"asterisk in the middle", wire.DocumentResidentID, x[:10] + "*" + x[11:], "", "neither"},
		{"soldier's", wire.DocumentOther, "1234567", "1234567", ""},
		{"other empty", wire.DocumentOther, "", "", "empty"},
		{"no such document", 99, good, "", "no known kind"},
	} {
		got, err := Check(c.document, c.text, today)
		switch {
		case c.want != "" && (err != nil || got != c.want):
			t.Errorf("%s: refused or changed: %v", c.name, err)
		case c.want == "" && (err == nil || !strings.Contains(err.Error(), c.word)):
			t.Errorf("%s: error %v, want one that says %q", c.name, err, c.word)
		}
	}
}

// TestBorn: the date in the number, and none where it has none.
func TestBorn(t *testing.T) {
	for _, c := range []struct {
		document wire.DocumentType
		number   string
		want     string // empty: none
	}{
		{wire.DocumentResidentID, invented("19900307", 1), "1990-03-07"},
		{wire.DocumentResidentID, wide(invented("20120229", 1)), "2012-02-29"},
		{wire.DocumentResidence, full("81000019000307001"), "1900-03-07"},
		{wire.DocumentForeigner, full("94400020150307001"), "2015-03-07"},
		{wire.DocumentForeigner, "ABC440090030701", "1990-03-07"},
		{wire.DocumentForeigner, "ABC440026112301", "2026-11-23"},
		{wire.DocumentForeigner, "ABC440026112401", "1926-11-24"},
		{wire.DocumentForeigner, "ABC440000022901", "2000-02-29"},
		{wire.DocumentResidentID, invented("19900307", 1)[:17] + "?", ""},
		{wire.DocumentPassport, "E00000000", ""},
		{wire.DocumentHongKong, "H12345678", ""},
		{wire.DocumentForeigner, "ABC440001022901", ""},
	} {
		day, ok := Born(c.document, c.number, today)
		if ok != (c.want != "") || ok && day.Format(time.DateOnly) != c.want {
			t.Errorf("%s: %v %v, want %q", c.document, day, ok, c.want)
		}
	}
}

// TestSlips: one wrong digit, or two neighbours swapped, is always found.
func TestSlips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 27000).Draw(t, "day"))
		n := []byte(invented(day.Format("20060102"), rapid.IntRange(0, 999).Draw(t, "sequence")))
		if _, err := Check(wire.DocumentResidentID, string(n), today); err != nil {
			t.Fatalf("a right number: %v", err)
		}
		i := rapid.IntRange(0, 16).Draw(t, "place")
		if rapid.Bool().Draw(t, "swap") && i < 16 {
			if n[i] == n[i+1] {
				return
			}
			n[i], n[i+1] = n[i+1], n[i]
		} else {
			n[i] = '0' + (n[i]-'0'+byte(rapid.IntRange(1, 9).Draw(t, "by")))%10
		}
		if _, err := Check(wire.DocumentResidentID, string(n), today); err == nil {
			t.Fatal("a slip was not found")
		}
	})
}

// FuzzCheck: no panic; what is taken is taken again unchanged; no error holds
// three digits of the number in a row that are not in the rule's own words.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"", "H", invented("19900307", 1), "ABC440090030701", wide("12345678"), "x1234567", "9"} {
		for d := range wire.LastDocument + 1 {
			f.Add(uint8(d), seed)
		}
	}
	run := regexp.MustCompile(`[0-9A-Z]{5,}`)
	f.Fuzz(func(t *testing.T, document uint8, text string) {
		number, err := Check(wire.DocumentType(document), text, today)
		if err == nil {
			again, err := Check(wire.DocumentType(document), number, today)
			if err != nil || again != number {
				t.Fatalf("taken once, then not: %v", err)
			}
			form, ok := FormOf(wire.DocumentType(document), number)
			if !ok || !strings.HasPrefix(number, Holder(wire.DocumentType(document), number)) {
				t.Fatalf("of no form, or %v", form)
			}
			return
		}
		if number != "" {
			t.Fatal("a refused number comes back")
		}
		if found := run.FindString(err.Error()); found != "" {
			t.Fatalf("the error holds %q", found)
		}
	})
}
