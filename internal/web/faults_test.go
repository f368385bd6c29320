package web

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/control"
	"gatehouse/internal/network"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/certificate"
	"gatehouse/internal/web/watch"
)

// pipes is a listener in memory, so that time may be virtual.
type pipes struct {
	calls chan net.Conn
	end   chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{calls: make(chan net.Conn), end: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.calls:
		return c, nil
	case <-p.end:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.end) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.calls <- theirs
	return ours
}

// alone is a page whose daemon is away, with an owner.
func alone(t *testing.T, n network.Network) *Server {
	t.Helper()
	accounts, err := account.OpenAtCost(t.TempDir(), cheap)
	if err != nil {
		t.Fatal(err)
	}
	code, err := accounts.Code()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := accounts.Claim(code, "owner", secret); err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Daemon: control.NewClient(filepath.Join(t.TempDir(), "no.sock")), Accounts: accounts, Plain: []string{"127.0.0.1:80"}, Names: []string{"tor.example"}, Network: n, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSlowHandshakes: who takes long over TLS is cut off, before it and in it, and others are
// served meanwhile.
func TestSlowHandshakes(t *testing.T) {
	own, err := certificate.Own(t.TempDir(), []string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		s := alone(t, network.Network{Listener: func(context.Context, string, string) (net.Listener, error) { return p, nil }})
		s.o.Plain, s.o.Secure, s.base.TLS = nil, []string{"127.0.0.1:443"}, &tls.Config{Certificates: []tls.Certificate{own}, Time: func() time.Time { return time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC) }}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		phone := func() *tls.Conn {
			return tls.Client(p.dial(), &tls.Config{InsecureSkipVerify: true, ServerName: "127.0.0.1"}) // which phones ask about
		}
		heard := func(what string, c net.Conn, began time.Time) {
			_, _ = io.Copy(io.Discard, c)
			if took := time.Since(began); took > 25*time.Second {
				t.Errorf("%s was heard for %v", what, took)
			}
			_ = c.Close()
		}
		var slow sync.WaitGroup
		for range 20 {
			slow.Go(func() { heard("who says nothing", p.dial(), time.Now()) })
			slow.Go(func() {
				c, began := p.dial(), time.Now()
				slow.Go(func() {
					for _, err := io.WriteString(c, "\x16\x03\x01\x02\x00"); err == nil; _, err = io.WriteString(c, "\x00") {
						time.Sleep(time.Second)
					}
				})
				heard("half a handshake", c, began)
			})
			slow.Go(func() {
				c, began := phone(), time.Now()
				if err := c.Handshake(); err != nil {
					t.Error(err)
					return
				}
				slow.Go(func() {
					for _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"); err == nil; _, err = io.WriteString(c, "x") {
						time.Sleep(time.Second)
					}
				})
				heard("a slow head", c, began)
			})
		}
		time.Sleep(5 * time.Second)
		c := phone()
		fmt.Fprintf(c, "GET /certificate HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("meanwhile: %v", err)
		}
		body, _ := io.ReadAll(answer.Body)
		if !strings.Contains(string(body), certificate.Fingerprint(own)) {
			t.Errorf("the page does not tell its certificate: %s", body)
		}
		_ = c.Close()
		slow.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestSlowRequests: who sends a request a byte at a time is cut off, head or body, and what
// is live stays.
func TestSlowRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		s := alone(t, network.Network{Listener: func(context.Context, string, string) (net.Listener, error) { return p, nil }})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		var slow sync.WaitGroup
		for _, begun := range []string{"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", "POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n"} {
			slow.Go(func() {
				c, began := p.dial(), time.Now()
				defer c.Close()
				go func() { _, _ = io.Copy(io.Discard, c) }()
				for _, err := io.WriteString(c, begun); err == nil; _, err = io.WriteString(c, "x") {
					time.Sleep(time.Second)
				}
				if took := time.Since(began); took > 25*time.Second {
					t.Errorf("%.20q was heard for %v", begun, took)
				}
			})
		}
		slow.Wait()
		c := p.dial()
		fmt.Fprintf(c, "GET /slow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || answer.StatusCode != http.StatusNotFound {
			t.Errorf("after the slow ones: %v", err)
		}
		_ = c.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestLiveForLong: what is live stays open for longer than a request may take.
func TestLiveForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		s := alone(t, network.Network{Listener: func(context.Context, string, string) (net.Listener, error) { return p, nil }})
		var back atomic.Bool // the daemon
		s.base.Watch = watch.New(func(context.Context) (control.Status, error) {
			if !back.Load() {
				return control.Status{}, errors.New("no daemon answers")
			}
			return control.Status{Doors: []control.Door{{ID: "front", State: "normal", Lock: "ok"}}}, nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		h := &hand{t, s.Handler(), map[string]*http.Cookie{}}
		h.ask("POST", "/login", "name", "owner", "password", secret)
		c, ended := p.dial(), make(chan struct{})
		fmt.Fprintf(c, "GET /doors/live HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: gatehouse=%s\r\n\r\n", h.cookies["gatehouse"].Value)
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || answer.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("%v, %v", answer, err)
		}
		heard := make(chan struct{})
		go func() {
			defer close(ended)
			for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
				if strings.Contains(lines.Text(), "<h2>大门") {
					close(heard)
				}
			}
		}()
		time.Sleep(time.Hour + watch.Look/2)
		back.Store(true)
		select {
		case <-ended:
			t.Error("cut off")
		case <-heard:
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		<-ended
		_ = c.Close()
	})
}

