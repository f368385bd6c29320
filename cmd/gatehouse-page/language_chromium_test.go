package main_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"gatehouse/internal/web/webtest"
)

// TestLanguageInChromium: the button of the other language loses nothing, in a real browser: not what is shown once, not
// what is typed and was not sent; nor do a reload and going back.
func TestLanguageInChromium(t *testing.T) {
	t.Parallel()
	all := webtest.Chromium(t)
	h := guestHouse(t)
	h.owner()
	base := h.page()
	for _, script := range []bool{true, false} {
		t.Run(fmt.Sprintf("what is shown once, with a script %v", script), func(t *testing.T) {
			b := open(t, all, base, "/resident")
			b.speak("zh")
			b.scripts(script)
			b.stays(b.given())
		})
	}
	owner := open(t, all, base, "/login")
	owner.speak("zh")
	owner.do(chromedp.Navigate(base+"/login"), chromedp.SendKeys(chromedp.CSS(`[name=password]`), secret), chromedp.Click(chromedp.CSS(`main button`)))
	owner.until("the owner is at the doors", `location.pathname == "/doors"`)
	t.Run("an invitation", func(t *testing.T) {
		owner.do(chromedp.Navigate(base+"/access"), chromedp.SendKeys(chromedp.CSS(`[name=name]`), "Helferin"), chromedp.Click(chromedp.CSS(`form[action="/access/invite"] button`)))
		owner.until("the code is shown", `document.querySelector(".code") != null`)
		owner.stays(eval[string](owner, `document.querySelector(".code").innerText`))
	})
	t.Run("what is typed", func(t *testing.T) { typedStays(t, owner) })
	t.Run("what is refused", func(t *testing.T) {
		owner.do(chromedp.Navigate(base+"/resident"), chromedp.SendKeys(chromedp.CSS(`[name=flat]`), "3B"), chromedp.SendKeys(chromedp.CSS(`[name=pin]`), "102938"), chromedp.Click(chromedp.CSS(`button[value=kept]`)))
		owner.until("it is refused, and has an address", `document.querySelector("[role=alert]") != null && location.pathname.startsWith("/again/")`)
		owner.stays("3B")
	})
}

// stays wants words of a page, or in a field of it, to be there after the language was changed twice, after a reload, and
// when somebody comes back to it.
func (b *tab) stays(words string) {
	b.t.Helper()
	there := fmt.Sprintf(`(document.body.innerText + [...document.querySelectorAll("input")].map((i) => i.value)).includes(%q)`, words)
	now := eval[string](b, `document.documentElement.lang`)
	for _, want := range []string{map[string]string{"zh": "en", "en": "zh"}[now], now} {
		b.do(chromedp.Click(chromedp.CSS(`form[action="/language"] button`)))
		b.until("the page speaks "+want, fmt.Sprintf(`document.documentElement.lang == %q && %s`, want, there))
	}
	b.do(chromedp.Reload())
	b.until("a reload shows it", there)
	b.do(chromedp.Navigate(b.base + "/certificate"))
	eval[bool](b, `history.back(), true`)
	b.until("going back shows it", there)
}

// typedStays: step 1 of a check-in, of which nothing was sent yet.
func typedStays(t *testing.T, b *tab) {
	b.do(chromedp.Navigate(b.base+"/people"), chromedp.Click(chromedp.CSS(`form[action="/people/desk"] button`)))
	b.until("step 1", `document.querySelector("[name=number]") != null`)
	b.do(chromedp.SendKeys(chromedp.CSS(`[name=number]`), "E0000000"), chromedp.SendKeys(chromedp.CSS(`[name=person]`), "Test Person"), chromedp.Click(chromedp.CSS(`[name=flat][value="3A"]`)))
	eval[bool](b, `document.querySelector("[name=document]").value = "passport"; window.here = true`)
	const typed = `["passport", "E0000000", "Test Person", "3A"].join() == [document.querySelector("[name=document]").value, document.querySelector("[name=number]").value, document.querySelector("[name=person]").value, document.querySelector("[name=flat]:checked").value].join()`
	for language, words := range map[string]string{"en": "Check in · Step 1", "zh": "登记入住"} {
		if eval[string](b, `document.documentElement.lang`) == language {
			continue
		}
		b.do(chromedp.Click(chromedp.CSS(`form[action="/language"] button`)))
		b.until("the page speaks "+language, fmt.Sprintf(`document.documentElement.lang == %q && document.body.innerText.includes(%q)`, language, words[:6]))
		if !eval[bool](b, `window.here && `+typed) {
			t.Error("what was typed is gone")
		}
		b.accessible("step 1 in " + language)
	}
}
