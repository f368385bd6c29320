package wiegand

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// printedForm is a number in one of the forms that makers print on cards.
type printedForm struct {
	form   string // 3+5D, 8D, 10D, 10D-reversed or hex
	number string
}

// printedForms returns what may be printed on a card whose number has n bits, 24 to 40: its low 24
// bits as 3+5D and 8D, its low 32 as 10D, all of them in hexadecimal.
func printedForms(v uint64, n int) []printedForm {
	low := v & (1<<24 - 1)
	forms := []printedForm{
		{"3+5D", fmt.Sprintf("%03d,%05d", low>>16, low&0xffff)},
		{"8D", fmt.Sprintf("%08d", low)},
		{"10D", fmt.Sprintf("%010d", uint32(v))},
	}
	if n >= 32 {
		forms = append(forms, printedForm{"10D-reversed", fmt.Sprintf("%010d", bits.ReverseBytes32(uint32(v)))})
	}
	return append(forms, printedForm{"hex", fmt.Sprintf("%0*X", n/4, v)})
}

// errPrinted does not repeat the number.
var errPrinted = errors.New("printed number: want digits, as 4567, 123,4567 or 0006171021")

// Match returns the proposals in which card i has the number that is printed on it, with Matched
// set; first those that have it unchanged. printed is the card number, or facility and card number
// ("123,4567", "123-4567", "123 4567"), or, if the format has the card as one number, one of the
// forms that makers print: 3+5D, 8D, 10D, 10D with its bytes reversed, hexadecimal. It may also be
// everything that is on the card, such as "0006171021 094,10637". The error is for a text that is
// no number, and never repeats it.
func Match(proposals []Proposal, i int, printed string) ([]Proposal, error) {
	numbers, err := parsePrinted(printed)
	if err != nil {
		return nil, err
	}
	var exact, formed []Proposal
	for _, p := range proposals {
		if i < 0 || i >= len(p.Cards) {
			continue
		}
		p.Matched = ""
		for _, parts := range numbers {
			if how := p.matches(p.Cards[i], parts); p.Matched == "" || how == matchBoth {
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

// parsePrinted splits a printed text into numbers, each of one or two parts.
func parsePrinted(printed string) (numbers [][]string, err error) {
	cut := func(text string) []string {
		return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t,.:;/-", r) })
	}
	words := []string{printed}
	if len(cut(printed)) > 2 {
		words = strings.Fields(printed)
	}
	for _, word := range words {
		parts := cut(word)
		if len(parts) < 1 || len(parts) > 2 {
			return nil, errPrinted
		}
		for _, part := range parts {
			if strings.Trim(strings.ToUpper(part), "0123456789ABCDEF") != "" {
				return nil, errPrinted
			}
		}
		numbers = append(numbers, parts)
	}
	return numbers, nil
}

// Values of Proposal.Matched for a number that the format has unchanged.
const (
	matchCard = "card number"
	matchBoth = "facility and card number"
)

// matches returns which of the numbers of a card is printed; "" for none.
func (p *Proposal) matches(v Fields, parts []string) string {
	if len(parts) == 2 {
		if v.HasFacility && same(parts[0], strconv.FormatUint(v.Facility, 10)) && same(parts[1], v.number().String()) {
			return matchBoth
		}
	} else if same(parts[0], v.number().String()) {
		return matchCard
	}
	f, _ := Lookup(p.Format)
	n := len(f.card.list)
	if v.HasFacility || v.HasOEM || v.HasIssue || n < 24 || n > 40 || n%8 != 0 {
		return ""
	}
	return formOf(v, n, parts)
}

// formOf returns the form in which a number of n bits is printed; "" for none.
func formOf(v Fields, n int, parts []string) string {
	for _, form := range printedForms(v.Card, n) {
		left, right, two := strings.Cut(form.number, ",")
		if two && len(parts) == 2 && same(parts[0], left) && same(parts[1], right) ||
			len(parts) == 1 && strings.ToUpper(parts[0]) == form.number {
			return form.form
		}
	}
	if n == 24 && len(parts) == 1 && len(parts[0]) == 10 { // the reader leaves out the first byte
		if whole, err := strconv.ParseUint(parts[0], 10, 32); err == nil && whole&(1<<24-1) == v.Card {
			return "10D"
		}
	}
	return ""
}

// same compares decimal numbers; printed ones have leading zeros.
func same(printed, number string) bool {
	return strings.TrimLeft(printed, "0") == strings.TrimLeft(number, "0")
}