// TestLiveFrame: a page that stays open says in its head and foot, too, that the gateway does not
// answer, and that it does again; meanwhile it does not say that there is no door.
func TestLiveFrame(t *testing.T) {
	s := claimed(t)
	var away atomic.Bool
	s.page.base.Watch = watch.New(func(context.Context) (control.Status, error) {
		if away.Load() {
			return control.Status{}, errors.New("no daemon answers")
		}
		return control.Status{Building: "lane-7", Doors: []control.Door{{ID: "front", State: "held", Lock: "ok"}}, Uplink: &control.Uplink{State: "in step"}}, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { s.page.base.Watch.Run(ctx) })
	t.Cleanup(func() { cancel(); all.Wait() })
	r, _ := http.NewRequestWithContext(ctx, "GET", s.URL+"/doors/live", nil)
	resp, err := s.as(t, "owner").Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	timeout := time.AfterFunc(time.Minute, cancel)
	defer timeout.Stop()
	lines := bufio.NewScanner(resp.Body)
	said := func() map[string]string { // the next of each part
		parts := map[string]string{}
		for n, event := 0, ""; n < 3 && lines.Scan(); {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				event = name
			}
			parts[event] += lines.Text()
			if lines.Text() == "" {
				n++
			}
		}
		return parts
	}
	for _, c := range []struct {
		away                  bool
		state, contact, never string
	}{{false, "门要看 1", "登记中心", "没有回应"}, {true, "没有回应", "", "没有门"}, {false, "门要看 1", "登记中心", "没有回应"}} {
		away.Store(c.away)
		got := said()
		if !strings.Contains(got["state"], c.state) || !strings.Contains(got["contact"], c.contact) || c.contact == "" && strings.Contains(got["contact"], "·") || strings.Contains(got["list"], c.never) || strings.Contains(got["list"], "断电再通电") != c.away {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestLargeBodies: what is over the bound is told as such, whatever it says of itself.
func TestLargeBodies(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // what others leave in the machine's own is not ours
	s := alone(t, network.Network{})
	large := strings.Repeat("a", 10<<20)
	for kind, body := range map[string]string{
		"application/x-www-form-urlencoded": "name=" + large,
		"multipart/form-data; boundary=b":   "--b\r\nContent-Disposition: form-data; name=\"list\"; filename=\"l.csv\"\r\n\r\n" + large + "\r\n--b--\r\n",
	} {
		for _, length := range []int64{int64(len(body)), -1} {
			r := httptest.NewRequest("POST", "http://127.0.0.1/login", io.NopCloser(strings.NewReader(body)))
			r.Header.Set("Content-Type", kind)
			r.ContentLength = length
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			if w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(w.Body.String(), "分成几次") || w.Header().Get("Connection") != "close" {
				t.Errorf("%s of 10 MB: status %d, %s", kind, w.Code, w.Body)
			}
		}
	}
	r := httptest.NewRequest("POST", "http://127.0.0.1/login", strings.NewReader("name=%zz"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest {
		t.Errorf("a form that is none: status %d", w.Code)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "multipart-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestRebinding: a name that is not the gateway's is refused in whatever form, and one that
// is its own is taken.
func TestRebinding(t *testing.T) {
	s := alone(t, network.Network{})
	for host, good := range map[string]bool{"127.0.0.1": true, "192.168.4.1:80": true, "[::1]:80": true, "[fe80::1]": true, "gatehouse.local": true, "GATEHOUSE.LOCAL:443": true, "tor.example": true, "localhost:8080": true,
		"evil.example": false, "127.0.0.1.evil.example": false, "gatehouse.local.evil.example": false, "tor.example.evil.example:80": false, "": false, "localhost.": false} {
		r := httptest.NewRequest("GET", "http://127.0.0.1/login", nil)
		r.Host = host
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if good != (w.Code == http.StatusOK) || !good && w.Code != http.StatusMisdirectedRequest {
			t.Errorf("host %q: status %d", host, w.Code)
		}
	}
}

// hand is a browser without a network: it keeps the cookies.
type hand struct {
	t       *testing.T
	handler http.Handler
	cookies map[string]*http.Cookie
}

func (h *hand) ask(method, path string, pairs ...string) *httptest.ResponseRecorder {
	h.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range h.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		h.cookies[c.Name] = c
	}
	return w
}

// TestClockOfThePast: with a clock that is decades behind a session begins, goes on, and the
// phone keeps its cookie; when the clock is set it is over, and a new one begins.
func TestClockOfThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the clock says 2000 here
		h := &hand{t, alone(t, network.Network{}).Handler(), map[string]*http.Cookie{}}
		signIn := func() {
			if w := h.ask("POST", "/login", "name", "owner", "password", secret); w.Header().Get("Location") != "/" {
				t.Fatalf("sign in: %d %s", w.Code, w.Body)
			}
			if c := h.cookies["gatehouse"]; c.MaxAge <= 0 || !c.HttpOnly {
				t.Errorf("a phone whose clock is right drops the cookie: %v", c)
			}
			if to := h.ask("GET", "/").Header().Get("Location"); to != "/doors" {
				t.Errorf("signed in, the page leads to %q", to)
			}
		}
		signIn()
		time.Sleep(time.Hour)
		if to := h.ask("GET", "/").Header().Get("Location"); to != "/doors" {
			t.Errorf("an hour later: %q", to)
		}
		time.Sleep(26 * 365 * 24 * time.Hour) // a time server answers
		if to := h.ask("GET", "/").Header().Get("Location"); to != "/login" {
			t.Errorf("after the clock was set: %q", to)
		}
		signIn()
	})
}

// TestWithoutDaemon: the page says that the daemon is away, in the language that was chosen,
// on every screen, and lets people in and out.
func TestWithoutDaemon(t *testing.T) {
	h := &hand{t, alone(t, network.Network{}).Handler(), map[string]*http.Cookie{}}
	if w := h.ask("POST", "/login", "name", "owner", "password", secret); w.Header().Get("Location") != "/" {
		t.Fatalf("sign in: %d %s", w.Code, w.Body)
	}
	for lang, word := range map[string]string{"zh": "网关程序没有回应", "en": "The gateway does not answer"} {
		h.ask("POST", "/language", "to", lang)
		for _, path := range []string{"/doors", "/todo", "/people"} {
			w := h.ask("GET", path)
			if w.Code != http.StatusBadGateway || !strings.Contains(w.Body.String(), word) || strings.Contains(w.Body.String(), `class="card`) || strings.Contains(w.Body.String(), "--socket") {
				t.Errorf("%s: status %d\n%s", path, w.Code, w.Body)
			}
		}
		if w := h.ask("GET", "/more"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), word) {
			t.Errorf("more: status %d\n%s", w.Code, w.Body)
		}
		if w := h.ask("POST", "/doors/front/release"); w.Code != http.StatusBadGateway {
			t.Errorf("release: status %d", w.Code)
		}
	}
	if w := h.ask("POST", "/logout"); w.Header().Get("Location") != "/login" {
		t.Errorf("sign out: %d", w.Code)
	}
}

// TestHangingDaemon: a daemon that takes a request and never answers is told in the page's words, with
// what to do, on every screen that wants something of it.
func TestHangingDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := alone(t, network.Network{})
		*s.base.Daemon = *control.NewClientOver(network.Network{Dialer: func(context.Context, string, string) (net.Conn, error) {
			ours, _ := net.Pipe() // nobody reads
			return ours, nil
		}}, "/run/s")
		s.base.Watch = watch.New(s.base.Daemon.Status)
		h := &hand{t, s.Handler(), map[string]*http.Cookie{}}
		h.ask("POST", "/login", "name", "owner", "password", secret)
		for lang, words := range map[string][]string{"zh": {"网关程序在运行，但没有回应。", "怎么办", "拔掉网关的电源"}, "en": {"The gateway&#39;s program runs, but does not answer.", "What to do", "plug"}} {
			h.ask("POST", "/language", "to", lang)
			for _, path := range []string{"/doors", "/todo", "/people"} {
				began := time.Now()
				w := h.ask("GET", path)
				for _, word := range words {
					if w.Code != http.StatusBadGateway || !strings.Contains(w.Body.String(), word) || strings.Contains(w.Body.String(), "/run/s") {
						t.Errorf("%s: status %d, wants %s\n%s", path, w.Code, word, w.Body)
					}
				}
				if took := time.Since(began); took > 2*watch.Wait {
					t.Errorf("%s: after %v", path, took)
				}
			}
		}
	})
}

