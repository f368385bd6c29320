package reception

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/calendar"
	"gatehouse/internal/control"
	"gatehouse/internal/idnumber"
	"gatehouse/internal/naming"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/text"
)

// CheckIn is the command that registers a tenant.
type CheckIn struct {
	deskReader
	idCardReader
	Once    bool   `help:"Take one swipe and do not ask for more."`
	Notice  bool   `help:"Print what the tenant has to be told, in Chinese and in English, and check nobody in."`
	Answers string `help:"\"-\": read the answers from standard input as one JSON object, with the fields document, number, name, flat, label, doors, from, until, basis, informed, pin." placeholder:"-"`
}

func (CheckIn) Help() string {
	return `Questions are asked on a terminal. Else standard input has one answer a line:
document (` + strings.Join(idnumber.Documents(), ", ") + `),
number, name, flat, your own label for the flat (may be empty), doors (with
spaces between; empty: all), first day (as 2026-12-01; empty: now), last day
(empty: no end; 9999-12-31 and 长期 mean the same), legal basis (contract, duty, consent), whether the person was
told what is kept (yes), PIN (may be empty). Then hold the card up.

With --id-card an empty line for the document reads the identity card that lies
on the reader; number and name are then not asked for. With --answers - the card
answers those of document, number and name that are left out.

Names and numbers are sealed to the registry. What gateway and registry keep, for
how long, and who can see it: --notice prints it for the tenant; on a terminal it
stands before the question.`
}

func (c CheckIn) Run(s *session.Session) error {
	if c.Answers != "" && c.Answers != "-" {
		return socket.Hinted("--answers -", "names and numbers come by standard input only (refusal N12)")
	}
	if c.Notice {
		lines, err := keptNotice(s)
		fmt.Fprint(s.Out, lines)
		return err
	}
	return atDesk(s, c.TakeOver, func(v visit) error {
		a, err := c.gather(v)
		if err != nil {
			return err
		}
		in, err := a.checkIn(v.desk)
		if err != nil {
			return err
		}
		in.Check = true
		if _, err := s.Client.CheckIn(s.Ctx, v.desk.Session, in); err != nil {
			return err
		}
		in.Check = false
		doors := in.Doors
		if len(doors) == 0 {
			doors = v.desk.Doors
		}
		missing, err := v.newCard(c.Reader, c.Once, doors)
		if err != nil {
			return err
		}
		done, err := s.Client.CheckIn(s.Ctx, v.desk.Session, in)
		if err != nil {
			return err
		}
		done.Remarks = append(done.Remarks, a.remarks...)
		return v.report(done, missing, func(w io.Writer) {
			when := "now"
			if in.From != nil && in.From.After(time.Now()) {
				when = "from " + a.From + " on"
			}
			fmt.Fprintf(w, "tenancy %s: its card opens %s; the registry hears of it as soon as it can be reached\n", called(done.Tenancy), opening(done.Tenancy.Doors, missing, when))
		})
	})
}

// opening says which doors a card opens: those of the tenancy without those that do not read it yet.
func opening(doors, missing []string, when string) string {
	opens := slices.DeleteFunc(slices.Clone(doors), func(d string) bool { return slices.Contains(missing, d) })
	if len(opens) == 0 {
		return "no door yet"
	}
	return strings.Join(opens, ", ") + " " + when
}

func (c CheckIn) gather(v visit) (a answers, err error) {
	if c.Answers == "" {
		from := v.s.Asker()
		if c.IDCard != "" {
			if err := c.fromCard(from, v, &a); err != nil {
				return a, err
			}
		}
		return a, a.ask(from, v)
	}
	given, err := io.ReadAll(io.LimitReader(v.s.In, maxAnswers))
	switch {
	case err != nil:
		return a, fmt.Errorf("read the answers: %w", err)
	case !utf8.Valid(given):
		return a, session.NotUTF8("the answers")
	}
	dec := json.NewDecoder(bytes.NewReader(given))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		return a, socket.Hinted("gatehouse checkin --help names the fields", "the answers are not the JSON object that they have to be%s", where(err))
	}
	if dec.Decode(new(json.RawMessage)) != io.EOF {
		return a, socket.Hinted("one check-in is one object; call gatehouse checkin once for each", "something stands behind the answers")
	}
	if c.IDCard != "" && (a.Document == "" || a.Number == "" || a.Name == "") {
		_, err = c.lay(&session.Asker{}, v, &a)
	}
	return a, err
}

