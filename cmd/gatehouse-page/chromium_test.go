package main_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"gatehouse/internal/refusalstest"
	"gatehouse/internal/web/webtest"
)

// tab is one tab of a real Chromium, with cookies of its own.
type tab struct {
	t    testing.TB
	ctx  context.Context
	base string
}

// open opens a tab in a browser, as somebody has it who was never here.
func open(t testing.TB, browser context.Context, base, path string) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	b := &tab{t, ctx, base}
	b.do(chromedp.EmulateViewport(390, 844), chromedp.Navigate(base+path))
	return b
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	must(b.t, chromedp.Do(b.ctx, steps...))
}

// eval evaluates an expression in the tab; a promise is awaited.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%.100s: %v", expression, err)
	}
	return v
}

// until waits until an expression is true, also over the loading of another page.
func (b *tab) until(what, expression string) {
	b.t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("document.readyState == 'complete' && ("+expression+")", chromedp.EvalAwaitPromise)); err == nil && ok {
			return
		}
	}
	text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("location.href + ' ' + document.body.innerText"))
	b.t.Fatalf("never: %s\n%s", what, text)
}

// says waits until the page has a text.
func (b *tab) says(words string) {
	b.t.Helper()
	b.until("the page says "+words, fmt.Sprintf("document.body.innerText.includes(%q)", words))
}

// speak chooses a language of the page, also while another page loads, which ends what is asked from the one before.
func (b *tab) speak(language string) {
	b.t.Helper()
	b.until("the page takes "+language, fmt.Sprintf(`fetch("/language", {method: "POST", body: new URLSearchParams({to: %q, back: "/more"})}).then((r) => r.ok)`, language))
}

// mouse does something with the left button in the middle of an element.
func (b *tab) mouse(what input.DispatchMouseEventType, selector string) {
	b.t.Helper()
	at := eval[[]float64](b, fmt.Sprintf(`{const e = document.querySelector(%q); e.scrollIntoView({block: "center"}); const r = e.getBoundingClientRect(); [r.x + r.width/2, r.y + r.height/2]}`, selector))
	b.do(chromedp.MouseEvent(what, at[0], at[1], chromedp.ButtonLeft, func(p *input.DispatchMouseEventParams) { p.ClickCount = 1 }))
}

// key presses or lets go a key.
func (b *tab) key(what input.DispatchKeyEventType, r rune) {
	b.t.Helper()
	for _, k := range kb.Encode(r) {
		if k.Type == what {
			b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
				_, err := cdp.Call(ctx, t, input.DispatchKeyEvent, *k)
				return err
			}))
		}
	}
}

const openFront = `form[action="/doors/front/release"] button`

// TestChromium is a landlord at the page, in a real browser over a real gateway.
func TestChromium(t *testing.T) {
	t.Parallel()
	browser := webtest.Chromium(t)
	h := newHouse(t)
	base := h.page()
	b := open(t, browser, base, "/")
	t.Run("a screen reader before there is an owner", func(t *testing.T) { audit(t, b, "/welcome") })
	t.Run("first run", func(t *testing.T) { firstRun(t, h, b) })
	t.Run("doors are live", func(t *testing.T) { liveDoors(t, h, b) })
	t.Run("language", func(t *testing.T) { language(t, b) })
	t.Run("hold to open", func(t *testing.T) { holdToOpen(t, h, b) })
	t.Run("keyboard", func(t *testing.T) { keyboard(t, h, open(t, browser, base, "/")) })
	t.Run("a screen reader", func(t *testing.T) { audit(t, b, h.screens(base)...) })
	t.Run("a screen reader at the sign-in", func(t *testing.T) { audit(t, open(t, browser, base, "/login"), "/login") })
}

// firstRun: a wrong code is told, the right one as it is typed on a Chinese keyboard is taken.
func firstRun(t *testing.T, h *house, b *tab) {
	b.speak("zh")
	b.do(chromedp.Navigate(b.base + "/"))
	code, err := h.accounts.Code()
	must(t, err)
	wide := strings.Map(func(r rune) rune { return r - '0' + '０' }, code)
	fill := func(code string) {
		b.do(chromedp.SendKeys(chromedp.CSS(`[name=code]`), code), chromedp.SendKeys(chromedp.CSS(`[name=password]`), secret), chromedp.Click(chromedp.CSS(`main button`)))
	}
	fill("00000000")
	b.says("代码不对")
	if h.accounts.Claimed() {
		t.Fatal("a wrong code made an owner")
	}
	fill(wide[:len(wide)/2] + " " + wide[len(wide)/2:])
	b.until("the owner is at the doors", `location.pathname == "/doors"`)
	b.says("大门")
}

