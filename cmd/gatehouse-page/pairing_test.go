package main_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"gatehouse/device/osdp/osdptest"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/issue"
	"gatehouse/internal/web/webtest"
	"gatehouse/sync/wire"
)

// osdpText is siteText's front door with an OSDP reader at a pseudo-terminal.
var osdpText = strings.NewReplacer(`type = "wiegand"`, `type = "osdp"`, "chip = \"sim0\"\nd0 = 0\nd1 = 1\nformats = [\"H10301\"]", "port = \"%[1]s/tty\"\naddress = 0").Replace(siteText)

// osdpHouse is a house at whose front door hangs an OSDP reader as it is delivered.
type osdpHouse struct {
	*house
	reader *osdptest.Reader
	line   *osdptest.Line
}

func newOSDPHouse(t *testing.T) *osdpHouse {
	t.Helper()
	h := &osdpHouse{house: newBoard(t, 0), reader: osdptest.NewReader(osdptest.Config{Install: true, Enforce: true})}
	var err error
	h.line, err = osdptest.NewTerminal(filepath.Join(h.dir, "tty"), h.reader)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = h.line.Run(ctx); _ = h.line.Close() }()
	t.Cleanup(func() { cancel(); <-done })
	h.issuer, h.building = gatewaytest.Keys(t, filepath.Join(h.dir, "state"))
	h.serve()
	_, err = issue.Issuer{Client: h.client, Key: h.issuer}.Edit(t.Context(), func(e *grantlist.Editor) error {
		_, err := e.Add(grantlist.NewGrant{Kind: wire.GrantResident, Doors: []string{"front"}, Credentials: []wire.CredentialID{h.building.Identify(card(t))}, Label: "3B"})
		return err
	})
	must(t, err)
	return h
}

func (h *osdpHouse) serve() { h.serveSite(osdpText) }

// has exchanges the reader's key; nil: the one that everybody knows. It loses its session.
func (h *osdpHouse) has(key *[16]byte) {
	h.reader.SetKey(key, key == nil)
	h.reader.Reboot()
}

// opens holds the resident's card to the reader until the door is released, and waits until it is locked.
func (h *osdpHouse) opens() {
	h.t.Helper()
	before := h.released.Load()
	h.eventually("the card opens", func() bool {
		h.reader.Present(card(h.t))
		return h.released.Load() > before
	})
	h.locked()
}

// keyFile is the content of one of the reader's key files; empty: there is none.
func (h *osdpHouse) keyFile(suffix string) string {
	raw, _ := os.ReadFile(filepath.Join(h.dir, "state/readers/front-in.key"+suffix))
	return strings.TrimSpace(string(raw))
}

// paired checks that reader and gateway have the same key, which opens the way for cards.
func (h *osdpHouse) paired() {
	h.t.Helper()
	key := h.reader.State().Key
	if key == nil || h.keyFile("") != fmt.Sprintf("%x", *key) || h.keyFile(".next") != "" {
		h.t.Errorf("reader %x, gateway %q and %q", key, h.keyFile(""), h.keyFile(".next"))
	}
	h.opens()
}

// windows are the windows in the log, by who opened them.
func (h *osdpHouse) windows() (by []string) {
	h.t.Helper()
	must(h.t, h.client.Log(h.t.Context(), control.LogQuery{Last: -1}, func(e control.LogEntry) error {
		if e.Kind == wire.KindCommand.String() && e.Reason == wire.Reason(wire.ReasonInstallOpened).String() {
			by = append(by, e.By)
		}
		return nil
	}))
	return by
}

const giveKey = `form[action="/doors/front/readers/in/install"] button`