// TestSecureCookies: what came over TLS is sent back over nothing else.
func TestSecureCookies(t *testing.T) {
	s := alone(t, network.Network{})
	for _, form := range [][2]string{{"/login", "name=owner&password=" + url.QueryEscape(secret)}, {"/language", "to=en"}} {
		for _, secure := range []bool{true, false} {
			r := httptest.NewRequest("POST", "http://127.0.0.1"+form[0], strings.NewReader(form[1]))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if secure {
				r.TLS = &tls.ConnectionState{}
			}
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			all := w.Result().Cookies()
			if len(all) == 0 {
				t.Errorf("%s: no cookie, status %d", form[0], w.Code)
			}
			for _, c := range all {
				if c.Secure != secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
					t.Errorf("%s, TLS %v: %v", form[0], secure, c)
				}
			}
		}
	}
}

// TestTwoOwnersSignedIn: two phones of one owner are two sessions, of which one ends alone.
func TestTwoOwnersSignedIn(t *testing.T) {
	s := claimed(t)
	a, b := s.as(t, "owner"), s.as(t, "owner")
	if got := s.post(t, a, "/logout"); got.location != "/login" {
		t.Fatalf("sign out: %d", got.status)
	}
	if got := s.get(t, a, "/doors"); got.location != "/login" {
		t.Errorf("signed out: %d %q", got.status, got.location)
	}
	if got := s.get(t, b, "/doors"); got.status != http.StatusOK {
		t.Errorf("the other phone: %d %q", got.status, got.location)
	}
}

