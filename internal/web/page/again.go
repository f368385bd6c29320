package page

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"path"

	"gatehouse/internal/web/answers"
)

// The answer to a form has an address of its own, so that the button of the other language, a reload and going back show it
// again: nothing is sent twice, and what is shown once is not lost by a slip.
const (
	againPath  = "/again/"
	browserKey = "gatehouse-answer" // the cookie of a browser

	mostStrangersBytes = 32 << 10 // of an answer to who has no account, as it is shown
	mostKeptBytes      = 512 << 10
)

// keep keeps the answer to a form, which is size bytes long, and returns where it is shown again; empty: it is not kept.
func (v *Visit) keep(status int, screen string, data any, size int) (address string) {
	if size > mostKeptBytes || v.Account.ID == "" && size > mostStrangersBytes {
		return ""
	}
	a := answers.Answer{Token: rand.Text(), Browser: v.browser(), Account: v.Account, Status: status, Screen: screen, Data: data}
	if a.Browser == "" {
		a.Browser = rand.Text()
		http.SetCookie(v.W, &http.Cookie{Name: browserKey, Value: a.Browser, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
	v.page.answers.Put(a)
	return (&url.URL{Path: againPath + a.Token + v.URL.Path}).String()
}

// browser is what this page called a browser; empty: nothing yet.
func (v *Visit) browser() string {
	c, err := v.Cookie(browserKey)
	if err != nil || len(c.Value) != len(rand.Text()) {
		return ""
	}
	return c.Value
}

// again shows an answer again to whom it was given. One that is over leads to the screen that its form belongs to.
func (p *Page) again(v *Visit) error {
	if a, ok := p.answers.Of(v.browser(), v.PathValue("token")); ok && a.Account == v.Account {
		return v.ShowStatus(a.Status, a.Screen, a.Data)
	}
	v.Redirect((&url.URL{Path: p.nearest(path.Clean("/" + v.PathValue("path")))}).String())
	return nil
}

// nearest is the screen at a path, or else the nearest one above it.
func (p *Page) nearest(at string) string {
	for ; at != "/"; at = path.Dir(at) {
		if _, pattern := p.mux.Handler(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: at}}); pattern != "/" {
			return at
		}
	}
	return at
}
