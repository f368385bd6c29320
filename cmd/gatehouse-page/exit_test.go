package main_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/chromedp/chromedp"
	"github.com/rs/zerolog"

	"gatehouse/device/devicetest"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/exitbutton"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/network"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
	"gatehouse/internal/web"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/text"
	"gatehouse/internal/web/webtest"
	"gatehouse/sync/wire"
)

const exitSite = `
building = "lane-7"
gateway = "gw1"
state = "%[1]s/state"
socket = "%[1]s/sock"
[[door]]
id = "front"
egress = "electric"
lock = "fail-safe"
release_seconds = 3
relay = {chip = "sim0", line = 2, pull = "down"}
exit = {chip = "sim0", line = 3}
[[door]]
id = "yard"
egress = "mechanical"
lock = "fail-secure"
relay = {chip = "sim0", line = 4, pull = "down"}
exit = {chip = "sim0", line = 5}
`

// memory is a network of one socket in memory, so that time may be virtual.
type memory struct {
	mu    sync.Mutex
	calls chan net.Conn // nil: nobody listens
	over  chan struct{}
	open  []net.Conn
}

// kill breaks off all that goes on.
func (m *memory) kill() {
	_ = m.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.open {
		_ = c.Close()
	}
}

func (m *memory) network() network.Network {
	return network.Network{Dialer: m.dial, Listener: func(_ context.Context, _, path string) (net.Listener, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.calls, m.over = make(chan net.Conn), make(chan struct{})
		return m, os.WriteFile(path, nil, 0o600) // whose mode is set, and which is looked after
	}}
}

func (m *memory) now() (chan net.Conn, chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls, m.over
}

func (m *memory) dial(context.Context, string, string) (net.Conn, error) {
	calls, over := m.now()
	if calls == nil {
		return nil, os.ErrNotExist
	}
	near, far := net.Pipe()
	select {
	case calls <- far:
		m.mu.Lock()
		defer m.mu.Unlock()
		m.open = append(m.open, far)
		return nameless{near}, nil
	case <-over:
		return nil, os.ErrNotExist
	}
}

// nameless asks as whoever has the machine: nobody's word counts for others where the kernel names no user.
// What each role may ask for is tested with the daemon's routes.
type nameless struct{ net.Conn }

var callerLine = regexp.MustCompile(socket.CallerHeader + ": [^\r]*\r\n")

func (c nameless) Write(b []byte) (int, error) {
	_, err := c.Conn.Write(callerLine.ReplaceAll(b, nil))
	return len(b), err
}

func (m *memory) Accept() (net.Conn, error) {
	calls, over := m.now()
	select {
	case c := <-calls:
		return c, nil
	case <-over:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.calls != nil {
		m.calls = nil
		close(m.over)
	}
	return nil
}

func (m *memory) Addr() net.Addr { return &net.UnixAddr{} }

// bubble is a real gateway on fake lines, and its page, where ten seconds take no time.
type bubble struct {
	t        *testing.T
	dir      string
	memory   memory
	board    *devicetest.Board
	accounts *account.Store
	page     *web.Server
	running  *gatewaytest.Running
	parsed   *site.Site
	phones   int
}

// inBubble plays at a gateway of a site file, whose argument is its directory.
func inBubble(t *testing.T, text string, play func(*testing.T, *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		b := &bubble{t: t, dir: t.TempDir()}
		in := func(name string, offset int) devicetest.Line {
			return devicetest.Line{Name: name, Offset: offset, PullUp: true, ActiveLow: true}
		}
		var err error
		b.board, err = devicetest.NewBoard(devicetest.BoardConfig{Chip: "sim0", Now: func() time.Duration { return time.Hour + time.Since(began) }, Lines: []devicetest.Line{
			{Name: "front-relay", Offset: 2, Output: true}, in("exit", 3), {Name: "yard-relay", Offset: 4, Output: true}, in("exit2", 5)}})
		must(t, err)
		b.accounts, err = account.OpenAtCost(t.TempDir(), argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
		must(t, err)
		b.page, err = web.New(web.Options{Daemon: b.client(), Accounts: b.accounts, Log: zerolog.Nop(),
			Network: network.Network{Listener: func(context.Context, string, string) (net.Listener, error) { return nil, errors.New("nobody listens") }}})
		must(t, err)
		b.parsed, err = site.Parse(fmt.Appendf(nil, text, b.dir))
		must(t, err)
		b.start()
		play(t, b)
	})
}

func (b *bubble) client() *control.Client {
	return control.NewClientOver(b.memory.network(), filepath.Join(b.dir, "sock"))
}

func (b *bubble) start() {
	b.t.Helper()
	b.running = gatewaytest.Run(b.t, gatewaytest.Setup{Site: b.parsed, Board: b.board, Clock: gatewaytest.NewClock(time.Hour, wire.ClockNTP),
		Change: func(o *gateway.Options) { o.Network = b.memory.network() }})
	gatewaytest.Eventually(b.t, "the gateway is in service", func() bool {
		st, err := b.client().Status(b.t.Context())
		return err == nil && gatewaytest.Online(st)
	})
}

// phone is a browser at the page, in English.
type phone struct {
	*bubble
	address string // and port
	cookies map[string]*http.Cookie
	origin  string // of another site's page; empty: our own
	status  int
	to      string // where it is led
	shows   string
}

func (b *bubble) phone() *phone {
	b.phones++
	return &phone{bubble: b, address: fmt.Sprintf("192.0.2.%d:1234", b.phones), cookies: map[string]*http.Cookie{"": {Name: text.Cookie, Value: string(text.English)}}}
}

func (p *phone) ask(method, path string, pairs ...string) *phone {
	p.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequestWithContext(p.t.Context(), method, "http://127.0.0.1"+path, strings.NewReader(form.Encode()))
	r.RemoteAddr = p.address
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if p.origin != "" {
		r.Header.Set("Origin", p.origin)
	}
	for _, c := range p.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	p.page.Handler().ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		p.cookies[c.Name] = c
	}
	p.status, p.to, p.shows = w.Code, w.Header().Get("Location"), w.Body.String()
	return p
}