// answers are the answers of a check-in; days as people write them.
type answers struct {
	Document string   `json:"document"`
	Number   string   `json:"number"`
	Name     string   `json:"name"`
	Flat     string   `json:"flat"`
	Label    string   `json:"label"`
	Doors    []string `json:"doors"`
	From     string   `json:"from"`
	Until    string   `json:"until"`
	Basis    string   `json:"basis"`
	Informed bool     `json:"informed"`
	PIN      string   `json:"pin"`

	remarks []string // of the card that was read
}

// maxAnswers bounds the answers to one check-in, bytes.
const maxAnswers = 1 << 16

// where returns the place of a mistake in JSON, and never its content, which may be a name or a
// number.
func where(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind) && kind.Field == "":
		return ": it is no object"
	case errors.As(err, &kind):
		return fmt.Sprintf(": %s must be %s", kind.Field, jsonKinds[kind.Type.Kind()])
	case errors.As(err, &syntax):
		return fmt.Sprintf(": no JSON at character %d", syntax.Offset)
	case strings.HasPrefix(err.Error(), "json: unknown field"):
		return ": it has a field that is not known"
	}
	return ""
}

// jsonKinds are the names of the kinds of the answers' fields.
var jsonKinds = map[reflect.Kind]string{reflect.String: "a string", reflect.Bool: "true or false", reflect.Slice: "a list of strings", reflect.Struct: "an object"}

// ask asks the questions in order, except those that a card has answered.
func (a *answers) ask(from *session.Asker, v visit) (err error) {
	desk := v.desk
	var doors string
	flats := ""
	if n := len(desk.Flats); n > 0 && n <= 40 {
		flats = " (" + strings.Join(desk.Flats, ", ") + ")"
	}
	for _, q := range []struct {
		to       *string
		question string
		check    func(string) (string, error)
	}{
		{&a.Document, "document (" + strings.Join(idnumber.Documents(), ", ") + ")", session.OneOf("document", idnumber.Documents()...)},
		{&a.Number, "number of the document", func(n string) (string, error) { return checkNumber(a.Document, n) }},
		{&a.Name, "name as in the document", aName},
		{&a.Flat, "flat" + flats, aFlat(desk)},
		{&a.Label, "your own word for it, no names (may be empty)", aLabel},
		{&doors, "doors (of " + strings.Join(desk.Doors, ", ") + "; empty: all)", someDoors(desk)},
		{&a.From, "first day (as 2026-12-01; empty: now)", func(first string) (string, error) {
			_, err := dayIn(desk, first, calendar.First)
			return first, err
		}},
		{&a.Until, "last day (empty: no end)", func(last string) (string, error) { return last, lastAfter(desk, a.From, last) }},
		{&a.Basis, "legal basis (contract, duty, consent)", session.OneOf("legal basis", "contract", "duty", "consent")},
	} {
		if *q.to != "" {
			continue
		}
		if *q.to, err = from.Ask(q.question, q.check); err != nil {
			return err
		}
	}
	a.Doors = doorsIn(doors)
	if from.AtTerminal() {
		notice, err := keptNotice(v.s)
		if err != nil {
			return err
		}
		fmt.Fprint(v.s.Err, notice)
	}
	if _, err = from.Ask("was the person told what is kept, and why? (yes)", told); err != nil {
		return err
	}
	a.Informed = true
	a.PIN, err = from.NewPIN("PIN for the doors that the tenant chooses, 4 to 8 digits (may be empty)")
	return err
}

