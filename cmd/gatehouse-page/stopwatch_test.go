package main_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/internal/acceptance"
	"gatehouse/internal/control"
	"gatehouse/internal/control/server"
	"gatehouse/internal/control/server/setup"
	"gatehouse/internal/discovery"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/clock"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/site"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/webtest"
)

// The bar of a landlord's first hour, from a fresh gateway to the first opened door.
const (
	mostClicks = 15
	mostTyped  = 5
)

// box is the chip of a Raspberry Pi 4, wired as its profile proposes for the first door, a
// Wiegand reader among it.
const boxChip = "pinctrl-bcm2711"

// newBox starts a gateway that nobody has set up, and the page over its socket.
func newBox(t *testing.T) *house {
	t.Helper()
	dir, err := os.MkdirTemp("", "gp") // short: the path of a socket has 104 bytes at most
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	h := &house{t: t, dir: dir, socket: filepath.Join(dir, "sock"), client: control.NewClient(filepath.Join(dir, "sock"))}
	in := func(name string, offset int) devicetest.Line {
		return devicetest.Line{Name: name, Offset: offset, PullUp: true, ActiveLow: true}
	}
	h.board, err = devicetest.NewBoard(devicetest.BoardConfig{Chip: boxChip, Changed: h.moved, Lines: []devicetest.Line{
		{Name: "front-relay", Offset: 17, Output: true}, {Name: "relay2", Offset: 27, Output: true}, in("fire", 22), in("exit", 23), in("contact", 24),
		in("d0", 20), in("d1", 21), in("exit2", 25), in("contact2", 16), in("d0-2", 12), in("d1-2", 13)}})
	must(t, err)
	h.source = &devicetest.WiegandSource{Board: h.board, D0: "d0", D1: "d1", Interval: time.Millisecond, Pause: 80 * time.Millisecond}
	must(t, os.MkdirAll(filepath.Join(dir, "proc/device-tree"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "proc/device-tree/compatible"), []byte("raspberrypi,4-model-b\x00"), 0o644))
	remote, disconnect := gatewaytest.Connect(h.board)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.unpacked(ctx, remote) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		disconnect()
	})
	must(t, os.Mkdir(filepath.Join(dir, "page"), 0o700))
	h.accounts, err = account.Open(filepath.Join(dir, "page"))
	must(t, err)
	h.eventually("the daemon answers", func() bool { _, err := control.SettingUp(h.client).State(t.Context()); return err == nil })
	return h
}

// unpacked is the daemon as it comes out of its box: it waits until it is set up, and then
// serves the house.
func (h *house) unpacked(ctx context.Context, remote *devicetest.Remote) error {
	file := filepath.Join(h.dir, "etc", "site.toml")
	look := func([]string) site.Found {
		return site.Found{Chips: []site.FoundChip{{Names: []string{"gpiochip0"}, Label: boxChip, Lines: 58}}}
	}
	_, why := site.Load(file)
	state := filepath.Join(h.dir, "state") // a machine of its own
	begun := func(*site.Site) error {
		return errors.Join(os.MkdirAll(state, 0o700), acceptance.Create(state, acceptance.Act{At: time.Now()}))
	}
	waiting := setup.New(setup.Options{Socket: h.socket, File: file, Written: begun, Each: 20 * time.Millisecond, Log: zerolog.Nop(),
		Machine: discovery.Machine{Root: h.dir, Look: look, Lines: remote.Lines, Log: zerolog.Nop()}}, why)
	if !waiting.Run(ctx) {
		return nil
	}
	parsed, err := site.Load(file)
	if err != nil {
		return err
	}
	parsed.State, parsed.Socket = state, h.socket
	g, err := gateway.New(gateway.Options{Site: parsed, Time: clock.System(), Version: "test", Log: zerolog.Nop(),
		Hardware: gateway.Hardware{Lines: remote.Lines, Output: remote.Output, Port: func(device.PortConfig) (device.Port, error) { return nil, os.ErrNotExist }}})
	if err != nil {
		return err
	}
	return g.Run(ctx, server.New(g, server.Options{Version: "test", Log: zerolog.Nop()}).Serve)
}

// counting counts in the browser itself what a person does: presses of the pointer, and the
// fields in which something was typed.
const counting = `(() => {
	const done = () => JSON.parse(localStorage.stopwatch || "[]");
	const add = (what, on) => localStorage.stopwatch = JSON.stringify(done().concat([{screen: document.querySelector("h1").innerText, what, on}]));
	addEventListener("pointerdown", (e) => e.isTrusted && add("click", (e.target.closest("label,button,a") || e.target).innerText.trim()), true);
	addEventListener("input", (e) => {
		if (!e.isTrusted || !e.target.matches("input:not([type=radio]):not([type=checkbox]),textarea")) return;
		const on = e.target.closest("label").innerText.trim(), screen = document.querySelector("h1").innerText;
		if (!done().some((d) => d.what == "typed" && d.on == on && d.screen == screen)) add("typed", on);
	}, true);
})()`