// begins asks for a watch, which then goes on.
func (p *phone) begins() {
	p.t.Helper()
	if p.ask("POST", "/welcome/exit"); p.to != "/welcome/exit" {
		p.t.Fatalf("no watch: %d %q %s", p.status, p.to, p.shows)
	}
	synctest.Wait()
}

// wants fails where a page is not as it should be.
func (p *phone) wants(status int, to string, words ...string) {
	p.t.Helper()
	if p.status != status || p.to != to {
		p.t.Errorf("status %d, to %q, want %d and %q:\n%s", p.status, p.to, status, to, p.shows)
	}
	for _, w := range words {
		if !strings.Contains(p.shows, w) {
			p.t.Errorf("no %q in\n%s", w, p.shows)
		}
	}
}

// holds presses a button and lets it go, and waits until that is known.
func (b *bubble) holds(button string, width time.Duration) {
	b.t.Helper()
	must(b.t, b.board.Pulse(button, width))
	time.Sleep(time.Second)
	synctest.Wait()
}

// given counts who was given access to the page, by the gateway's log.
func (b *bubble) given() (n int) {
	b.t.Helper()
	time.Sleep(2 * time.Second) // an act that nobody waits for is on disk by then
	must(b.t, b.client().Log(b.t.Context(), control.LogQuery{Last: -1, Kinds: []string{wire.KindCommand.String()}}, func(e control.LogEntry) error {
		if e.Reason == wire.ReasonAccessGiven.String() && strings.HasPrefix(e.Of, "owner-") {
			n++
		}
		return nil
	}))
	return n
}

