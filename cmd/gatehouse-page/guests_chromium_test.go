package main_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"gatehouse/device/devicetest"
	"gatehouse/internal/control"
	"gatehouse/internal/desk"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/web/webtest"
	"gatehouse/sync/wire"
)

// The tenant of the tests lives in 3B and has chosen this PIN with the card.
const tenantPIN = "471108"

// guestHouse is a house whose front door takes guest codes at keys and whose yard takes them at a scanner, with a tenant.
func guestHouse(t testing.TB) *house {
	t.Helper()
	h := newBoard(t, 0)
	h.issuer, h.building = gatewaytest.Keys(t, filepath.Join(h.dir, "state"))
	gatewaytest.Town{Issuer: h.issuer, CA: []byte{0}, House: wire.House{Flats: []string{"3A", "3B"}}, Doors: []string{"front", "yard"}}.Enrol(t, filepath.Join(h.dir, "state"))
	scanner, err := devicetest.NewSerialTerminal(filepath.Join(h.dir, "qr"), "code")
	must(t, err)
	t.Cleanup(func() { _ = scanner.Close() })
	h.serveSite(strings.Replace(siteText, `formats = ["H10301"]`, `formats = ["H10301"]`+"\nkeypad = {kind = \"key8\"}\npin = \"only\"", 1) +
		"[[door.reader]]\nid = \"scanner\"\ntype = \"code\"\nport = \"" + scanner.Path() + "\"\n")
	_, err = h.client.ConfirmClock(t.Context())
	must(t, err)
	d, err := h.client.OpenDesk(t.Context(), control.DeskRequest{})
	must(t, err)
	counter := h.running.Gateway().Desk
	_, _, err = counter.Show(d.Session, false, card(t))
	must(t, err)
	_, err = h.client.CheckIn(t.Context(), d.Session, control.CheckIn{Document: "passport", Number: "E0000000", Name: "Test Person", Flat: "3B", Basis: "contract", Informed: true})
	must(t, err)
	visit, err := counter.Begin(true)
	must(t, err)
	_, _, err = counter.Show(visit.ID, true, card(t))
	must(t, err)
	_, err = counter.Change(t.Context(), desk.Request{Session: visit.ID, Action: "pin", Proof: "card", NewPIN: tenantPIN})
	must(t, err)
	counter.Leave(visit.ID)
	return h
}

// asResident fills in who asks, with the questions about guests open.
func (b *tab) asResident() {
	b.t.Helper()
	b.do(chromedp.Navigate(b.base + "/resident"))
	b.do(chromedp.SendKeys(chromedp.CSS(`[name=flat]`), "3B"), chromedp.SendKeys(chromedp.CSS(`[name=pin]`), tenantPIN), chromedp.Click(chromedp.CSS(`summary`)))
}

// given asks for a guest code on the tenant's own phone, and returns its digits.
func (b *tab) given() string {
	b.t.Helper()
	b.asResident()
	b.do(chromedp.Click(chromedp.CSS(`button[value=guest]`)))
	b.until("the guest code is shown", `document.querySelector(".codes") != null`)
	return strings.TrimSuffix(eval[string](b, `document.querySelector(".codes").innerText`), " #")
}

// scripts switches the scripts of a tab on or off.
func (b *tab) scripts(on bool) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
		return err
	}))
}

// widths looks at what a tab shows as a phone and as a desk has it: axe finds nothing serious, and nothing is cut off.
func (b *tab) widths(where string) {
	b.t.Helper()
	for suffix, width := range webtest.Widths {
		b.do(chromedp.EmulateViewport(width, 844))
		b.t.Logf("%s: %d bytes", where+suffix, b.accessible(where+suffix))
		if n := eval[int64](b, `document.documentElement.scrollWidth`); n > width {
			b.t.Errorf("%s is %d wide on a screen of %d", where, n, width)
		}
	}
}

