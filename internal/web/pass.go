package web

import (
	"net/http"
	"strings"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/idnumber"
	"gatehouse/internal/web/page"
	"gatehouse/internal/web/tries"
)

// pass is a visitor's guest code on the visitor's own phone, in the house's network. The link
// to it has the digits behind the #, which no server sees: the page's script posts them, or the
// visitor types them.
//
// It refuses to say whose guest it is, or whether the code was used.
type pass struct {
	*page.Page
	tries *tries.Tries // of digits
}

func (p pass) routes() []page.Route {
	return []page.Route{
		page.At("GET "+page.PassPath, page.Anybody, func(v *page.Visit) error { return v.Show("pass", passView{}) }),
		page.At("POST "+page.PassPath, page.Anybody, p.show),
	}
}

// passView is the screen. What was typed comes back only where it is right.
type passView struct {
	Said   *page.Advice
	Digits string
	Pass   *control.Pass
}

func (p pass) show(v *page.Visit) error {
	if !p.tries.Allow(v.RemoteAddr, "") {
		return v.ShowStatus(http.StatusTooManyRequests, "pass", passView{Said: v.Words("pass.too_many", 0)})
	}
	digits := strings.TrimSuffix(idnumber.Fold(v.FormValue("digits")), "#") // which is typed at the door
	shown, err := control.ShowPass(caller.With(v.Context(), caller.Caller{Role: caller.Page}), p.Daemon, digits)
	if err != nil {
		return v.ShowStatus(page.StatusOf(err), "pass", passView{Said: v.Advice(err, 0)})
	}
	p.tries.Back(v.RemoteAddr, "")
	return v.Show("pass", passView{Digits: digits, Pass: &shown})
}
