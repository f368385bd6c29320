package oldcards

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"

	"gatehouse/internal/cardlist"
	"gatehouse/internal/control"
	"gatehouse/internal/issue"
)

// Form is a form of the page, which was parsed and is within the size limit.
type Form struct {
	*http.Request
	Daemon *control.Client
	Tables *Tables
	Label  string // prefix of the labels of learned cards
}

// Done is the result of an act.
type Done struct {
	Words   string // key of the page's words; empty: the screen shows the result
	Numbers []any  // for the verbs in the words
	Plan    *Plan
	// Headings are those of a table that could not be read, to choose its columns. No more of the
	// table is kept, so it must be chosen again.
	Headings []string
}

// Act carries out a form.
type Act func(Form) (Done, error)

// Acts are all acts, by the name of their form.
var Acts = map[string]Act{"listen": listen, "drive": drive, "keep": keep, "name": name, "plan": plan, "take": take}

// Errors of a form.
var (
	ErrNotSure = errors.New("it is not said that the wires are right")
	ErrPlain   = errors.New("a key file is taken over an encrypted connection alone")
)

// Private returns ErrPlain for a connection on which somebody could read a key file.
func Private(r *http.Request) error {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	if ip := net.ParseIP(host); r.TLS == nil && (ip == nil || !ip.IsLoopback()) {
		return ErrPlain
	}
	return nil
}

// signer returns the issuer that signs the list, with the key file of the form.
func (f Form) signer() (issue.Issuer, error) {
	if err := Private(f.Request); err != nil {
		return issue.Issuer{}, err
	}
	file, _, err := f.FormFile("key")
	if err != nil {
		return issue.Issuer{}, ErrKey
	}
	defer file.Close()
	return Issuer(f.Daemon, file)
}

// decide sets who decides at the doors from now on: for days the old controller, for 0 the gateway.
func (f Form) decide(days int) error {
	if f.FormValue("sure") != "yes" {
		return ErrNotSure
	}
	_, err := control.Takeover{Daemon: f.Daemon}.SetListening(f.Context(), control.ListeningRequest{Days: days})
	return err
}

func listen(f Form) (Done, error) { return Done{}, f.decide(7) }

// drive first adds grants, if a key file was chosen, so that nobody is locked out.
func drive(f Form) (done Done, err error) {
	if f.MultipartForm != nil && len(f.MultipartForm.File["key"]) > 0 && f.MultipartForm.File["key"][0].Size > 0 && f.FormValue("sure") == "yes" {
		signer, err := f.signer()
		if err != nil {
			return done, err
		}
		learned, err := Learn(f.Context(), signer, f.Label, f.Form["door"])
		if err != nil {
			return done, err
		}
		done = Done{Words: "oldcards.driven", Numbers: []any{learned.Keys, learned.Left + learned.TooFew}}
	}
	return done, f.decide(0)
}

func keep(f Form) (Done, error) {
	days := 14
	if f.FormValue("end") != "" {
		days = 0
	}
	_, err := control.Takeover{Daemon: f.Daemon}.SetAdopt(f.Context(), control.AdoptRequest{Days: days})
	return Done{}, err
}

func name(f Form) (Done, error) {
	signer, err := f.signer()
	if err != nil {
		return Done{}, err
	}
	flats := map[string]string{}
	for field, values := range f.PostForm {
		if id, ok := strings.CutPrefix(field, "flat-"); ok && len(values) > 0 {
			flats[id] = values[0]
		}
	}
	n, err := Name(f.Context(), signer, flats, f.Form["door"])
	if err != nil {
		return Done{}, err
	}
	return Done{Words: "oldcards.named", Numbers: []any{n}}, nil
}

func plan(f Form) (Done, error) {
	signer, err := f.signer()
	if err != nil {
		return Done{}, err
	}
	file, _, err := f.FormFile("table")
	if err != nil {
		return Done{}, ErrGone
	}
	defer file.Close()
	o := cardlist.Options{Form: f.FormValue("form"), Kind: "resident", Doors: f.Form["door"], Encoding: f.FormValue("encoding"), Columns: map[string]string{}}
	for _, field := range []string{"number", "label", "until"} {
		if heading := f.FormValue("column-" + field); heading != "" {
			o.Columns[field] = heading
		}
	}
	p, err := f.Tables.Plan(f.Context(), signer, file, o, f.FormValue("zeros") != "")
	if err != nil {
		return Done{Headings: headings(file, o.Encoding)}, err
	}
	return Done{Plan: &p}, nil
}

// headings returns those of a table; none if it is no readable table.
func headings(file io.ReadSeeker, encoding string) []string {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil
	}
	all, err := cardlist.Headings(file, encoding)
	if err != nil {
		return nil
	}
	return all
}

func take(f Form) (Done, error) {
	signer, err := f.signer()
	if err != nil {
		return Done{}, err
	}
	n, err := f.Tables.Take(f.Context(), signer, f.FormValue("plan"))
	if err != nil {
		return Done{}, err
	}
	return Done{Words: "oldcards.taken", Numbers: []any{n}}, nil
}