// TestGuestsInChromium is a tenant who invites somebody, and a visitor who has the link, in a real browser over a real
// gateway, in both languages.
func TestGuestsInChromium(t *testing.T) {
	t.Parallel()
	all := webtest.Chromium(t)
	h := guestHouse(t)
	h.owner()
	base := h.page()
	b := open(t, all, base, "/resident")
	digits := ""
	for _, language := range []string{"zh", "en"} {
		b.speak(language)
		b.asResident()
		b.widths("the questions about a guest code, " + language)
		digits = b.given()
		b.widths("a guest code, " + language)
	}
	t.Run("Enter after the PIN", func(t *testing.T) { enterAsks(t, h, open(t, all, base, "/resident")) })
	t.Run("send", func(t *testing.T) { sendToGuest(t, b, digits) })
	link := eval[string](b, `document.querySelector("[data-send] input").value`)
	if want := base + "/pass#" + digits; link != want {
		t.Fatalf("the link is %q, want %q", link, want)
	}
	t.Run("the link", func(t *testing.T) { visitorsLink(t, open(t, all, base, strings.TrimPrefix(link, base)), digits) })
	t.Run("without a script", func(t *testing.T) { withoutScript(t, open(t, all, base, "/resident"), digits) })
	t.Run("at the desk", func(t *testing.T) { guestAtDesk(t, h, open(t, all, base, "/login"), digits) })
}

// enterAsks: Enter in a field asks what is to be done, and does nothing of it; what was typed stays in the page, and
// without a script the flat does. No try is used.
func enterAsks(t *testing.T, h *house, b *tab) {
	for _, script := range []bool{true, false} {
		b.scripts(script)
		for range 7 { // more than there are tries of wrong ones
			b.do(chromedp.Navigate(b.base+"/resident"), chromedp.SendKeys(chromedp.CSS(`[name=flat]`), "3B"), chromedp.SendKeys(chromedp.CSS(`[name=pin]`), tenantPIN[:5]+"9"), chromedp.KeyEvent(kb.Enter))
			if script {
				b.until("the question has the focus, and the PIN stays", `document.activeElement.id == "what" && document.querySelector("[name=pin]").value.length == 6`)
				b.accessible("the question what is to be done")
				continue
			}
			b.until("it asks, and the flat stays", `document.querySelector("main [role=status]") != null && document.querySelector("[name=flat]").value == "3B" && document.querySelector("[name=pin]").value == ""`)
		}
	}
	all, err := h.client.Tenancies(t.Context())
	must(t, err)
	for _, c := range all[0].Cards {
		if c.State != "active" {
			t.Errorf("Enter made a card %s", c.State)
		}
	}
	b.do(chromedp.Navigate(b.base+"/resident"), chromedp.SendKeys(chromedp.CSS(`[name=flat]`), "3B"), chromedp.SendKeys(chromedp.CSS(`[name=pin]`), tenantPIN), chromedp.Click(chromedp.CSS(`button[value=kept]`)))
	b.until("a try is left", `document.querySelector("dl") != null`)
}