// liveDoors: a door that is held open shows without a click, and that it is closed again.
func liveDoors(t *testing.T, h *house, b *tab) {
	b.do(chromedp.Navigate(b.base + "/doors"))
	b.says("正常")
	eval[bool](b, `window.here = true`)
	must(t, h.board.Set("yard-contact", true))
	b.says("门没关上")
	must(t, h.board.Set("yard-contact", false))
	b.until("the door is in order again", `!document.querySelector("#live").innerText.includes("门没关上")`)
	if !eval[bool](b, `window.here === true`) {
		t.Error("the page was loaded again")
	}
}

// language: a click changes it, on the same screen.
func language(t *testing.T, b *tab) {
	b.do(chromedp.Navigate(b.base + "/todo"))
	for _, want := range []string{"en", "zh", "en"} {
		b.do(chromedp.Click(chromedp.CSS(`form[action="/language"] button`)))
		b.until("the page speaks "+want, fmt.Sprintf(`document.documentElement.lang == %q && location.pathname == "/todo"`, want))
	}
	if h1 := eval[string](b, `document.querySelector("h1").innerText`); h1 != "To do" {
		t.Errorf("heading %q", h1)
	}
}

// holdToOpen: a click does nothing; a second of it opens the door, once, and is journaled as
// a command; a click without a press, as a screen reader makes it, asks first.
func holdToOpen(t *testing.T, h *house, b *tab) {
	b.do(chromedp.Navigate(b.base + "/doors"))
	eval[bool](b, `window.sent = 0; document.addEventListener("submit", (e) => { e.preventDefault(); window.sent++; }); true`)
	b.mouse(chromedp.MousePressed, openFront)
	b.mouse(chromedp.MouseReleased, openFront)
	if n := eval[int](b, `window.sent`); n != 0 {
		t.Errorf("a click sent the form %d times", n)
	}
	b.mouse(chromedp.MousePressed, openFront)
	b.until("a press of a second sends the form", `window.sent > 0`)
	b.mouse(chromedp.MouseReleased, openFront)
	if n := eval[int](b, `window.sent`); n != 1 {
		t.Errorf("a press that is let go late sent the form %d times", n)
	}

	b.do(chromedp.Navigate(b.base + "/doors"))
	released, commands := h.released.Load(), h.commands()
	b.mouse(chromedp.MousePressed, openFront)
	b.until("the page says that the door was opened", `location.search == "?opened=front"`)
	b.mouse(chromedp.MouseReleased, openFront)
	h.eventually("the door is released", func() bool { return h.released.Load() == released+1 })
	h.eventually("the command is in the log", func() bool { return h.commands() == commands+1 })
	h.locked()

	b.do(chromedp.Navigate(b.base + "/doors"))
	eval[bool](b, fmt.Sprintf(`window.confirm = (words) => { window.asked = words; return false; }; document.querySelector(%q).click(); true`, openFront))
	if asked := eval[string](b, `window.asked`); asked == "" {
		t.Error("a click without a press was not asked about")
	}
	eval[bool](b, fmt.Sprintf(`window.confirm = () => true; document.querySelector(%q).click(); true`, openFront))
	b.until("the page says that the door was opened", `location.search == "?opened=front"`)
	h.locked()
	if n := h.commands(); n != commands+2 {
		t.Errorf("the log has %d commands, want %d", n, commands+2)
	}
}