// TestStolenPhoneHearsNoMore: a live page ends with its session, however that ends: a stolen phone
// that has one open hears nothing of the house from then on. Others hear on.
func TestStolenPhoneHearsNoMore(t *testing.T) {
	s := claimed(t)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.page.base.Watch.Run(ctx) })
	for _, name := range []string{"left", "lost", "gone"} {
		if _, err := s.accounts.Add(name, account.Helper, secret); err != nil {
			t.Fatal(err)
		}
	}
	type stream struct {
		phone *http.Client
		lines *bufio.Scanner
		body  io.Closer
	}
	follow := func(name string) stream {
		phone := s.as(t, name)
		r, _ := http.NewRequestWithContext(ctx, "GET", s.URL+"/doors/live", nil)
		resp, err := phone.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		out := stream{phone, bufio.NewScanner(resp.Body), resp.Body}
		if !out.lines.Scan() {
			t.Fatalf("the live page of %s says nothing", name)
		}
		return out
	}
	others, ended := follow("owner"), map[string]stream{}
	for _, name := range []string{"left", "lost", "gone", "installer"} {
		ended[name] = follow(name)
	}
	s.post(t, ended["left"].phone, "/logout")
	s.post(t, s.as(t, "lost"), "/everywhere")
	gone, _ := s.accounts.Named("gone")
	s.post(t, others.phone, "/access/remove", "id", gone.ID)
	s.post(t, others.phone, "/access/handover", "sure", "yes")
	timeout := time.AfterFunc(time.Minute, cancel)
	for name, of := range ended {
		for of.lines.Scan() { // it ends, or the test does
		}
		if ctx.Err() != nil {
			t.Errorf("%s hears on", name)
		}
		_ = of.body.Close()
	}
	if !timeout.Stop() {
		t.Fatal("not all have ended")
	}
	s.daemon.forced.Store(true)
	for heard := ""; !strings.Contains(heard, "强行"); heard += others.lines.Text() {
		if !others.lines.Scan() {
			t.Fatalf("the owner hears no more: %s", heard)
		}
	}
	_ = others.body.Close()
	cancel()
	running.Wait()
}

