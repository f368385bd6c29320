// Package idnumber checks the numbers of identity documents that are typed at a desk. It normalises
// what people and keyboards vary (full-width digits, spaces, a lower-case x), and detects typing
// errors by the number's own rules.
//
// It is pure: it stores nothing, asks no register and reads no clock. No number, nor a part of one,
// is in an error. A well-formed number proves neither its holder nor that the document exists.
package idnumber

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"gatehouse/internal/naming"
	"gatehouse/sync/wire"
)

// Fold returns the form of a typed number that is stored: full-width characters become ASCII,
// letters upper case, and the Roman numeral ten (for which X stands in GB 11643, and which some
// input methods write) X; spaces, and dashes and dots between groups of digits, are removed.
func Fold(text string) string {
	return strings.Map(func(r rune) rune {
		r = naming.ASCII(r)
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Cf, r):
			return -1 // also directional marks, which a pasted number may have
		case unicode.Is(unicode.Pd, r), r == '.', r == '·':
			return -1
		case r == 'Ⅹ', r == 'ⅹ':
			return 'X'
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		}
		return r
	}, text)
}

// Check folds a number and checks it by the rules of its document. today bounds dates of birth,
// plus a day, since the clock may be in another zone. The error names the rule that failed, never
// the number.
func Check(document wire.DocumentType, text string, today time.Time) (string, error) {
	rules, ok := documents[document]
	if !ok {
		return "", fmt.Errorf("document %d is of no known kind", document)
	}
	number := unfold(document, Fold(text))
	if number == "" {
		return "", errors.New("the number is empty")
	}
	for _, r := range number {
		if r > unicode.MaxASCII || !isDigit(byte(r)) && (r < 'A' || r > 'Z') {
			return "", errors.New("the number has a character that is neither a digit nor a letter")
		}
	}
	if err := rules(number, today); err != nil {
		return "", err
	}
	return number, nil
}

// counted and office match what documents print in brackets after the number: the number of
// renewals of a permit, and its issuer.
var (
	counted = regexp.MustCompile(`^([HM]\d{8})\((\d{2})\)$`)
	office  = regexp.MustCompile(`^(\d{8}(?:\d{2})?)\([A-Z]\)$`)
)

// unfold removes what belongs to one kind of document only.
func unfold(document wire.DocumentType, number string) string {
	switch document {
	case wire.DocumentHongKong:
		return counted.ReplaceAllString(number, "$1$2")
	case wire.DocumentTaiwan:
		return office.ReplaceAllString(number, "$1")
	case wire.DocumentResidentID, wire.DocumentResidence, wire.DocumentForeigner:
		for _, x := range []string{"×", "Х", "х", "*", "Χ", "χ", "✕", "✖", "╳"} { // typed or scanned instead of the letter
			if before, ok := strings.CutSuffix(number, x); ok && len(before) == 17 {
				return before + "X"
			}
		}
	}
	return number
}

// documents has the rule of each kind of document.
var documents = map[wire.DocumentType]func(string, time.Time) error{
	wire.DocumentResidentID: func(n string, today time.Time) error { return citizen(n, today, areas) },
	wire.DocumentResidence:  func(n string, today time.Time) error { return citizen(n, today, residents) },
	wire.DocumentPassport:   func(n string, _ time.Time) error { return passport(n) },
	wire.DocumentHongKong:   func(n string, _ time.Time) error { return hongKong(n) },
	wire.DocumentTaiwan:     func(n string, _ time.Time) error { return taiwan(n) },
	wire.DocumentForeigner:  foreigner,
	wire.DocumentOther:      func(n string, _ time.Time) error { return other(n) },
}

// areas are the first two digits of a citizen's number, by province. The rest of the area code
// changes with the map and is not checked.
const areas = "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71"

// residents are the first two digits on residence permits.
const residents = "81 82 83"

// citizen checks a number by GB 11643-1999: area 6, date of birth 8, sequence 3, check 1 digits.
func citizen(n string, today time.Time, areas string) error {
	if err := eighteen(n); err != nil {
		return err
	}
	switch area := n[:2]; {
	case !strings.Contains(areas, area) && strings.Contains(residents, area):
		return errors.New("81, 82 and 83 are Hong Kong, Macao and Taiwan residents: the document is a residence_permit")
	case !strings.Contains(areas, area):
		return errors.New("the first two digits name no area that issues this document")
	}
	return born(n[6:14], today)
}

// eighteen checks length, digits and check character: weights 2^(17-i) mod 11 (ISO 7064, MOD 11-2).
func eighteen(n string) error {
	if len(n) == 15 && allDigits(n) {
		return errors.New("the number has 15 characters, as before 1999: such a card is not valid since 2013, today's has a number of 18")
	}
	if len(n) != 18 {
		return fmt.Errorf("the number has %d characters, and must have 18", len(n))
	}
	if !allDigits(n[:17]) || n[17] != 'X' && !isDigit(n[17]) {
		return errors.New("the first 17 characters must be digits, the last a digit or X")
	}
	if checkCharacter(n[:17]) != n[17] {
		return errors.New("the check digit does not fit: one of the digits is wrong, or two are swapped")
	}
	return nil
}

