package main_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"gatehouse/internal/web/webtest"
)

// TestScannedToken: a registry's label opens the page with a token behind the #: through the
// sign-in it comes into its field, and stays in no address; a house that has a registry forgets it.
func TestScannedToken(t *testing.T) {
	browser := webtest.Chromium(t)
	h := newHouse(t)
	h.owner()
	base := h.page()
	b := open(t, browser, base, "/setup/registry#token=GH1-SCANNED")
	b.until("the sign-in, without the token", `location.pathname == "/login" && location.hash == ""`)
	b.do(chromedp.SetValue(chromedp.CSS(`[name=name]`), name), chromedp.SendKeys(chromedp.CSS(`[name=password]`), secret), chromedp.Click(chromedp.CSS(`main button`)))
	const filled = `location.pathname == "/setup/registry" && location.hash == "" && document.querySelector("[name=token]").value == "GH1-SCANNED" && sessionStorage.getItem("token") == null`
	b.until("the token is filled in", filled)
	b.do(chromedp.Navigate(base + "/doors"))
	b.until("it is not asked for again", `location.pathname == "/doors" && sessionStorage.getItem("token") == null`)
	b.do(chromedp.Navigate(base + "/setup/registry#token=GH1-SCANNED"))
	b.until("who is signed in has it at once", filled)
	b.do(chromedp.Navigate(base + "/doors#token=GH1-SCANNED"))
	b.until("elsewhere it is forgotten", `location.pathname == "/doors" && location.hash == "" && sessionStorage.getItem("token") == null`)
}
