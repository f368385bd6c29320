package page

import (
	"errors"
	"html/template"
	"net/http"
	"slices"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/certificate"
	"gatehouse/internal/web/qrcode"
)

// frame is the data of every page.
type frame struct {
	v       *Visit
	Title   string
	House   string
	ToDo    int
	Doors   int // doors that are held, forced or released in an emergency
	Contact string
	zone    *time.Location // of the building; nil: unknown
	Alone   bool           // a standalone house, which has no registry and no tenancies
	Silent  string         // key of the reason why the daemon has no status; empty: it has
	Tab     string
	Bare    bool // for the tenant to see: without links to other screens
	Data    any
	Kept    kept
	again   string // where the answer to a form is shown again
}

// T returns the words of a key in the language of the visit.
func (f frame) T(key string, args ...any) string { return f.v.Say(key, args...) }

// Say is T with a list of what stands in the words.
func (f frame) Say(key string, args []any) string { return f.v.Say(key, args...) }

// Lang returns the language of the page.
func (f frame) Lang() string { return string(f.v.Lang) }

// OtherLang returns the language that the page offers.
func (f frame) OtherLang() string { return string(f.v.Lang.Other()) }

// Fingerprint returns the fingerprint of the page's certificate; empty without TLS.
func (f frame) Fingerprint() string {
	if c := f.v.page.TLS; c != nil && len(c.Certificates) > 0 {
		return certificate.Fingerprint(c.Certificates[0])
	}
	return ""
}

// Again is where the answer to a form is shown again; empty for what is no such answer.
func (f frame) Again() string { return f.again }

// Here is where this page is shown in another language.
func (f frame) Here() string {
	if f.again != "" || f.v.Method != http.MethodGet {
		return f.again
	}
	return f.v.URL.RequestURI()
}

// Anew says an advice in the language of the page, which may be another one than when it was given.
func (f frame) Anew(a *Advice) *Advice {
	if a == nil || a.key == "" {
		return a
	}
	return f.v.Words(a.key, a.days)
}

// Account returns the signed-in account.
func (f frame) Account() account.Account { return f.v.Account }

// May reports whether the signed-in account may use the route of a pattern.
func (f frame) May(pattern string) bool {
	i := slices.IndexFunc(f.v.page.Routes, func(r Route) bool { return r.Pattern == pattern })
	return i >= 0 && (len(f.v.page.Routes[i].Roles) == 0 || slices.Contains(f.v.page.Routes[i].Roles, f.v.Account.Role))
}

// contacts are the words for the states of the uplink; a later daemon's unknown state is shown
// unchanged.
var contacts = map[string]string{"in step": "page.contact_now", "down": "page.contact_down", "greeting": "page.contact_greeting", "list not proved": "page.contact_list", "not enrolled": "page.contact_not"}

// contact returns whether the house is in contact with its registry: a heartbeat, never an entry.
func (v *Visit) contact(st control.Status) string {
	if st.Uplink == nil {
		return v.Say("page.contact_none")
	}
	if key, ok := contacts[st.Uplink.State]; ok {
		return v.Say(key)
	}
	return v.Say("page.contact_lost", st.Uplink.State)
}

// With returns the frame with a part of its data.
func (f frame) With(part any) frame {
	f.Data = part
	return f
}

// QR returns the QR code of a text.
func (f frame) QR(text string) (template.HTML, error) { return qrcode.Draw(text) }

// Picture is a QR code of a text as a link to a PNG, which stands in the page as well.
func (f frame) Picture(text string) (template.URL, error) { return qrcode.Picture(text) }

// PassPath is the path where a visitor sees a guest code.
const PassPath = "/pass"

// PassLink returns the link to the pass of a guest code. Its digits are in the fragment, which no
// server gets.
func (f frame) PassLink(digits string) string {
	return qrcode.Address(f.v.TLS != nil, f.v.Host, PassPath+"#"+digits)
}

// OfficerPath is the path where an officer shows a mandate.
const OfficerPath = "/officer"

// Address is that of a path, as the page is reached now: where a resident acts, where an officer shows a mandate.
func (f frame) Address(path string) string {
	return qrcode.Address(f.v.TLS != nil, f.v.Host, path)
}

// Has reports whether a key has words.
func (f frame) Has(key string) bool { return f.v.page.Words.Has(key) }

// Advice returns the page's words for a message of the daemon, if it has some.
func (f frame) Advice(said string) *Advice { return f.v.Advice(errors.New(said), 0) }

// tabOf is the tab of a screen.
var tabOf = map[string]string{"doors": "doors", "drill": "doors", "fire": "doors", "reader": "doors", "oldcards": "more", "todo": "todo", "prove": "todo", "prove_door": "todo", "people": "people", "more": "more", "log": "more", "stickers": "more", "recovery": "more", "restore": "more", "access": "more", "password": "more",
	"tenancy": "people", "roster": "people", "slip": "people", "notice": "people", "desk_details": "people", "desk_choose": "people", "desk_card": "people", "desk_pin": "people",
	"desk_done": "people", "desk_paused": "people", "desk_busy": "people", "desk_none": "people"}
