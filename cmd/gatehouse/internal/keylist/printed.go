package keylist

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"golang.org/x/term"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/cardnumber"
	"gatehouse/internal/control"
	"gatehouse/internal/socket"
)

// What programs write for a whole number, in decimal.
var (
	fraction  = regexp.MustCompile(`^(\d+)\.0+$`)
	thousands = regexp.MustCompile(`^\d{1,3}(,\d{3})+$`)
)

// printedOf finds the number of a cell and its form, as the daemon reads them.
func printedOf(cell, form string, fill bool) (number, itsForm string, err error) {
	number, form = plain(cell), plain(form)
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
		return plain(one), itsForm, nil
	case errors.Is(two, cardnumber.ErrTwo):
		return number, form, two
	}
	return number, form, err
}

// printed reads a number from standard input.
func printed(s *session.Session, form string) (control.Card, error) {
	if f, ok := s.In.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprintf(s.Err, "number printed on the card (%s): ", form)
	}
	line, err := bufio.NewReader(s.In).ReadString('\n')
	number, form, wrong := printedOf(line, form, false)
	if number == "" {
		return control.Card{}, socket.Hinted("type it, or pipe it: it must not stand in the command line", "no number came on standard input (%v)", err)
	}
	if errors.Is(wrong, cardnumber.ErrTwo) {
		return control.Card{}, socket.Hinted("give one of them", "%s", wrong)
	}
	return s.Client.Printed(s.Ctx, control.PrintedRequest{Form: form, Number: number})
}

// plain drops the spaces of a printed number and folds full-width digits.
func plain(text string) string { return strings.Join(strings.Fields(folded(text)), "") }

// folded makes full-width characters those of ASCII.
func folded(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '\uff01' && r <= '\uff5e' {
			return r - 0xfee0
		}
		return r
	}, text)
}
