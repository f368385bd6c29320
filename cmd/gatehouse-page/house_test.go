package main_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/device/wiegand"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/issue"
	"gatehouse/internal/keys"
	"gatehouse/internal/network"
	"gatehouse/internal/site"
	"gatehouse/internal/web"
	"gatehouse/internal/web/account"
	"gatehouse/sync/wire"
)

// siteText has a longer budget than a house needs: a busy machine is no sick disk.
const siteText = `
building = "lane-7"
gateway = "gw1"
state = "%[1]s/state"
socket = "%[1]s/sock"
journal = {budget_ms = 2000}
[[door]]
id = "front"
egress = "mechanical"
lock = "fail-secure"
release_seconds = 3
relay = {chip = "sim0", line = 2, pull = "down"}
contact = {chip = "sim0", line = 3, active = "high", bias = "pull-down", filter_ms = 20}
[[door.reader]]
id = "in"
type = "wiegand"
chip = "sim0"
d0 = 0
d1 = 1
formats = ["H10301"]
[[door]]
id = "yard"
egress = "mechanical"
lock = "fail-secure"
held_seconds = 1
relay = {chip = "sim0", line = 4, pull = "down"}
contact = {chip = "sim0", line = 5, active = "high", bias = "pull-down", filter_ms = 20}
`

// The owner's name is the one that a Chinese page begins with.
const name, secret = "房东", "zwei Birnen 7"

// house is a real gateway on fake lines, and the page over its socket.
type house struct {
	t          testing.TB
	dir        string
	board      *devicetest.Board
	source     *devicetest.WiegandSource
	client     *control.Client
	accounts   *account.Store
	asked      atomic.Int64 // how often the page asked the daemon how it is
	released   atomic.Int64 // how often the front door was released
	releasedAt atomic.Int64 // when it was the last time, in ns since 1970
	socket     string       // the daemon's, as the page knows it
	issuer     ed25519.PrivateKey
	building   *keys.BuildingKey
	clock      *gatewaytest.Clock
	running    *gatewaytest.Running
	log        gatewaytest.Log // of daemon and page
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newHouse starts a gateway whose list has one resident's card.
func newHouse(t testing.TB) *house {
	t.Helper()
	h := bareHouse(t, 0)
	h.resident()
	return h
}

// resident gives a resident's card a grant for the front door.
func (h *house) resident() {
	h.t.Helper()
	_, err := issue.Issuer{Client: h.client, Key: h.issuer}.Edit(h.t.Context(), func(e *grantlist.Editor) error {
		_, err := e.Add(grantlist.NewGrant{Kind: wire.GrantResident, Doors: []string{"front"}, Credentials: []wire.CredentialID{h.building.Identify(card(h.t))}, Label: "3B"})
		return err
	})
	must(h.t, err)
}

// bareHouse starts a gateway of a house in which nobody has a key yet, with clocks that
// are ahead.
func bareHouse(t testing.TB, ahead time.Duration) *house {
	t.Helper()
	h := newBoard(t, ahead)
	h.issuer, h.building = gatewaytest.Keys(t, filepath.Join(h.dir, "state"))
	h.serve()
	return h
}

// newBoard makes all of a house but its gateway and the keys.
func newBoard(t testing.TB, ahead time.Duration) *house {
	t.Helper()
	dir, err := os.MkdirTemp("", "gp") // short: the path of a socket has 104 bytes at most
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	h := &house{t: t, dir: dir, client: control.NewClient(filepath.Join(dir, "sock"))}
	h.board, err = devicetest.NewBoard(devicetest.BoardConfig{Chip: "sim0", Changed: h.moved, Lines: []devicetest.Line{
		{Name: "d0", Offset: 0, PullUp: true, ActiveLow: true}, {Name: "d1", Offset: 1, PullUp: true, ActiveLow: true},
		{Name: "front-relay", Offset: 2, Output: true}, {Name: "front-contact", Offset: 3},
		{Name: "yard-relay", Offset: 4, Output: true}, {Name: "yard-contact", Offset: 5}}})
	must(t, err)
	h.source = &devicetest.WiegandSource{Board: h.board, D0: "d0", D1: "d1", Interval: time.Millisecond, Pause: 80 * time.Millisecond}
	h.clock = gatewaytest.NewClock(100*time.Hour, wire.ClockNTP)
	h.clock.Pass(ahead)
	must(t, os.Mkdir(filepath.Join(dir, "page"), 0o700))
	h.accounts, err = account.Open(filepath.Join(dir, "page"))
	must(t, err)
	h.count()
	return h
}

// card is the resident's.
func card(t testing.TB) device.Card { return numbered(t, 4567) }

// numbered is the card with a number that is printed on it.
func numbered(t testing.TB, number uint64) device.Card {
	t.Helper()
	f, _ := wiegand.Lookup("H10301")
	c, err := f.Encode(wiegand.Fields{Facility: 123, Card: number, HasFacility: true})
	must(t, err)
	return c
}

// moved counts the releases of the front door, which is locked when de-energised.
func (h *house) moved(c devicetest.Change) {
	if c.Line == "front-relay" && c.Driven && c.Active {
		h.releasedAt.Store(time.Now().UnixNano())
		h.released.Add(1)
	}
}

func (h *house) serve() { h.serveSite(siteText) }

// serveSite starts the gateway of a site file, whose %[1]s is the house's directory.
func (h *house) serveSite(text string) {
	h.t.Helper()
	parsed, err := site.Parse(fmt.Appendf(nil, text, h.dir))
	must(h.t, err)
	h.running = gatewaytest.Run(h.t, gatewaytest.Setup{Site: parsed, Board: h.board, Clock: h.clock, Log: &h.log, Change: func(o *gateway.Options) { o.Cadence.Rest = 100 * time.Millisecond }})
	h.eventually("the gateway is in service", func() bool {
		st, err := h.client.Status(context.Background())
		return err == nil && gatewaytest.Online(st)
	})
}

// count puts a socket before the daemon's, at which the page's looks are counted.
func (h *house) count() {
	h.t.Helper()
	h.socket = filepath.Join(h.dir, "counted")
	l, err := net.Listen("unix", h.socket)
	must(h.t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			if r.In.URL.Path == "/v1/status" {
				h.asked.Add(1)
			}
			r.SetURL(&url.URL{Scheme: "http", Host: "daemon"})
		},
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(h.dir, "sock"))
		}},
	}
	server := &http.Server{Handler: proxy}
	go func() { _ = server.Serve(l) }()
	h.t.Cleanup(func() { _ = server.Close() })
}