// step is what a person did.
type step struct{ Screen, What, On string }

// TestStopwatch is a landlord who has never seen a terminal: from a fresh gateway to the first
// opened door, with what that took in clicks and typed fields.
func TestStopwatch(t *testing.T) {
	t.Parallel()
	browser := webtest.Chromium(t)
	h := newBox(t)
	code, err := h.accounts.Code()
	must(t, err)
	b := open(t, browser, h.page(), "/static/icon.svg")
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: counting})
		return err
	}))
	b.speak("zh")
	began := time.Now()
	b.do(chromedp.Navigate(b.base + "/"))
	b.says("欢迎")
	b.do(chromedp.SendKeys(chromedp.CSS(`[name=code]`), code), chromedp.SendKeys(chromedp.CSS(`[name=password]`), secret))
	b.press("main button", "找到的设备")
	b.says("Raspberry Pi 4 Model B")
	b.press(`main a[href="/setup/door"]`, "这是哪扇门")
	h.eventually("the reader's row lights up", func() bool {
		must(t, h.source.Send(card(t)))
		return eval[bool](b, `document.querySelector("[data-lit]:checked") !== null`)
	})
	b.choose("name", "front")
	b.choose("lock", "fail-secure")
	b.choose("egress", "mechanical")
	b.press("main form.fields button", "您的房子")
	b.press(`form[action="/setup/house"] button`, "暂不连接")
	b.press(`main a.button[href="/setup/wait?for=registry"]`, "试锁")
	b.press(`form[action="/prove/front/lock"] button`, "听到")
	h.eventually("the front door is released", func() bool { return h.released.Load() > 0 })
	took := time.Since(began)

	clicks, typed, table := 0, 0, ""
	for i, s := range eval[[]step](b, `JSON.parse(localStorage.stopwatch)`) {
		if s.What == "typed" {
			typed++
		} else {
			clicks++
		}
		table += fmt.Sprintf("| %d | %s | %s | %s |\n", i+1, s.Screen, s.What, strings.ReplaceAll(s.On, "\n", " "))
	}
	t.Logf("%d clicks, %d typed fields, %v by a machine\n%s", clicks, typed, took.Round(100*time.Millisecond), table)
	if clicks > mostClicks || typed > mostTyped || clicks < 5 || typed < 2 {
		t.Errorf("%d clicks and %d typed fields, want at most %d and %d", clicks, typed, mostClicks, mostTyped)
	}
}

// press clicks, and waits for what comes then.
func (b *tab) press(selector, words string) {
	b.t.Helper()
	b.click(selector)
	b.says(words)
}

// click clicks an element, which a live page may put another in the place of between the look and the click.
func (b *tab) click(selector string) {
	b.t.Helper()
	err := errors.New("gone")
	for tries := 0; err != nil && tries < 5; tries++ {
		if err = chromedp.Do(b.ctx, chromedp.Click(chromedp.CSS(selector))); err != nil && !strings.Contains(err.Error(), "Could not find node") {
			break
		}
	}
	must(b.t, err)
}

// choose clicks a choice of a form.
func (b *tab) choose(name, value string) {
	b.t.Helper()
	b.click(fmt.Sprintf(`[name=%s][value="%s"]`, name, value))
}

// TestSetupScreens: the screens of a gateway that is set up, each in both languages: axe finds
// nothing serious. Make screens makes their pictures.
func TestSetupScreens(t *testing.T) {
	browser := webtest.Chromium(t)
	h := newBox(t)
	h.owner()
	b := open(t, browser, h.page(), "/login")
	b.do(chromedp.SetValue(chromedp.CSS(`[name=name]`), name), chromedp.SendKeys(chromedp.CSS(`[name=password]`), secret), chromedp.Click(chromedp.CSS(`main button`)))
	b.until("the owner is at what was found", `location.pathname == "/setup"`)
	h.eventually("the reader is found", func() bool {
		must(t, h.source.Send(card(t)))
		st, err := control.SettingUp(h.client).State(t.Context())
		return err == nil && st.Look != nil && len(st.Look.Readers) > 0
	})
	if status := eval[int](b, `fetch("/setup/door", {method: "POST", redirect: "manual", body: new URLSearchParams({reader: "none", name: "garage", lock: "fail-safe", egress: "electric"})}).then((r) => r.status)`); status != 0 {
		t.Fatalf("a door: status %d", status)
	}
	audit(t, b, "/setup", "/setup/door", "/setup/house")
	dir := os.Getenv("GATEHOUSE_SCREENS")
	if dir == "" {
		return
	}
	for _, screen := range []string{"setup", "setup-door", "setup-house"} {
		picture(b, dir, "/"+strings.ReplaceAll(screen, "-", "/"), screen)
	}
}