// keptNotice returns what a tenant has to be told, in both languages of the page and in its words.
func keptNotice(s *session.Session) (string, error) {
	words, err := text.Load()
	if err != nil {
		return "", err
	}
	st, err := s.Client.Status(s.Ctx)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, l := range []text.Language{text.Chinese, text.English} {
		fmt.Fprintf(&out, "%s\n\n", strings.Join(words.Kept(l, st.Registry == site.NoRegistry, st.Journal.WhoDays), "\n"))
	}
	return out.String(), nil
}

// told requires a yes: at a terminal there is time to tell the person.
func told(answer string) (string, error) {
	if strings.ToLower(answer) != "yes" {
		return "", socket.Hinted("gatehouse checkin --notice prints what to tell them; tell them, then answer yes",
			"the person has to know what is kept")
	}
	return answer, nil
}

func doorsIn(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' })
}

func someDoors(desk control.Desk) func(string) (string, error) {
	return func(answer string) (string, error) {
		for _, d := range doorsIn(answer) {
			if !slices.Contains(desk.Doors, d) {
				return "", socket.Hinted("doors of the building: "+strings.Join(desk.Doors, ", "), "no door %q here", d)
			}
		}
		return answer, nil
	}
}

// hinting adds a hint to an error; nil stays nil.
func hinting(err error, hint string) error {
	if err == nil {
		return nil
	}
	return socket.Hinted(hint, "%v", err)
}

func aName(answer string) (string, error) {
	name, _, err := naming.Person(answer)
	return name, hinting(err, "as it stands in the document")
}

func aLabel(answer string) (string, error) {
	label, err := naming.Label(answer)
	return label, hinting(err, "name the flat in your own words")
}

func aFlat(desk control.Desk) func(string) (string, error) {
	return func(answer string) (string, error) {
		if same, ok := naming.Same(answer, desk.Flats); ok {
			return same, nil
		}
		if answer != "" && len(desk.Flats) > 0 {
			some := desk.Flats[:min(len(desk.Flats), 40)]
			return "", socket.Hinted("flats: "+strings.Join(some, ", ")+"; the registry's operator adds others", "the building has no flat %q", answer)
		}
		flat, err := naming.Flat(answer)
		return flat, hinting(err, "as 3B")
	}
}

// lastAfter refuses a last day before the first, or one that is over.
func lastAfter(desk control.Desk, first, last string) error {
	from, err := dayIn(desk, first, calendar.First)
	if err != nil {
		return err
	}
	until, err := dayIn(desk, last, calendar.Last)
	switch {
	case err != nil || until == nil:
		return err
	case from != nil && !until.After(*from):
		return socket.Hinted("the last day is still to come", "the term ends before it begins")
	case desk.Trusted && !until.After(time.Now()):
		return socket.Hinted("the last day is still to come", "the term ends in the past")
	}
	return nil
}

// checkNumber finds a slip while the document is still at hand; the daemon checks again.
func checkNumber(document, number string) (string, error) {
	d, _ := idnumber.Named(document)                                      // checked by its own question
	folded, err := idnumber.Check(d, number, time.Now().AddDate(1, 0, 0)) // the daemon knows the day
	if err != nil {
		return "", socket.Hinted("read it again from the document", "%s: %v", document, err)
	}
	return folded, nil
}

// dayIn parses a first or last day in the building's zone; nil: none.
func dayIn(desk control.Desk, text string, read func(string, *time.Location) (time.Time, error)) (*time.Time, error) {
	zone, err := session.Zone(desk.TimeZone)
	if err != nil {
		return nil, err
	}
	t, err := read(text, zone)
	if err != nil || t.IsZero() {
		return nil, err
	}
	return &t, nil
}

func (a answers) checkIn(desk control.Desk) (in control.CheckIn, err error) {
	in = control.CheckIn{Document: a.Document, Number: a.Number, Name: a.Name, Flat: a.Flat, Label: a.Label, Doors: a.Doors,
		Basis: a.Basis, Informed: a.Informed, PIN: a.PIN}
	if in.From, err = dayIn(desk, a.From, calendar.First); err != nil {
		return in, err
	}
	in.Until, err = dayIn(desk, a.Until, calendar.Last)
	return in, err
}
