package page

import (
	"errors"
	"html/template"
	"slices"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/certificate"
	"gatehouse/internal/web/qrcode"
)

// frame is what stands on every page.
type frame struct {
	v       *Visit
	Title   string
	House   string
	ToDo    int
	Doors   int // that are held, forced or released by an emergency
	Contact string
	zone    *time.Location // of the building; nil: not known
	Alone   bool           // a standalone house, which has no registry and keeps no tenancies
	Silent  string         // the key of why the daemon shows no house; empty: it does
	Tab     string
	Bare    bool // in the tenant's hands: without the ways to other screens
	Data    any
}

// T says a key in the language of the visit.
func (f frame) T(key string, args ...any) string { return f.v.Say(key, args...) }

// Lang is the language of the page, for its head.
func (f frame) Lang() string { return string(f.v.Lang) }

// OtherLang is the one that the page offers.
func (f frame) OtherLang() string { return string(f.v.Lang.Other()) }

// Fingerprint is that of the page's certificate; empty where it speaks no TLS.
func (f frame) Fingerprint() string {
	if c := f.v.page.TLS; c != nil && len(c.Certificates) > 0 {
		return certificate.Fingerprint(c.Certificates[0])
	}
	return ""
}

// Path is where the page stands.
func (f frame) Path() string { return f.v.URL.Path }

// Account is who is signed in.
func (f frame) Account() account.Account { return f.v.Account }

// May reports whether who is signed in may use a pattern.
func (f frame) May(pattern string) bool {
	i := slices.IndexFunc(f.v.page.Routes, func(r Route) bool { return r.Pattern == pattern })
	return i >= 0 && (len(f.v.page.Routes[i].Roles) == 0 || slices.Contains(f.v.page.Routes[i].Roles, f.v.Account.Role))
}

// contacts are the words for what the daemon says of its registry; what a later one says stands as it is.
var contacts = map[string]string{"in step": "page.contact_now", "down": "page.contact_down", "greeting": "page.contact_greeting", "list not proved": "page.contact_list", "not enrolled": "page.contact_not"}

// contact says whether the house is in contact with its registry: a heartbeat, never an
// entry.
func (v *Visit) contact(st control.Status) string {
	if st.Uplink == nil {
		return v.Say("page.contact_none")
	}
	if key, ok := contacts[st.Uplink.State]; ok {
		return v.Say(key)
	}
	return v.Say("page.contact_lost", st.Uplink.State)
}

// With is the frame about a part of what it shows.
func (f frame) With(part any) frame {
	f.Data = part
	return f
}

// QR draws a QR code of a text.
func (f frame) QR(text string) (template.HTML, error) { return qrcode.Draw(text) }

// Picture is a QR code of a text as a link to a PNG, which stands in the page as well.
func (f frame) Picture(text string) (template.URL, error) { return qrcode.Picture(text) }

// PassPath is where a visitor sees a guest code.
const PassPath = "/pass"

// PassLink leads to the pass of a guest code. The digits stand where no server sees them.
func (f frame) PassLink(digits string) string {
	return qrcode.Address(f.v.TLS != nil, f.v.Host, PassPath+"#"+digits)
}

// Has says that there are words of a key.
func (f frame) Has(key string) bool { return f.v.page.Words.Has(key) }

// Advice is a sentence of the daemon in the page's words, as far as there are some.
func (f frame) Advice(said string) *Advice { return f.v.Advice(errors.New(said), 0) }

// screens2tabs says which tab a screen stands under.
var screens2tabs = map[string]string{"doors": "doors", "drill": "doors", "fire": "doors", "reader": "doors", "oldcards": "more", "todo": "todo", "prove": "todo", "prove_door": "todo", "people": "people", "more": "more", "log": "more", "stickers": "more", "recovery": "more", "restore": "more", "access": "more", "password": "more",
	"tenancy": "people", "roster": "people", "slip": "people", "notice": "people", "desk_details": "people", "desk_choose": "people", "desk_card": "people", "desk_pin": "people",
	"desk_done": "people", "desk_paused": "people", "desk_busy": "people", "desk_none": "people"}
