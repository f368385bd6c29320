package reception

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/device"
	"gatehouse/device/idcard"
	"gatehouse/device/uart"
	"gatehouse/internal/control"
	"gatehouse/internal/idnumber"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// IDCard is the command that tests the reader of identity cards.
type IDCard struct {
	Test idCardTestCmd `cmd:"" help:"Ask the module how it is. No card is read."`
}

type idCardTestCmd struct {
	Port string `required:"" help:"Its serial port, best a path under /dev/serial/by-id." placeholder:"PATH"`
	Baud int    `help:"115200, 57600, 38400, 19200 or 9600." default:"115200"`
}

// idCardState is the state of a module, for an installer.
type idCardState struct {
	Port   string `json:"port"`
	State  string `json:"state"`
	Module string `json:"module"` // its number, which is nobody's data
}

func (c idCardTestCmd) Run(s *session.Session) error {
	number, err := ask(s.Ctx, idCardReader{c.Port, c.Baud}, "", (*idcard.Module).Number)
	state := idCardState{Port: c.Port, State: "ready", Module: number}
	return s.Print(state, err, func(w io.Writer) { fmt.Fprintf(w, "the module at %s is ready, number %s\n", state.Port, state.Module) })
}

// idCardReader is the port of the desk's identity-card module.
type idCardReader struct {
	IDCard     string `name:"id-card" env:"GATEHOUSE_ID_CARD" help:"Read the identity card by the SAM_V module on this serial port." placeholder:"PORT"`
	IDCardBaud int    `name:"id-card-baud" help:"115200, 57600, 38400, 19200 or 9600." default:"115200"`
}

// cardTimeout is how long a check-in waits for a card to be laid down.
const cardTimeout = 30 * time.Second

func (c idCardReader) read(ctx context.Context) (idcard.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, cardTimeout)
	defer cancel()
	return ask(ctx, c, "; or type what the document says", (*idcard.Module).Read)
}

// ask calls the module once it answers; otherwise is a further hint where it does not.
func ask[T any](ctx context.Context, c idCardReader, otherwise string, what func(*idcard.Module, context.Context) (T, error)) (answer T, err error) {
	if !slices.Contains(idcard.BaudRates(), c.IDCardBaud) {
		return answer, socket.Hinted("one of 115200, 57600, 38400, 19200, 9600; from the works it is the first", "ID-card modules know no %d baud", c.IDCardBaud)
	}
	err = c.with(ctx, func(m *idcard.Module) (err error) {
		answer, err = what(m, ctx)
		return err
	})
	if err != nil {
		return answer, socket.Hinted(idCardHint(err)+otherwise, "%v", err)
	}
	return answer, nil
}

// with opens the port, checks that a module answers and calls use.
func (c idCardReader) with(ctx context.Context, use func(*idcard.Module) error) error {
	port, err := uart.Open(device.PortConfig{Path: c.IDCard, Baud: c.IDCardBaud})
	if err != nil {
		return portError{err}
	}
	defer func() { _ = port.Close() }()
	m := idcard.New(port)
	if err := m.Check(ctx); err != nil {
		return err
	}
	return use(m)
}

// portError is a port that can't be opened: no card is to blame.
type portError struct{ error }

func (e portError) Unwrap() error { return e.error }

// idCardHint says what to do about a module or a card that can't be read. The errors contain
// nothing of the card's content.
func idCardHint(err error) string {
	var status idcard.Status
	switch {
	case errors.As(err, &status) && status.Hint() != "":
		return status.Hint()
	case errors.Is(err, idcard.ErrNoCard):
		return "lay the card flat on the reader; if it lies there, take it off and lay it on again"
	case errors.Is(err, idcard.ErrSilent):
		return "check power, cable, port and baud rate of the module; gatehouse idcard test asks it how it is"
	case errors.Is(err, idcard.ErrUnknownCard), errors.Is(err, idcard.ErrRecord):
		return "try again"
	case errors.Is(err, os.ErrPermission):
		return "the group of serial ports, often dialout, may open it"
	case errors.Is(err, os.ErrNotExist), errors.Is(err, device.ErrUnplugged), errors.As(err, new(portError)):
		return "check the cable and the path: ls /dev/serial/by-id"
	}
	return "take the card off and lay it on again"
}

var idCardDocuments = map[idcard.Kind]wire.DocumentType{
	idcard.Citizen:      wire.DocumentResidentID,
	idcard.Residence:    wire.DocumentResidence,
	idcard.Foreigner:    wire.DocumentForeigner,
	idcard.OldForeigner: wire.DocumentForeigner,
}

// laidCard is a card's answers to the questions of a check-in.
type laidCard struct {
	document wire.DocumentType
	number   string
	names    []string // the answer, then other spellings on the card
	until    string   // a day, or nothing
	cut      bool
	expired  bool
	child    bool // it is, or may be, a child's: the data must not be on the screen
}

// laid judges a record. Neither name nor number are in its errors.
func laid(r idcard.Record, desk control.Desk, now time.Time) (l laidCard, err error) {
	l = laidCard{document: idCardDocuments[r.Kind()], names: []string{r.Name()}, cut: r.Cut(), child: true}
	if r.English() != "" { // the passport has it too, and many have no other
		l.names = []string{r.English(), r.Name()}
	}
	if l.number, err = idnumber.Check(l.document, r.Number(), now.AddDate(1, 0, 0)); err != nil {
		return laidCard{}, socket.Hinted("type what the document says, and look at it closely", "the number in the card: %v", err)
	}
	zone, err := session.Zone(desk.TimeZone)
	if err != nil {
		return laidCard{}, err
	}
	year, month, dayOfMonth := now.In(zone).Date()
	today := time.Date(year, month, dayOfMonth, 0, 0, 0, 0, time.UTC)
	if until, ends := r.Until(); ends {
		l.until = until.Format(time.DateOnly)
		l.expired = desk.Trusted && until.Before(today)
	}
	if born, ok := idnumber.Born(l.document, l.number, today); ok && desk.Trusted {
		l.child = born.AddDate(idnumber.Childhood, 0, 0).After(today)
	}
	return l, nil
}

// remarks returns what the desk should know about a card.
func (l laidCard) remarks() (all []string) {
	if l.expired {
		all = append(all, "the document is no longer valid: ask for the new one; the check-in counts")
	}
	if l.cut {
		all = append(all, "the name fills its place in the card's chip: compare it with the printed one, the rest may be missing")
	}
	return all
}

// masked returns the number without the date of birth.
func (l laidCard) masked() string {
	from, to := 6, 14
	if len(l.number) == 15 {
		from, to = 7, 13
	}
	return l.number[:from] + strings.Repeat("*", to-from) + l.number[to:]
}

// fill sets the card's answers where there is none. Given answers must agree with it.
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

// fromCard takes the first three answers from a card, or two of them where a document is typed.
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

// show shows the person at the desk what was read: name and number on a terminal only, since
// anything else may be a file, and never those of a child.
func (l laidCard) show(w io.Writer) {
	switch {
	case l.child:
		fmt.Fprintf(w, "read: %s of a child, or the clock can't tell; name and number are not shown\n", l.document)
	case session.Terminal(w) == nil:
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
