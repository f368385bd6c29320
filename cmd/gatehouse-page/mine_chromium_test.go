package main_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"gatehouse/internal/control"
	"gatehouse/internal/web/webtest"
)

// ownCard asks for the own entries on a phone, at a door's sticker, and holds the card up twice.
func (h *house) ownCard(b *tab) {
	h.t.Helper()
	b.do(chromedp.Navigate(b.base+"/resident/front"), chromedp.SendKeys(chromedp.CSS(`[name=flat]`), "3B"), chromedp.SendKeys(chromedp.CSS(`[name=pin]`), tenantPIN), chromedp.Click(chromedp.CSS(`button[value=mine]`)))
	b.until("the card is asked for", `document.querySelector("form[action='/mine/card']") != null`)
	b.do(chromedp.Click(chromedp.CSS(`form[action="/mine/card"] button`)))
	h.locked()
	time.Sleep(1600 * time.Millisecond) // sooner it is the same presentation
	h.swipe()
	h.locked()
	time.Sleep(1600 * time.Millisecond)
	must(h.t, h.source.Send(card(h.t)))
	b.until("the own entries are shown", `document.querySelector("form[action='/mine/correct']") != null`)
}

// TestOwnEntriesInChromium is a resident with a phone at the front door, over a real gateway, with and without scripts, in both
// languages: entries, a request for a correction and the end; what the landlord sees is the same before and after.
func TestOwnEntriesInChromium(t *testing.T) {
	t.Parallel()
	all := webtest.Chromium(t)
	h := guestHouse(t)
	h.owner()
	b := open(t, all, h.page(), "/resident/front")
	before := h.landlordSees()
	said := map[string][]string{"zh": {"卡被接受", "登记入住", "请向登记中心询问"}, "en": {"Card accepted", "check-in", "ask there"}}
	for _, language := range []string{"zh", "en"} { // what follows is read in English
		b.speak(language)
		b.scripts(language == "zh")
		h.ownCard(b)
		b.scripts(true)
		for _, w := range said[language] {
			b.says(w)
		}
		b.do(chromedp.Navigate(b.base + "/mine"))
		b.widths("the own entries, " + language)
	}
	b.do(chromedp.SendKeys(chromedp.CSS(`textarea[name=text]`), "3C 440000"), chromedp.Click(chromedp.CSS(`form[action="/mine/correct"] button`)))
	b.says("so many digits in a row")
	b.do(chromedp.SetValue(chromedp.CSS(`textarea[name=text]`), "3C"), chromedp.Click(chromedp.CSS(`form[action="/mine/correct"] button`)))
	b.says("Your request is in the log, number ")
	b.widths("the own entries, with a request")
	b.do(chromedp.Click(chromedp.CSS(`form[action="/mine/leave"] button`)))
	b.says("It is closed")
	b.do(chromedp.Navigate(b.base + "/mine"))
	if strings.Contains(eval[string](b, `document.body.innerText`), "Card accepted") {
		t.Error("it is closed and shows entries")
	}
	if after := h.landlordSees(); after != before {
		t.Errorf("the landlord saw\n%s\nand sees\n%s", before, after)
	}
}

// landlordSees is the owner's log, by what stands there.
func (h *house) landlordSees() string {
	h.t.Helper()
	var all []string
	must(h.t, h.client.Log(h.t.Context(), control.LogQuery{Last: -1}, func(e control.LogEntry) error {
		all = append(all, e.Time.Format(time.RFC3339Nano)+" "+e.Kind+" "+e.Reason+" "+e.Outcome+" "+e.Door)
		return nil
	}))
	return strings.Join(all, "\n")
}
