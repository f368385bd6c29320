package main_test

import (
	"fmt"
	"gatehouse/internal/web/webtest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestScreens makes the pictures of docs/screens again (make screens).
func TestScreens(t *testing.T) {
	dir := webtest.Directory(t)
	browser := webtest.Chromium(t)
	h := newHouse(t)
	base := h.page()
	guest := open(t, browser, base, "/")
	picture(guest, dir, "/welcome", "welcome")
	h.owner()
	picture(guest, dir, "/login", "login")
	landlord := open(t, browser, base, "/login")
	landlord.do(chromedp.SetValue(chromedp.CSS(`[name=name]`), name), chromedp.SendKeys(chromedp.CSS(`[name=password]`), secret), chromedp.Click(chromedp.CSS(`main button`)))
	landlord.until("the owner is at the doors", `location.pathname == "/doors"`)
	must(t, h.board.Set("yard-contact", true)) // something to see
	landlord.says("Held open")
	seen := map[string]bool{}
	for _, path := range h.screens(base) {
		screen := strings.ReplaceAll(strings.Trim(path, "/"), "/", "-")
		if screen == "" || screen == "nowhere" || screen == "login" || screen == "fire" || screen == "resident" || screen == "resident-front" || screen == "pass" || seen[screen] {
			continue
		}
		seen[screen] = true
		picture(landlord, dir, path, screen)
	}
	picture(guest, dir, "/resident/front", "resident-alone")
}

// picture takes a screen in both languages, as a phone and as a desk has it.
func picture(b *tab, dir, path, screen string) {
	b.t.Helper()
	shots(b, dir, screen, func() { b.do(chromedp.Navigate(b.base + path)) })
}

// shots takes what a tab shows once it was brought there, in both languages, as a phone and as a desk has it.
func shots(b *tab, dir, screen string, bring func()) {
	b.t.Helper()
	for _, lang := range []string{"zh", "en"} {
		b.speak(lang)
		bring()
		for suffix, width := range webtest.Widths {
			b.do(chromedp.EmulateViewport(width, 600))
			b.until(screen+" speaks "+lang, fmt.Sprintf(`document.documentElement.lang == %q`, lang))
			png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
			must(b.t, err)
			webtest.Write(b.t, filepath.Join(dir, screen+suffix+"-"+lang+".png"), png)
		}
	}
}
