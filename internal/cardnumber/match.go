package cardnumber

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"gatehouse/device"
	"gatehouse/device/wiegand"
)

// errPrinted does not repeat the number.
var errPrinted = errors.New("printed number: want digits, as 4567, 123,4567 or 0006171021")

// Values of Proposal.Matched for a number that the format has unchanged.
const (
	matchCard = "card number"
	matchBoth = "facility and card number"
)

// Match returns the proposals in which card i has the number that is printed on it, with Matched
// set; first those that have it unchanged. printed is the card number, or facility and card number
// ("123,4567", "123-4567", "123 4567"), or, if the format has the card as one number, one of
// PrintedForms. It may also be everything that is on the card, such as "0006171021 094,10637". The
// error is for a text that is no number, and never repeats it.
func Match(proposals []wiegand.Proposal, i int, printed string) ([]wiegand.Proposal, error) {
	numbers, err := splitPrinted(printed)
	if err != nil {
		return nil, err
	}
	var exact, formed []wiegand.Proposal
	for _, p := range proposals {
		if i < 0 || i >= len(p.Cards) {
			continue
		}
		p.Matched = ""
		for _, parts := range numbers {
			if how := matches(p.Format, p.Cards[i], parts); p.Matched == "" || how == matchBoth {
				p.Matched = how
			}
		}
		switch p.Matched {
		case "":
		case matchCard, matchBoth:
			exact = append(exact, p)
		default:
			formed = append(formed, p)
		}
	}
	return slices.Concat(exact, formed), nil
}

// splitPrinted splits a printed text into numbers, each of one or two parts.
func splitPrinted(printed string) (numbers [][]string, err error) {
	cut := func(text string) []string {
		return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t,.:;/-", r) })
	}
	words := []string{printed}
	if len(cut(printed)) > 2 {
		words = strings.Fields(printed)
	}
	for _, word := range words {
		parts := cut(word)
		if len(parts) < 1 || len(parts) > 2 || strings.Trim(strings.ToUpper(strings.Join(parts, "")), "0123456789ABCDEF") != "" {
			return nil, errPrinted
		}
		numbers = append(numbers, parts)
	}
	return numbers, nil
}

// matches returns which of the numbers of a card is printed, or in which form; "" for none.
func matches(format string, v wiegand.Fields, parts []string) string {
	number := v.Number().String()
	switch {
	case len(parts) == 1 && same(parts[0], number):
		return matchCard
	case len(parts) == 2 && v.HasFacility && same(parts[0], strconv.FormatUint(v.Facility, 10)) && same(parts[1], number):
		return matchBoth
	}
	f, _ := wiegand.Lookup(format)
	n := f.NumberBits()
	if v.HasFacility || n < bitsW26 || n > bitsEM || n%8 != 0 {
		return ""
	}
	text := parts[0]
	if len(parts) == 2 {
		text = Fill(strings.Join(parts, ","), "3+5D")
	}
	if _, form, ok := (Number{bits: device.CardOf(v.Card, n), low: true}).again(text); ok {
		return form
	}
	return ""
}

// same compares decimal numbers; printed ones have leading zeros.
func same(printed, number string) bool {
	return strings.TrimLeft(printed, "0") == strings.TrimLeft(number, "0")
}