// TestExitButton: who has no code at hand holds an exit button for ten seconds, sees meanwhile how long
// that may take, without a script too, and then chooses a password as with the code. The door does what
// it always does. The claim stands in the log as one by the code does.
func TestExitButton(t *testing.T) {
	inBubble(t, exitSite, func(t *testing.T, b *bubble) {
		p := b.phone()
		p.ask("GET", "/welcome").wants(http.StatusOK, "", "No code at hand?", `name="code"`)
		p.begins()
		p.ask("GET", "/welcome/exit").wants(http.StatusOK, "", "count to ten, and let go", "Seconds left: 60", `<noscript><meta http-equiv="refresh"`)
		time.Sleep(5 * time.Second)
		p.ask("GET", "/welcome/exit").wants(http.StatusOK, "", "Seconds left: 55", `value="5"`)
		must(t, b.board.Set("exit2", true))
		time.Sleep(time.Second)
		if driven, on := b.board.Output("yard-relay"); !driven || !on {
			t.Error("the button releases no door while it is watched")
		}
		time.Sleep(9 * time.Second)
		p.ask("GET", "/welcome/exit").wants(http.StatusOK, "", "Seconds left: 45") // nothing shows of it yet
		must(t, b.board.Set("exit2", false))
		time.Sleep(time.Second)
		p.ask("GET", "/welcome/exit").wants(http.StatusSeeOther, "/welcome")
		p.ask("GET", "/welcome").wants(http.StatusOK, "", "held for ten seconds", `name="by"`)
		if strings.Contains(p.shows, `name="code"`) {
			t.Error("it asks for the code, too")
		}
		code, err := b.accounts.Code()
		must(t, err)
		for _, bad := range []string{"short", "12345678", code} {
			p.ask("POST", "/welcome", "by", "exit", "password", bad).wants(http.StatusUnprocessableEntity, "", "too short, too long or easy to guess", `name="by"`)
		}
		p.ask("POST", "/welcome", "by", "exit", "name", name, "password", secret).wants(http.StatusSeeOther, "/")
		p.ask("GET", "/doors").wants(http.StatusOK, "", "front")
		if n := b.given(); n != 1 {
			t.Errorf("the log tells of %d owners", n)
		}
		if _, err := b.accounts.Code(); !errors.Is(err, account.ErrClaimed) {
			t.Errorf("the code is good still: %v", err)
		}
		late := b.phone()
		late.ask("POST", "/welcome/exit").wants(http.StatusConflict, "", "has an owner already")
		late.ask("GET", "/welcome/exit").wants(http.StatusConflict, "", "has an owner already")
		if _, err := b.running.Gateway().Exits.Watch(over(t)); errors.Is(err, exitbutton.ErrBusy) {
			t.Error("the gateway watches once there is an owner")
		}
	})
}

// over is a context that has ended.
func over(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// TestExitButtonNot: what is too short, broken, too long, pressed before or stuck makes nobody an owner,
// is told after the minute, and with the same words whoever walked through a door meanwhile: law W7. Then
// it may be tried again.
func TestExitButtonNot(t *testing.T) {
	nobody := "Within a minute no exit button was held"
	seen := map[string]bool{}
	for name, c := range map[string]struct {
		before, play func(*bubble)
		says         string
	}{
		"nobody": {nil, func(*bubble) {}, nobody},
		"people leave": {nil, func(b *bubble) {
			b.holds("exit", 300*time.Millisecond)
			b.holds("exit2", 2*time.Second)
			b.holds("exit", time.Second)
		}, nobody},
		"nine seconds": {nil, func(b *bubble) { b.holds("exit", 9*time.Second) }, nobody},
		"broken": {nil, func(b *bubble) {
			must(b.t, b.board.Pulse("exit", 6*time.Second))
			time.Sleep(100 * time.Millisecond)
			b.holds("exit", 6*time.Second)
		}, nobody},
		"too long":       {nil, func(b *bubble) { b.holds("exit", 25*time.Second) }, nobody},
		"pressed before": {func(b *bubble) { must(b.t, b.board.Set("exit", true)); time.Sleep(time.Second) }, func(b *bubble) { time.Sleep(12 * time.Second); must(b.t, b.board.Set("exit", false)) }, nobody},
		"stuck before":   {func(b *bubble) { must(b.t, b.board.Set("exit", true)); time.Sleep(time.Second) }, func(*bubble) {}, "An exit button is pressed all the time"},
		"stuck in it":    {nil, func(b *bubble) { must(b.t, b.board.Set("exit2", true)) }, "An exit button is pressed all the time"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, exitSite, func(t *testing.T, b *bubble) {
				if c.before != nil {
					c.before(b)
				}
				p, began := b.phone(), time.Now()
				p.begins()
				c.play(b)
				time.Sleep(control.ExitWatch - time.Second - time.Since(began))
				p.ask("GET", "/welcome/exit").wants(http.StatusOK, "", "Seconds left: 1")
				time.Sleep(2 * time.Second)
				p.ask("GET", "/welcome/exit").wants(http.StatusOK, "", "No button was held", c.says, "What counts is a button", "Try again")
				if c.says == nobody {
					seen[p.shows] = true
				}
				p.ask("GET", "/welcome").wants(http.StatusOK, "", `name="code"`)
				p.ask("POST", "/welcome", "by", "exit", "password", secret).wants(http.StatusUnprocessableEntity, "", "counts no more")
				must(t, b.board.Set("exit", false))
				time.Sleep(time.Second)
				p.begins()
				b.holds("exit", 10*time.Second)
				p.ask("GET", "/welcome/exit").wants(http.StatusSeeOther, "/welcome")
			})
		})
	}
	if len(seen) != 1 {
		t.Errorf("the page tells who walked: %d kinds of it", len(seen))
	}
}