// sendToGuest: the words are copied; the phone's sheet gets them with the picture; where there is none, the picture is
// saved, and it is said what to do.
func sendToGuest(t *testing.T, b *tab, digits string) {
	const button = `[data-send] button`
	saved := b.downloads()
	eval[bool](b, `document.addEventListener("copy", () => { window.copied = document.activeElement.value; }); delete Navigator.prototype.share; true`)
	b.mouse("mousePressed", button)
	b.mouse("mouseReleased", button)
	b.says("picture is saved")
	if words := eval[string](b, `window.copied`); !strings.Contains(words, digits) || !strings.Contains(words, "Front door") || !strings.Contains(words, "Yard") {
		t.Errorf("copied was %q", words)
	}
	saved("guest-code.png")
	eval[bool](b, `navigator.canShare = (d) => d.files.length == 1; navigator.share = async (d) => { window.shared = [d.text, d.files[0].name, d.files[0].type, new TextDecoder("latin1").decode(await d.files[0].arrayBuffer()).slice(1, 4)].join("|"); }; document.querySelector("[role=status][data-copied]").textContent = ""; true`)
	b.mouse("mousePressed", button)
	b.mouse("mouseReleased", button)
	b.until("the sheet has words and picture", `!!window.shared`)
	if got := eval[string](b, `window.shared`); !strings.Contains(got, digits) || !strings.HasSuffix(got, "|guest-code.png|image/png|PNG") {
		t.Errorf("shared was %q", got)
	}
	eval[bool](b, `navigator.share = async () => { window.shut = true; throw new DOMException("", "AbortError"); }; true`)
	b.mouse("mousePressed", button)
	b.mouse("mouseReleased", button)
	b.until("the sheet was closed", `window.shut === true`)
	if told := eval[string](b, `document.querySelector("[role=status][data-copied]").textContent`); told != "" {
		t.Errorf("a sheet that was closed is told as %q", told)
	}
}

// downloads lets a tab save files, and returns what waits for one, a PNG.
func (b *tab) downloads() func(name string) {
	b.t.Helper()
	dir := b.t.TempDir()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, BrowserContextID: chromedp.FromContext(ctx).BrowserContextID, DownloadPath: dir})
		return err
	}))
	return func(name string) {
		b.t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err == nil && strings.HasPrefix(string(data), "\x89PNG") {
				return
			}
			if time.Now().After(end) {
				b.t.Fatalf("never saved: %s, %v", name, err)
			}
		}
	}
}

// visitorsLink: the pass is shown at once, and no address, history or fetched file has the digits; a second link in the
// same tab, and one that is good for nothing.
func visitorsLink(t *testing.T, b *tab, digits string) {
	const nowhere = `/^\/(again\/\w+\/)?pass$/.test(location.pathname) && location.hash == "" && navigation.entries().every((e) => !/\d{10}/.test(e.url)) && performance.getEntries().every((e) => !/\d{10}/.test(e.name)) && !/\d{10}/.test(document.referrer)`
	shown := fmt.Sprintf(`document.querySelector(".codes")?.innerText == %q && document.querySelector("svg.qr") != null && `, digits+" #") + nowhere
	b.until("the pass is shown", shown)
	for _, language := range []string{"zh", "en"} {
		b.speak(language)
		b.do(chromedp.Navigate(b.base + "/pass"))
		b.widths("the question for a guest code, " + language)
		eval[bool](b, fmt.Sprintf(`location.hash = %q; true`, digits))
		b.until("another link in the same tab", shown)
		b.widths("a pass, " + language)
	}
	b.do(chromedp.Navigate(b.base + "/pass#1234567890"))
	b.says("No guest code that is good")
	if !eval[bool](b, nowhere) || strings.Contains(eval[string](b, `document.documentElement.outerHTML`), "1234567890") {
		t.Error("the digits of a link that is good for nothing are kept")
	}
	b.widths("no pass")
}

// withoutScript: the words and the picture of a guest code can be taken, and its digits typed.
func withoutScript(t *testing.T, b *tab, digits string) {
	b.speak("en")
	b.scripts(false)
	saved := b.downloads()
	b.given()
	if eval[bool](b, `document.querySelector("[data-send] button").checkVisibility()`) || !eval[bool](b, `document.querySelector("[data-send] textarea").checkVisibility()`) {
		t.Error("without a script there is a button that does nothing, or no words")
	}
	b.do(chromedp.Click(chromedp.CSS(`[data-send] a[download]`)))
	saved("guest-code.png")
	b.do(chromedp.Navigate(b.base + "/pass#" + digits))
	b.do(chromedp.SendKeys(chromedp.CSS(`[name=digits]`), digits), chromedp.Click(chromedp.CSS(`main button`)))
	b.until("the pass is shown", fmt.Sprintf(`document.querySelector(".codes")?.innerText == %q`, digits+" #"))
}