func (h *house) eventually(what string, ok func() bool) {
	h.t.Helper()
	gatewaytest.Eventually(h.t, what, ok)
}

// page serves the page as the program does and returns its address.
func (h *house) page() (base string) {
	h.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(h.t, err)
	p, err := web.New(web.Options{Daemon: control.NewClient(h.socket), Accounts: h.accounts, Plain: []string{l.Addr().String()}, Version: "test", Log: zerolog.New(&h.log),
		Network: network.Network{Listener: func(context.Context, string, string) (net.Listener, error) { return l, nil }}})
	must(h.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	h.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// owner makes the owner and returns the code that did.
func (h *house) owner() {
	h.t.Helper()
	code, err := h.accounts.Code()
	must(h.t, err)
	_, err = h.accounts.Claim(code, name, secret)
	must(h.t, err)
}

// swipe holds the resident's card up at the front door until it is released.
func (h *house) swipe() {
	h.t.Helper()
	before := h.released.Load()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		must(h.t, h.source.Send(card(h.t)))
		for again := time.Now().Add(5 * time.Second); time.Now().Before(again); time.Sleep(5 * time.Millisecond) {
			if h.released.Load() > before {
				return
			}
		}
	}
	h.t.Fatal("the card did not release the door")
}

// locked waits until the front door is.
func (h *house) locked() {
	h.t.Helper()
	h.eventually("the front door locks", func() bool { driven, on := h.board.Output("front-relay"); return driven && !on })
}

// commands counts what the log tells of commands at the front door.
func (h *house) commands() (n int) {
	h.t.Helper()
	must(h.t, h.client.Log(context.Background(), control.LogQuery{Last: -1, Doors: []string{"front"}, Kinds: []string{wire.KindCommand.String()}}, func(e control.LogEntry) error {
		if e.Door == "front" {
			n++
		}
		return nil
	}))
	return n
}

// at is a phone with an address of its own on this machine's loopback.
func at(t testing.TB, address string) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{DialContext: d.DialContext, MaxIdleConnsPerHost: 20}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// send posts a form, and returns status and where it leads.
func send(c *http.Client, address string, pairs ...string) (status int, location string, err error) {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	resp, err := c.PostForm(address, form)
	if err != nil {
		return 0, "", err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header.Get("Location"), errors.Join(err, resp.Body.Close())
}

// signIn is a phone in which the owner is signed in.
func (h *house) signIn(base, address string) *http.Client {
	h.t.Helper()
	c := at(h.t, address)
	if status, to, err := send(c, base+"/login", "name", name, "password", secret); err != nil || to != "/" {
		h.t.Fatalf("sign in: status %d, %q, %v", status, to, err)
	}
	return c
}

func (h *house) get(c *http.Client, address string) string {
	h.t.Helper()
	resp, err := c.Get(address)
	must(h.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(h.t, err)
	if resp.StatusCode != http.StatusOK {
		h.t.Fatalf("%s: status %d", address, resp.StatusCode)
	}
	return string(body)
}
