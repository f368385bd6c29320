package reception

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/device/idcard"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/internal/idnumber"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// idCardDocuments are the kinds of card as kinds of document.
var idCardDocuments = map[idcard.Kind]wire.DocumentType{
	idcard.Citizen:      wire.DocumentResidentID,
	idcard.Residence:    wire.DocumentResidence,
	idcard.Foreigner:    wire.DocumentForeigner,
	idcard.OldForeigner: wire.DocumentForeigner,
}

// laidCard is what a card answers of a check-in's questions.
type laidCard struct {
	document wire.DocumentType
	number   string
	names    []string // as it is answered, then as it also stands in the card
	until    string   // a day, or nothing
	cut      bool
	expired  bool
	child    bool // or perhaps one: it must not be on the screen
}

// childhood is the age up to which a person's data is not shown at a desk.
const childhood = 14

// laid judges a record. Neither name nor number are in its errors.
func laid(r idcard.Record, desk control.Desk, now time.Time) (l laidCard, err error) {
	l = laidCard{document: idCardDocuments[r.Kind()], names: []string{r.Name()}, cut: r.Cut(), child: true}
	if r.English() != "" { // the passport has it too, and many have no other
		l.names = []string{r.English(), r.Name()}
	}
	if l.number, err = idnumber.Check(l.document, r.Number(), now.AddDate(1, 0, 0)); err != nil {
		return laidCard{}, socket.Hinted("type what the document says, and look at it closely", "the number in the card: %v", err)
	}
	zone, err := time.LoadLocation(desk.TimeZone)
	if err != nil {
		return laidCard{}, fmt.Errorf("time zone of the building: %w", err)
	}
	year, month, dayOfMonth := now.In(zone).Date()
	today := time.Date(year, month, dayOfMonth, 0, 0, 0, 0, time.UTC)
	if until, ends := r.Until(); ends {
		l.until = until.Format(time.DateOnly)
		l.expired = desk.Trusted && until.Before(today)
	}
	if born, ok := idnumber.Born(l.document, l.number, today); ok && desk.Trusted {
		l.child = born.AddDate(childhood, 0, 0).After(today)
	}
	return l, nil
}

// remarks are what the desk should know of a card.
func (l laidCard) remarks() (all []string) {
	if l.expired {
		all = append(all, "the document is no longer valid: ask for the new one; the check-in counts")
	}
	if l.cut {
		all = append(all, "the name fills its place in the card's chip: compare it with the printed one, the rest may be missing")
	}
	return all
}

// masked is the number without the date of birth.
func (l laidCard) masked() string {
	from, to := 6, 14
	if len(l.number) == 15 {
		from, to = 7, 13
	}
	return l.number[:from] + strings.Repeat("*", to-from) + l.number[to:]
}

// fill takes the card's answers where there is none. What is there must agree.
func (l laidCard) fill(a *answers) error {
	const hint = "leave out what the card is to answer"
	given, _ := idnumber.Named(a.Document)
	name := strings.Join(strings.Fields(a.Name), " ")
	switch {
	case a.Document != "" && given != l.document:
		return socket.Hinted(hint, "the answers name another document than the card that was read, a %s", l.document)
	case a.Number != "" && idnumber.Fold(a.Number) != l.number:
		return socket.Hinted(hint, "the number in the answers is another than the card's")
	case name != "" && !slices.ContainsFunc(l.names, func(n string) bool { return n != "" && strings.Join(strings.Fields(n), " ") == name }):
		return socket.Hinted(hint, "the name in the answers is another than the card's")
	}
	a.Document, a.Number, a.remarks = l.document.String(), l.number, l.remarks()
	if name == "" {
		a.Name = l.names[0]
	}
	return nil
}

// fromCard lets a card answer the first three questions, or leaves two of them
// open where a document is typed.
func (c idCardReader) fromCard(from *session.Asker, v visit, a *answers) error {
	question := "lay the identity card on its reader and press Enter; or type the document (" + strings.Join(idnumber.Documents(), ", ") + ")"
	for {
		typed, err := from.Ask(question, func(answer string) (string, error) {
			if answer == "" {
				return "", nil
			}
			return session.OneOf("document", idnumber.Documents()...)(answer)
		})
		if err != nil || typed != "" {
			a.Document = typed
			return err
		}
		ok, err := c.lay(from, v, a)
		if ok || err != nil && (!from.AtTerminal() || v.s.Ctx.Err() != nil) {
			return err
		}
		if err != nil {
			v.s.Complain(err)
		}
	}
}

// lay reads a card and has it confirmed where somebody sits at a terminal.
func (c idCardReader) lay(from *session.Asker, v visit, a *answers) (bool, error) {
	fmt.Fprintln(v.s.Err, "reading the identity card ...")
	r, err := c.read(v.s.Ctx)
	if err != nil {
		return false, err
	}
	card, err := laid(r, v.desk, time.Now())
	if err != nil {
		return false, err
	}
	if from.AtTerminal() {
		card.show(v.s.Err)
		answer, err := from.Ask("is it this person's card? (yes, no)", session.OneOf("answer", "yes", "no"))
		if err != nil || answer == "no" {
			return false, err
		}
	}
	return true, card.fill(a)
}

// show tells the one at the desk what was read: name and number on a terminal
// only, since anything else may be a file, and never those of a child.
func (l laidCard) show(w io.Writer) {
	switch {
	case l.child:
		fmt.Fprintf(w, "read: %s of a child, or the clock can't tell; name and number are not shown\n", l.document)
	case !isTerminal(w):
		fmt.Fprintf(w, "read: %s; name and number are shown on a terminal only\n", l.document)
	default:
		names := slices.DeleteFunc(slices.Clone(l.names), func(n string) bool { return n == "" })
		fmt.Fprintf(w, "read: %s, %s %s\n", strings.Join(names, ", "), l.document, l.masked())
	}
	if l.until != "" {
		fmt.Fprintf(w, "valid until %s\n", l.until)
	}
	for _, r := range l.remarks() {
		fmt.Fprintf(w, "note: %s\n", r)
	}
}

func isTerminal(w io.Writer) bool {
	if s, ok := w.(command.Screen); ok {
		w = s.To
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