// TestPairing is a landlord who gives a reader its own key, in a real browser over a real gateway,
// and what may go wrong meanwhile.
func TestPairing(t *testing.T) {
	t.Parallel()
	browser := webtest.Chromium(t)
	h := newOSDPHouse(t)
	h.owner()
	b := open(t, browser, h.page(), "/login")
	b.do(chromedp.SetValue(chromedp.CSS(`[name=name]`), name), chromedp.SendKeys(chromedp.CSS(`[name=password]`), secret), chromedp.Click(chromedp.CSS(`main button`)))
	b.until("the owner is at the doors", `location.pathname == "/doors"`)
	b.speak("zh")
	toReader := func() {
		t.Helper()
		b.do(chromedp.Navigate(b.base + "/doors"))
		b.until("the door leads to its reader", `document.querySelector('a[href="/doors/front/readers/in"]') !== null`)
		b.click(`a[href="/doors/front/readers/in"]`)
		b.until("its screen is there", fmt.Sprintf(`document.querySelector(%q) !== null`, giveKey))
	}
	t.Run("as it is delivered", func(t *testing.T) {
		toReader()
		audit(t, b, "/doors/front/readers/in")
		b.speak("zh")
		b.do(chromedp.Navigate(b.base + "/doors/front/readers/in"))
		b.press(giveKey, "已经加密")
		h.paired()
		if by := h.windows(); len(by) != 1 || !strings.HasPrefix(by[0], "owner-") {
			t.Errorf("windows in the log: by %q", by)
		}
	})
	t.Run("it holds another key", func(t *testing.T) {
		h.has(&[16]byte{0x9f, 0x3c, 0x1d, 0x0b, 0x7a})
		toReader()
		b.press(giveKey, "读卡器里是别的钥匙")
		audit(t, b, "/doors/front/readers/in?tried=1")
		b.speak("zh")
		b.do(chromedp.Navigate(b.base + "/doors/front/readers/in?tried=1"))
		h.has(nil) // by its DIP switch, while the page waits
		b.says("已经加密")
		h.paired()
	})
	t.Run("it is unplugged meanwhile", func(t *testing.T) {
		h.has(nil)
		toReader()
		h.reader.SetDead(true)
		b.press(giveKey, "读卡器没有回应")
		b.press(`form[action="/doors/front/readers/in/stop"] button`, "给它钥匙")
		b.press(giveKey, "不等了")
		h.reader.SetDead(false)
		b.says("已经加密")
		h.paired()
	})
	t.Run("the power goes once the reader has the key", func(t *testing.T) {
		before := h.cut(b, toReader, osdptest.Drop, func() bool { return h.reader.State().Key != nil })
		if key := h.reader.State().Key; h.keyFile(".next") != fmt.Sprintf("%x", *key) || h.keyFile("") == h.keyFile(".next") {
			t.Errorf("at the cut: reader %x, gateway %q and %q", *key, h.keyFile(""), h.keyFile(".next"))
		}
		h.serve()
		b.do(chromedp.Navigate(b.base + "/doors/front/readers/in"))
		b.says("已经加密")
		h.paired()
		if n := len(h.windows()); n != before+1 {
			t.Errorf("%d windows, want %d: none after the cut", n, before+1)
		}
	})
	t.Run("the power goes before the reader has it", func(t *testing.T) {
		h.cut(b, toReader, osdptest.Deaf, func() bool { return h.keyFile(".next") != "" })
		h.serve()
		b.do(chromedp.Navigate(b.base + "/doors/front/readers/in?tried=1"))
		b.says("没有成")
		b.tabTo(giveKey)
		b.do(chromedp.KeyEvent(kb.Enter))
		b.says("已经加密")
		h.paired()
	})
}

// cut opens the window for a reader that was reset and whose answers to the new key go wrong, and
// ends the gateway once something is so. It returns how many windows there were before.
func (h *osdpHouse) cut(b *tab, toReader func(), wrong osdptest.Fault, when func() bool) (windows int) {
	h.t.Helper()
	windows = len(h.windows())
	h.has(nil)
	toReader()
	h.reader.Misbehave(osdptest.Mishap{Fault: wrong, Command: 0x75})
	b.press(giveKey, "不等了")
	h.eventually("the moment of the cut", when)
	must(h.t, h.running.Stop())
	h.reader.Behave()
	return windows
}