// TestExitButtonTwo: there is one watch at a time, the proof is that of the browser that asked, and of
// two who have one the first who chooses a password is the owner, as with the code.
func TestExitButtonTwo(t *testing.T) {
	inBubble(t, exitSite, func(t *testing.T, b *bubble) {
		first, second := b.phone(), b.phone()
		first.ask("GET", "/welcome")
		first.begins()
		second.ask("POST", "/welcome/exit").wants(http.StatusConflict, "", "Somebody else is asked just now")
		second.ask("GET", "/welcome/exit").wants(http.StatusSeeOther, "/welcome")
		first.begins() // its own: it goes on
		b.holds("exit", 11*time.Second)
		second.ask("GET", "/welcome").wants(http.StatusOK, "", `name="code"`)
		second.ask("POST", "/welcome", "by", "exit", "password", secret).wants(http.StatusUnprocessableEntity, "", "counts no more")
		first.ask("GET", "/welcome").wants(http.StatusOK, "", `name="by"`)
		first.ask("POST", "/welcome/exit").wants(http.StatusSeeOther, "/welcome/exit") // it has its proof
		second.begins()
		b.holds("exit2", 11*time.Second)
		second.ask("GET", "/welcome").wants(http.StatusOK, "", `name="by"`)
		second.ask("POST", "/welcome", "by", "exit", "name", name, "password", secret).wants(http.StatusSeeOther, "/")
		first.ask("POST", "/welcome", "by", "exit", "password", secret).wants(http.StatusConflict, "", "has an owner already")
		if n := b.given(); n != 1 || len(b.accounts.All()) != 1 {
			t.Errorf("%d owners in the log, %d accounts", n, len(b.accounts.All()))
		}
	})
}

// TestExitButtonSession: the session gets another token when its watch begins, so that one which somebody
// planted in the browser has no part in the proof; and the proof is good for five minutes.
func TestExitButtonSession(t *testing.T) {
	inBubble(t, exitSite, func(t *testing.T, b *bubble) {
		p := b.phone()
		p.begins()
		time.Sleep(control.ExitWatch + time.Second)
		planted := b.phone()
		planted.cookies["gatehouse"] = p.cookies["gatehouse"]
		p.begins()
		if planted.cookies["gatehouse"].Value == p.cookies["gatehouse"].Value {
			t.Error("the session's token is the old one")
		}
		b.holds("exit", 10*time.Second)
		planted.ask("GET", "/welcome").wants(http.StatusOK, "", `name="code"`)
		time.Sleep(5*time.Minute - 3*time.Second)
		p.ask("GET", "/welcome").wants(http.StatusOK, "", `name="by"`)
		time.Sleep(3 * time.Second)
		p.ask("GET", "/welcome").wants(http.StatusOK, "", `name="code"`)
		p.ask("GET", "/welcome/exit").wants(http.StatusUnprocessableEntity, "", "counts no more")
		p.ask("POST", "/welcome", "by", "exit", "password", secret).wants(http.StatusUnprocessableEntity, "", "counts no more")
		if b.accounts.Claimed() {
			t.Error("the house has an owner")
		}
	})
}

// TestExitButtonOwned: an owner who appears meanwhile, by the code, ends the watch and every proof.
func TestExitButtonOwned(t *testing.T) {
	for _, proved := range []bool{false, true} {
		inBubble(t, exitSite, func(t *testing.T, b *bubble) {
			p := b.phone()
			p.begins()
			if proved {
				b.holds("exit", 10*time.Second)
			}
			code, err := b.accounts.Code()
			must(t, err)
			b.phone().ask("POST", "/welcome", "code", code, "name", name, "password", secret).wants(http.StatusSeeOther, "/")
			synctest.Wait()
			if _, err := b.running.Gateway().Exits.Watch(over(t)); errors.Is(err, exitbutton.ErrBusy) {
				t.Error("the gateway watches still")
			}
			p.ask("GET", "/welcome/exit").wants(http.StatusConflict, "", "has an owner already")
			p.ask("POST", "/welcome", "by", "exit", "password", secret).wants(http.StatusConflict, "", "has an owner already")
		})
	}
}