// guestAtDesk: P3 gives one with the PIN, and ends another, whose pass is then as unknown as any.
func guestAtDesk(t *testing.T, h *house, b *tab, digits string) {
	tenancy := h.guestVisit(b)
	for _, language := range []string{"zh", "en"} {
		b.speak(language)
		b.do(chromedp.Navigate(b.base + "/people/desk"))
		b.widths("a guest code at the desk, " + language)
	}
	b.do(chromedp.Navigate(b.base + "/people/" + tenancy))
	b.widths("a tenancy with guest codes")
	for n := eval[int](b, ended); n > 0; n-- {
		b.do(chromedp.Click(chromedp.CSS(`form[action="/people/guest/end"] button`)))
		b.until("it is ended", fmt.Sprintf(`%s == %d`, ended, n-1))
	}
	b.do(chromedp.Navigate(b.base + "/pass#" + digits))
	b.says("No guest code that is good")
}

// ended counts the guest codes that a landlord can end.
const ended = `document.querySelectorAll("form[action='/people/guest/end']").length`

// guestVisit gives a guest code at the desk, looks at the questions of it, and returns the tenancy.
func (h *house) guestVisit(b *tab) string {
	h.t.Helper()
	b.speak("en")
	b.do(chromedp.Navigate(b.base+"/login"), chromedp.SetValue(chromedp.CSS(`[name=name]`), name), chromedp.SendKeys(chromedp.CSS(`[name=password]`), secret), chromedp.Click(chromedp.CSS(`main button`)))
	b.until("the owner is at the doors", `location.pathname == "/doors"`)
	all, err := h.client.Tenancies(h.t.Context())
	must(h.t, err)
	b.do(chromedp.Navigate(b.base+"/people/"+all[0].ID), chromedp.Click(chromedp.CSS(`form:has([value=guest]) button`)))
	b.until("the desk asks", `document.querySelector("[name=from]") != null`)
	b.widths("the questions of the desk")
	b.do(chromedp.Click(chromedp.CSS(`button[value=pin]`)))
	b.until("the desk asks for the PIN", `document.querySelector("[name=pin]") != null`)
	b.do(chromedp.SendKeys(chromedp.CSS(`[name=pin]`), tenantPIN), chromedp.Click(chromedp.CSS(`form:has([name=pin]) button`)))
	b.until("the guest code is shown", `document.querySelector(".codes") != null`)
	return all[0].ID
}

// TestScreensOfGuests makes the pictures of a guest code, at the desk and on the tenant's own phone, and of the visitor's
// (make screens).
func TestScreensOfGuests(t *testing.T) {
	dir := webtest.Directory(t)
	all := webtest.Chromium(t)
	h := guestHouse(t)
	h.owner()
	base := h.page()
	resident, visitor, landlord := open(t, all, base, "/resident"), open(t, all, base, "/pass"), open(t, all, base, "/login")
	picture(visitor, dir, "/pass", "pass")
	picture(resident, dir, "/resident", "resident")
	picture(resident, dir, "/resident/front", "resident-front")
	digits := ""
	shots(resident, dir, "resident-guest", func() { digits = resident.given() })
	shots(resident, dir, "resident-guest-ask", resident.asResident)
	shots(visitor, dir, "pass-shown", func() {
		visitor.do(chromedp.Navigate(base+"/"), chromedp.Navigate(base+"/pass#"+digits))
		visitor.until("the pass is shown", `document.querySelector(".codes") != null`)
	})
	tenancy := h.guestVisit(landlord)
	picture(landlord, dir, "/people/desk", "desk-guest")
	picture(landlord, dir, "/people/"+tenancy, "tenancy-guests")
	picture(landlord, dir, "/stickers", "stickers-registry")
}