// TestLivePages: twenty pages that are live ask the daemon no oftener than one, and each
// hears of a change.
func TestLivePages(t *testing.T) {
	const pages = 20
	s := claimed(t)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { s.page.base.Watch.Run(ctx) })
	owner := s.as(t, "owner")
	events := make(chan int, 10*pages)
	for i := range pages {
		r, _ := http.NewRequestWithContext(ctx, "GET", s.URL+"/doors/live", nil)
		all.Go(func() {
			resp, err := owner.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
				if lines.Text() == "event: list" {
					events <- i
				}
			}
		})
	}
	each := func() {
		for seen := map[int]bool{}; len(seen) < pages; {
			select {
			case i := <-events:
				seen[i] = true
			case <-time.After(time.Minute):
				t.Fatalf("%d of %d pages heard of it", len(seen), pages)
			}
		}
	}
	each()
	before, began := s.daemon.looked.Load(), time.Now()
	for s.daemon.looked.Load() < before+3 && time.Since(began) < time.Minute {
		time.Sleep(50 * time.Millisecond)
	}
	asked := s.daemon.looked.Load() - before
	// Two seconds between looks. A page that was held up for longer than an answer is fresh asks once more.
	if most := int64(time.Since(began)/watch.Look+time.Since(began)/watch.Fresh) + 2; asked < 3 || asked > most {
		t.Errorf("%d pages asked the daemon %d times in %v, want at most %d", pages, asked, time.Since(began), most)
	}
	s.daemon.forced.Store(true)
	each()
	cancel()
	all.Wait()
}

// forcedDoors is the state of the doors after somebody broke one open.
func forcedDoors(forced *atomic.Bool, doors []control.Door) []control.Door {
	if forced.Load() {
		doors = append([]control.Door{}, doors...)
		doors[0].State = "forced"
	}
	return doors
}
