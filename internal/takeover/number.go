package takeover

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"gatehouse/internal/cardnumber"
	"gatehouse/internal/naming"
	"gatehouse/sync/wire"
)

// Notations of a whole number in exports, decimal.
var (
	fraction  = regexp.MustCompile(`^(\d+)\.0+$`)
	thousands = regexp.MustCompile(`^\d{1,3}(,\d{3})+$`)
)

// PrintedOf returns the printed number in a cell and its form, as cardnumber.ParsePrinted takes
// them.
func PrintedOf(cell, form string, fill bool) (number, itsForm string, err error) {
	number, form = Plain(cell), Plain(form)
	if whole := strings.ToUpper(form); strings.HasSuffix(whole, "D") && !strings.Contains(whole, "+") {
		number = fraction.ReplaceAllString(number, "$1")
		if thousands.MatchString(number) {
			number = strings.ReplaceAll(number, ",", "")
		}
	}
	if _, err = cardnumber.ParsePrinted(number, form); fill && errors.Is(err, cardnumber.ErrZeros) {
		number = cardnumber.Fill(number, form)
		_, err = cardnumber.ParsePrinted(number, form)
	}
	if err == nil || errors.Is(err, cardnumber.ErrForm) {
		return number, form, err
	}
	one, itsForm, two := cardnumber.TwoPrints(folded(cell), form)
	switch {
	case two == nil:
		return Plain(one), itsForm, nil
	case errors.Is(two, cardnumber.ErrTwo):
		return number, form, two
	}
	return number, form, err
}

// Plain removes all spaces and folds full-width characters to ASCII.
func Plain(text string) string { return strings.Join(strings.Fields(folded(text)), "") }

// folded replaces full-width characters by those of ASCII.
func folded(text string) string { return strings.Map(naming.ASCII, text) }

// Parse parses credential ids.
func Parse(texts []string) (ids []wire.CredentialID, err error) {
	for _, text := range texts {
		id, err := wire.ParseCredentialID(text)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// Among returns the doors of a that are in b, never nil.
func Among(a, b []string) []string {
	return slices.DeleteFunc(append([]string{}, a...), func(d string) bool { return !slices.Contains(b, d) })
}