// TestExitButtonKilled: a daemon that is killed in the middle, or stopped in order, is told at once, and
// when it is back it is tried again; a press that goes on over its end counts for nothing.
func TestExitButtonKilled(t *testing.T) {
	for _, kill := range []bool{false, true} {
		inBubble(t, exitSite, func(t *testing.T, b *bubble) {
			p := b.phone()
			p.begins()
			must(t, b.board.Set("exit", true))
			time.Sleep(6 * time.Second)
			if kill {
				b.memory.kill()
			}
			must(t, b.running.Stop())
			p.ask("GET", "/welcome/exit").wants(http.StatusOK, "", "The gateway started again meanwhile.", "Try again")
			p.begins()
			p.ask("GET", "/welcome/exit").wants(http.StatusOK, "", "program does not answer", "Try again")
			b.start()
			p.begins()
			time.Sleep(6 * time.Second)
			must(t, b.board.Set("exit", false)) // after twelve seconds in all
			time.Sleep(time.Second)
			p.ask("GET", "/welcome/exit").wants(http.StatusOK, "", "Seconds left")
			b.holds("exit", 10*time.Second)
			p.ask("GET", "/welcome/exit").wants(http.StatusSeeOther, "/welcome")
		})
	}
}

// noExit is a house without exit buttons: people leave by a handle.
const noExit = `
building = "lane-7"
gateway = "gw1"
state = "%[1]s/state"
socket = "%[1]s/sock"
[[door]]
id = "front"
egress = "mechanical"
lock = "fail-secure"
relay = {chip = "sim0", line = 2, pull = "down"}
`

// TestExitButtonRefused: another site's page begins no watch; where no exit button is known that is said
// at once, with what to do; and who asks too often is refused.
func TestExitButtonRefused(t *testing.T) {
	inBubble(t, noExit, func(t *testing.T, b *bubble) {
		foreign := b.phone()
		foreign.origin = "https://evil.example"
		foreign.ask("POST", "/welcome/exit").wants(http.StatusForbidden, "")
		if foreign.cookies["gatehouse"] != nil {
			t.Error("another site's page has a session")
		}
		p := b.phone()
		for range 5 {
			p.begins()
			p.ask("GET", "/welcome/exit").wants(http.StatusOK, "", "This gateway knows of no exit button", "Use the eight digits of the label")
		}
		p.ask("POST", "/welcome/exit").wants(http.StatusTooManyRequests, "", `name="code"`)
	})
}

// TestExitButtonScreen: axe finds nothing on the screen that waits. On a busy machine it takes longer than
// a watch, so that nobody holds a button meanwhile.
func TestExitButtonScreen(t *testing.T) {
	t.Parallel()
	h := newBox(t)
	b := open(t, webtest.Chromium(t), h.page(), "/welcome")
	b.speak("en")
	b.do(chromedp.Navigate(b.base + "/welcome"))
	b.press(`form[action="/welcome/exit"] button`, "Hold the exit button now")
	audit(t, b, "/welcome/exit")
}

// TestExitButtonFirstHour is a landlord without the label, in a real browser and in real time, at a gateway
// that has no site file yet: the button of the board's drawing is held, and the page goes on by itself. No
// relay is touched.
func TestExitButtonFirstHour(t *testing.T) {
	t.Parallel()
	browser := webtest.Chromium(t)
	h := newBox(t)
	b := open(t, browser, h.page(), "/welcome")
	b.speak("en")
	b.do(chromedp.Navigate(b.base + "/welcome"))
	b.press(`form[action="/welcome/exit"] button`, "Hold the exit button now")
	b.says("Seconds left")
	h.eventually("the button is read", func() bool { return h.board.Requested("exit") })
	must(t, h.board.Pulse("exit", 10*time.Second+100*time.Millisecond))
	b.says("The exit button was held for ten seconds")
	b.do(chromedp.SendKeys(chromedp.CSS(`[name=password]`), secret))
	b.press("main button", "What we found")
	if _, owner := h.accounts.Named("Landlord"); !owner {
		t.Error("nobody is the owner")
	}
	for _, relay := range []string{"front-relay", "relay2"} {
		if driven, on := h.board.Output(relay); driven || on {
			t.Errorf("%s was driven", relay)
		}
	}
}