// keyboard: all of it without a mouse, and the focus is seen at each step.
func keyboard(t *testing.T, h *house, b *tab) {
	b.until("the sign-in waits for the password", `document.activeElement.name == "password"`)
	b.do(chromedp.KeyEvent(kb.Shift+kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
	b.until("the name is before it", `document.activeElement.name == "name"`)
	eval[bool](b, `document.activeElement.select() || true`)
	b.do(chromedp.KeyEvent("房东"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(secret), chromedp.KeyEvent(kb.Enter))
	b.until("the owner is at the doors", `location.pathname == "/doors"`)
	h.headKeepsFocus(b)
	b.tabTo(openFront)
	const bad = `document.querySelector("#live .state.bad") !== null`
	for _, held := range []bool{true, false} { // the list is another one, and the focus is where it was
		must(t, h.board.Set("yard-contact", held))
		b.until("the other door is shown as it is", fmt.Sprintf("(%s) === %v", bad, held))
		if !eval[bool](b, fmt.Sprintf(`document.activeElement.matches(%q)`, openFront)) {
			t.Errorf("the focus is at %s", eval[string](b, `document.activeElement.outerHTML`))
		}
	}
	commands := h.commands()
	b.key(kb.KeyDown, '\r')
	b.until("the page says that the door was opened", `location.search == "?opened=front"`)
	b.key(kb.KeyUp, '\r')
	h.locked()
	b.tabTo(openFront)
	b.key(kb.KeyDown, ' ')
	b.until("the form is sent once more", fmt.Sprintf(`!document.activeElement.matches(%q)`, openFront))
	b.key(kb.KeyUp, ' ')
	h.locked()
	if n := h.commands(); n != commands+2 {
		t.Errorf("the log has %d commands, want %d", n, commands+2)
	}
}

// headKeepsFocus: while the head of the page becomes another one, the focus stays at a link of it, and
// goes to the content when that is gone.
func (h *house) headKeepsFocus(b *tab) {
	h.t.Helper()
	const link = `#state a[href="/doors"]`
	shown := func(what, is string) {
		h.t.Helper()
		b.until(what, fmt.Sprintf("document.querySelector(%q)%s", link, is))
	}
	must(h.t, h.board.Set("yard-contact", true))
	shown("the head leads to a door", " !== null")
	eval[bool](b, fmt.Sprintf("document.querySelector(%q).focus() || true", link))
	before := eval[string](b, fmt.Sprintf("document.querySelector(%q).textContent", link))
	must(h.t, h.board.Set("front-contact", true))
	shown("and to another one", fmt.Sprintf(".textContent !== %q", before))
	if !eval[bool](b, fmt.Sprintf("document.activeElement.matches(%q)", link)) {
		h.t.Errorf("the focus is at %.100s", eval[string](b, `document.activeElement.outerHTML`))
	}
	must(h.t, errors.Join(h.board.Set("yard-contact", false), h.board.Set("front-contact", false)))
	shown("all is well again", " === null")
	if id := eval[string](b, `document.activeElement.id`); id != "main" {
		h.t.Errorf("the focus is at %q", id)
	}
	b.do(chromedp.Reload())
}

// tabTo presses the tab key until something has the focus, which is seen at each step.
func (b *tab) tabTo(selector string) {
	b.t.Helper()
	for step := 0; !eval[bool](b, fmt.Sprintf(`document.activeElement.matches(%q)`, selector)); step++ {
		if step > 30 {
			b.t.Fatalf("the tab key does not come to %s", selector)
		}
		b.do(chromedp.KeyEvent(kb.Tab))
		if step == 0 && eval[string](b, `document.activeElement.className`) != "skip" {
			b.t.Error("the first thing that the tab key finds does not skip to the content")
		}
		if eval[string](b, `getComputedStyle(document.activeElement).outlineStyle`) != "solid" {
			b.t.Errorf("nobody sees that %s has the focus", eval[string](b, `document.activeElement.outerHTML`))
		}
	}
}

// screens are all pages that a signed-in owner can look at: docs/refusals.md lists the
// routes, and a test of package web compares.
func (h *house) screens(base string) (all []string) {
	h.t.Helper()
	page, err := os.ReadFile(filepath.FromSlash("../../docs/refusals.md"))
	must(h.t, err)
	lines, _ := refusalstest.Block(string(page), "page")
	c := h.signIn(base, "127.0.0.1")
	_, err = h.client.Doors.AskForProofs(h.t.Context()) // so that there is something to see
	must(h.t, err)
	_, err = h.client.Doors.Prove(h.t.Context(), "yard", "lock", "begin")
	must(h.t, err)
	for _, line := range lines {
		pattern, _, _ := strings.Cut(line, ": ")
		path, get := strings.CutPrefix(pattern, "GET ")
		if !get || strings.Contains(path, "{") {
			continue
		}
		resp, err := c.Get(base + path)
		must(h.t, err)
		if resp.StatusCode == http.StatusOK && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
			all = append(all, path)
		}
		must(h.t, resp.Body.Close()) // a live one has no end
	}
	if len(all) < 4 {
		h.t.Errorf("only %v", all)
	}
	return append(all, "/prove/yard", "/resident/front", "/nowhere")
}

// audit looks at screens in both languages, in Chinese light and in English dark: axe finds
// nothing serious, and they weigh little.
func audit(t *testing.T, b *tab, paths ...string) {
	heaviest, where := 0, ""
	for _, way := range [][2]string{{"en", "dark"}, {"zh", "light"}} { // light last, as pictures are
		lang, scheme := way[0], way[1]
		b.speak(lang)
		b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
			return err
		}))
		for _, path := range paths {
			b.do(chromedp.Navigate(b.base + path))
			b.until(path+" speaks "+lang, fmt.Sprintf(`document.documentElement.lang == %q && document.querySelectorAll("h1").length == 1`, lang))
			if n := b.accessible(fmt.Sprintf("%s in %s, %s", path, lang, scheme)); n > heaviest {
				heaviest, where = n, path
			}
		}
	}
	t.Logf("%d screens in two languages; the heaviest is %s with %d bytes", len(paths), where, heaviest)
}

// accessible wants what webtest.Audit does of what a tab shows, and returns its bytes.
func (b *tab) accessible(where string) int {
	b.t.Helper()
	return webtest.Audit(b.ctx, b.t, where)
}