// checkCharacter returns the 18th character for 17 digits.
func checkCharacter(digits string) byte {
	sum := 0
	for i := range len(digits) {
		sum = (sum + int(digits[i]-'0')) * 2 % 11
	}
	return "10X98765432"[sum]
}

// oldest is the first plausible year of birth. The standard's own example was born in 1880.
const oldest = 1850

// born checks a date YYYYMMDD.
func born(text string, today time.Time) error {
	day, err := time.Parse("20060102", text)
	switch {
	case err != nil:
		return errors.New("the date of birth in the number (digits 7 to 14) is no day of the calendar")
	case day.Year() < oldest:
		return fmt.Errorf("the date of birth in the number is before %d", oldest)
	case day.After(today.AddDate(0, 0, 1)):
		return errors.New("the date of birth in the number is in the future")
	}
	return nil
}

// passport checks a passport's number. ICAO Doc 9303 leaves it to the country: letters and digits,
// nine in the machine-readable zone, sometimes more on the page.
func passport(n string) error {
	if len(n) < 5 || len(n) > 15 {
		return fmt.Errorf("a passport's number has 5 to 15 letters and digits, this has %d", len(n))
	}
	if !strings.ContainsAny(n, "0123456789") {
		return errors.New("a passport's number has digits, this has none")
	}
	if len(n) == 15 && allDigits(n[3:]) && allLetters(n[:3]) {
		return errors.New("this looks like the number of a foreigner's permanent residence card, not of a passport")
	}
	return nil
}

// hongKong checks the number of a travel permit for Hong Kong and Macao residents: H or M and the
// holder's 8 digits; older permits print 2 more, the number of renewals. Residents who are not
// Chinese citizens have HA or MA and 7 digits.
func hongKong(n string) error {
	if n[0] != 'H' && n[0] != 'M' {
		return errors.New("this permit's number begins with H (Hong Kong) or M (Macao)")
	}
	if len(n) > 1 && n[1] == 'A' {
		if len(n) != 9 || !allDigits(n[2:]) {
			return errors.New("after HA or MA this permit's number has 7 digits")
		}
		return nil
	}
	return serial(n[1:], "after its letter this permit's number")
}

// other checks the number of a document without known rules.
func other(n string) error {
	if len(n) < 2 || len(n) > 32 {
		return fmt.Errorf("a number has 2 to 32 letters and digits, this has %d", len(n))
	}
	return nil
}

// taiwan checks the number of a travel permit for Taiwan residents: the holder's 8 digits; older
// permits have 2 more.
func taiwan(n string) error { return serial(n, "this permit's number") }

func serial(n, what string) error {
	if len(n) != 8 && len(n) != 10 || !allDigits(n) {
		return fmt.Errorf("%s has 8 digits (10 with the count of renewals)", what)
	}
	return nil
}

// foreigner checks the number of a permanent residence card. Since December 2023: 9, area 2,
// country 3, date of birth 8, sequence 3 digits, check as in GB 11643. Before: country in 3
// letters, area 4, date of birth 6, 2 more digits.
func foreigner(n string, today time.Time) error {
	if len(n) == 15 {
		if !allLetters(n[:3]) || !allDigits(n[3:]) {
			return errors.New("the 15 characters of an older card are 3 letters and 12 digits")
		}
		if _, err := time.Parse("060102", n[7:13]); err != nil {
			return errors.New("the date of birth in the number (characters 8 to 13) is no day of the calendar")
		}
		return nil
	}
	if n[0] != '9' {
		return errors.New("this card's number has 18 digits and begins with 9, or is 3 letters and 12 digits on an older card")
	}
	if err := eighteen(n); err != nil {
		return err
	}
	return born(n[6:14], today)
}

// Childhood is the age in years under which a person's data are kept only with a guardian's consent,
// and are not shown at a desk.
const Childhood = 14

// Born returns the date of birth in a number, midnight UTC; false if it has none or is not well
// formed. An older foreigner's card has a year of two digits, which is the latest that is not after
// today.
func Born(document wire.DocumentType, number string, today time.Time) (time.Time, bool) {
	n, err := Check(document, number, today)
	if err != nil {
		return time.Time{}, false
	}
	switch {
	case len(n) == 18 && (document == wire.DocumentResidentID || document == wire.DocumentResidence || document == wire.DocumentForeigner):
		day, err := time.Parse("20060102", n[6:14])
		return day, err == nil
	case len(n) == 15 && document == wire.DocumentForeigner:
		return bornShort(n[7:13], today)
	}
	return time.Time{}, false
}

// bornShort parses YYMMDD. A 29 February excludes years that are no leap years.
func bornShort(text string, today time.Time) (time.Time, bool) {
	for century := today.Year() / 100; century >= 19; century-- {
		day, err := time.Parse("20060102", fmt.Sprintf("%02d%s", century, text))
		if err == nil && !day.After(today) {
			return day, true
		}
	}
	return time.Time{}, false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func allDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

func allLetters(s string) bool { return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" }
