package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/rs/zerolog"

	"gatehouse/internal/acceptance"
	"gatehouse/internal/control"
	"gatehouse/internal/door"
	"gatehouse/internal/idnumber"
	"gatehouse/internal/refusalstest"
	house "gatehouse/internal/site"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/page"
	"gatehouse/internal/web/text"
	"gatehouse/internal/web/tries"
	"gatehouse/internal/web/watch"
	"gatehouse/sync/wire"
)

// daemon is one that answers what the test says, on a real unix socket.
type daemon struct {
	socket    *socket.Server
	path      string
	status    control.Status
	log       []control.LogEntry
	asked     chan string // door ids that were released
	looked    atomic.Int64
	confirmed chan struct{} // a time for each confirmation of the clock
	forced    atomic.Bool   // the first door

	setting unset // while its house is not set up

	mu        sync.Mutex
	tenancies []control.Tenancy
	noted     []string        // who may use the page, or no more
	callers   map[string]bool // path and for whom, of all that was asked
}

func (d *daemon) hear(r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.callers[r.URL.Path+" for "+r.Header.Get(socket.CallerHeader)] = true
}

func newDaemon(t *testing.T) *daemon {
	t.Helper()
	d := &daemon{path: filepath.Join(t.TempDir(), "d.sock"), asked: make(chan string, 10), confirmed: make(chan struct{}, 10), callers: map[string]bool{}}
	d.status = control.Status{Building: "lane-7", Gateway: "gw1", Doors: []control.Door{{ID: "front", State: "normal", Lock: "ok"}, {ID: "yard", State: "held", Lock: "ok"}}}
	d.tenancies = []control.Tenancy{{ID: "t1", Flat: "3B", State: "active"}}
	d.socket = socket.NewServer(socket.Options{Path: d.path, Name: "daemon", Mode: 0o600, MostBody: 1 << 20, Log: zerolog.Nop()})
	socket.Handle(d.socket, "GET /v1/status", func(r *http.Request, _ socket.None) (control.Status, error) {
		d.hear(r)
		d.looked.Add(1)
		st := d.status
		st.Doors = forcedDoors(&d.forced, st.Doors)
		return st, nil
	})
	d.streamLog()
	socket.Handle(d.socket, "POST /v1/access", func(r *http.Request, in control.Access) (struct{}, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.noted = append(d.noted, fmt.Sprintf("%s ended %v by %s", in.Account, in.Ended, r.Header.Get(socket.CallerHeader)))
		return struct{}{}, nil
	})
	d.setting.answer(d.socket)
	socket.Handle(d.socket, "GET /v1/tenancies", func(r *http.Request, _ socket.None) ([]control.Tenancy, error) {
		d.hear(r)
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.tenancies, nil
	})
	socket.Handle(d.socket, "POST /v1/doors/{door}/release", func(r *http.Request, _ socket.None) (control.Released, error) {
		d.hear(r)
		d.asked <- r.PathValue("door")
		return control.Released{Door: r.PathValue("door"), State: "normal"}, nil
	})
	socket.Handle(d.socket, "POST /v1/clock/confirm", func(*http.Request, socket.None) (control.Clock, error) {
		d.confirmed <- struct{}{}
		return control.Clock{Trusted: true}, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	l, err := d.socket.Listen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	go func() { defer close(done); _ = d.socket.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-done })
	return d
}

// site is a page over a daemon.
type site struct {
	*httptest.Server
	page     *Server
	daemon   *daemon
	accounts *account.Store
}

// cheap is a hash that takes no time: with the real one each sign-in of a test took a
// second, and ten with the race detector.
var cheap = argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

const secret = "zwei Birnen 7"

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{daemon: newDaemon(t)}
	var err error
	if s.accounts, err = account.OpenAtCost(t.TempDir(), cheap); err != nil {
		t.Fatal(err)
	}
	if s.page, err = New(Options{Daemon: control.NewClient(s.daemon.path), Accounts: s.accounts, Log: zerolog.Nop()}); err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(s.page.Handler())
	t.Cleanup(s.Close)
	return s
}

// claimed is a page with an owner and one account of each other role.
func claimed(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	code, err := s.accounts.Code()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.accounts.Claim(code, string(account.Owner), secret); err != nil {
		t.Fatal(err)
	}
	for _, role := range []account.Role{account.Helper, account.Installer} {
		if _, err := s.accounts.Add(string(role), role, secret); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// browser is one with its own cookies that follows no redirect.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// answer is what came back.
type answer struct {
	status   int
	location string
	body     string
	header   http.Header
}

func do(t *testing.T, c *http.Client, r *http.Request) answer {
	t.Helper()
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header.Get("Location"), string(body), resp.Header}
}

func (s *site) get(t *testing.T, c *http.Client, path string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, c, r)
}

func (s *site) post(t *testing.T, c *http.Client, path string, pairs ...string) answer {
	t.Helper()
	return s.shown(t, c, s.send(t, c, path, pairs...))
}

// send posts a form, and does not follow to its answer.
func (s *site) send(t *testing.T, c *http.Client, path string, pairs ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+path, strings.NewReader(values(pairs).Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(t, c, r)
}

// shown follows to the answer of a form.
func (s *site) shown(t *testing.T, c *http.Client, a answer) answer {
	t.Helper()
	if strings.HasPrefix(a.location, "/again/") {
		return s.get(t, c, a.location)
	}
	return a
}

// as is a browser in which somebody is signed in.
func (s *site) as(t *testing.T, name string) *http.Client {
	t.Helper()
	c := browser(t)
	s.page.base.Tries = tries.New(tries.Every) // a test signs in more often than people do
	if a := s.post(t, c, "/login", "name", name, "password", secret); a.status != http.StatusSeeOther || a.location != "/" {
		t.Fatalf("sign in as %s: %d %s", name, a.status, a.body)
	}
	return c
}

// TestFirstRun: the label's code makes the owner, once; then the page is there.
func TestFirstRun(t *testing.T) {
	s := newSite(t)
	c := browser(t)
	if a := s.get(t, c, "/"); a.location != "/welcome" {
		t.Fatalf("a new page leads to %q", a.location)
	}
	code, err := s.accounts.Code()
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range [][2]string{{"00000000", secret}, {code, "12345678"}, {code, code}, {code, "short"}, {code, "aaaaaaaaaaaa"}} {
		s.page.base.Tries = tries.New(tries.Every)
		if a := s.post(t, c, "/welcome", "code", wrong[0], "password", wrong[1]); a.status != http.StatusUnprocessableEntity {
			t.Errorf("code and password %q: status %d", wrong, a.status)
		}
	}
	s.page.base.Tries = tries.New(tries.Every)
	if a := s.post(t, c, "/welcome", "code", " "+code[:4]+"-"+code[4:], "password", secret); a.location != "/" {
		t.Fatalf("the right code: %d %s", a.status, a.body)
	}
	if a := s.get(t, c, "/doors"); a.status != http.StatusOK || !strings.Contains(a.body, "front") {
		t.Errorf("doors: %d %s", a.status, a.body)
	}
	late := browser(t) // has the first run on the screen still
	s.post(t, late, "/language", "to", "en")
	a := s.post(t, late, "/welcome", "code", code, "password", secret)
	if a.status != http.StatusConflict || !strings.Contains(a.body, "somebody used the label&#39;s code or the exit button before") {
		t.Errorf("the code a second time: %d %s", a.status, a.body)
	}
	// The owner was made in Chinese: the English sign-in proposes the name that there is.
	if a := s.get(t, late, "/login"); !strings.Contains(a.body, `name="name" value="房东"`) {
		t.Errorf("the sign-in proposes another name: %s", a.body)
	}
	if a := s.get(t, browser(t), "/login"); !strings.Contains(a.body, `name="name" value="房东"`) {
		t.Errorf("the Chinese sign-in: %s", a.body)
	}
	if a := claimed(t).get(t, browser(t), "/login"); !strings.Contains(a.body, `name="name" value=""`) {
		t.Errorf("a sign-in tells a name, or proposes one that nobody has: %s", a.body)
	}
}

// allowed is who may ask for what, as docs/refusals.md has it: a route that is added
// stands there, too.
func allowed(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile(filepath.FromSlash("../../docs/refusals.md"))
	if err != nil {
		t.Fatal(err)
	}
	lines, _ := refusalstest.Block(string(page), "page")
	list := map[string]string{}
	for _, line := range lines {
		pattern, roles, _ := strings.Cut(line, ": ")
		list[pattern] = roles
	}
	return list
}

func rolesOf(r page.Route) string {
	if len(r.Roles) == 0 {
		return "anybody"
	}
	return strings.Trim(fmt.Sprint(r.Roles), "[]")
}

// TestRolesOfRoutes walks every route as every role: whoever is not on its list gets
// nothing of it.
func TestRolesOfRoutes(t *testing.T) {
	s := claimed(t)
	list := allowed(t)
	var got []string
	for _, r := range s.page.base.Routes {
		got = append(got, r.Pattern+": "+rolesOf(r))
	}
	refusalstest.Compare(t, "../..", "page", got)
	clients := map[string]*http.Client{"": browser(t)}
	for _, role := range page.EveryRole {
		clients[string(role)] = s.as(t, string(role))
	}
	for _, r := range s.page.base.Routes {
		if len(r.Roles) == 0 || r.Pattern == "POST /logout" || r.Pattern == "POST /everywhere" || strings.HasSuffix(r.Pattern, "/live") {
			continue
		}
		method, path, _ := strings.Cut(r.Pattern, " ")
		path = regexp.MustCompile(`{\w+}`).ReplaceAllString(path, "front")
		for role, c := range clients {
			var a answer
			if method == "GET" {
				a = s.get(t, c, path)
			} else {
				a = s.post(t, c, path)
			}
			may := role != "" && slices.Contains(strings.Fields(list[r.Pattern]), role)
			refused := a.status == http.StatusForbidden || role == "" && a.location == "/login"
			if may == refused {
				t.Errorf("%s as %q: status %d, location %q, may %v", r.Pattern, role, a.status, a.location, may)
			}
		}
	}
}

// TestForeign: another site's page, a foreign name for this address, a frame.
func TestForeign(t *testing.T) {
	s := claimed(t)
	c := s.as(t, "owner")
	for _, header := range [][2]string{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}} {
		r, _ := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/doors/front/release", nil)
		r.Header.Set(header[0], header[1])
		if a := do(t, c, r); a.status != http.StatusForbidden {
			t.Errorf("%v: status %d", header, a.status)
		}
	}
	for _, r := range s.page.base.Routes { // nothing that does something is done for another's page, signed in or not
		method, path, _ := strings.Cut(r.Pattern, " ")
		if method == "GET" || path == "" {
			continue
		}
		for _, who := range []*http.Client{c, browser(t)} {
			req, _ := http.NewRequestWithContext(t.Context(), method, s.URL+regexp.MustCompile(`{\w+}`).ReplaceAllString(path, "front"), strings.NewReader("name=x"))
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Origin", "https://evil.example")
			if a := do(t, who, req); a.status != http.StatusForbidden || len(a.header["Set-Cookie"]) > 0 {
				t.Errorf("%s from another's page: status %d, cookies %q", r.Pattern, a.status, a.header["Set-Cookie"])
			}
		}
	}
	r, _ := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/login", nil)
	r.Host = "evil.example"
	if a := do(t, c, r); a.status != http.StatusMisdirectedRequest {
		t.Errorf("a foreign host name: status %d", a.status)
	}
	if a := s.get(t, c, "/doors"); !strings.Contains(a.header.Get("Content-Security-Policy"), "frame-ancestors 'none'") || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers of a page: %v", a.header)
	}
	select {
	case door := <-s.daemon.asked:
		t.Errorf("door %s was released", door)
	default:
	}
	for _, back := range []string{"//evil.example", "/\t/evil.example", "/\\evil.example"} {
		if a := s.post(t, c, "/language", "to", "en", "back", back); a.location != "/" {
			t.Errorf("back to %q", a.location)
		}
	}
}

// TestTries: who guesses is slowed down, and slows nobody else down.
func TestTries(t *testing.T) {
	s := claimed(t)
	c := browser(t)
	last := answer{}
	for range 20 {
		last = s.post(t, c, "/login", "name", "owner", "password", "wrong")
	}
	if last.status != http.StatusTooManyRequests {
		t.Errorf("the 20th try: status %d", last.status)
	}
	l := tries.New(tries.Every)
	for i := range 1000 {
		l.Allow("192.0.2.1:"+fmt.Sprint(i+1), "")
		l.Allow("[2001:db8::"+fmt.Sprintf("%x", i+1)+"]:1", "")
	}
	if !l.Allow("192.0.2.2:1", "") {
		t.Error("somebody else may not try")
	}
}

// TestStolenPhone: the password's change, and the end of all sessions, end a session on
// a phone that is gone.
func TestStolenPhone(t *testing.T) {
	s := claimed(t)
	stolen := s.as(t, "owner")
	a, _ := s.accounts.Named("owner")
	if err := s.accounts.EndSessions(a.ID); err != nil {
		t.Fatal(err)
	}
	if got := s.get(t, stolen, "/doors"); got.location != "/login" {
		t.Errorf("after the end of all sessions: %d %q", got.status, got.location)
	}
	again := s.as(t, "owner")
	if _, err := s.accounts.SetPassword(a.ID, secret+"!"); err != nil {
		t.Fatal(err)
	}
	if got := s.get(t, again, "/doors"); got.location != "/login" {
		t.Errorf("after the change of the password: %d %q", got.status, got.location)
	}
}

// TestWords: every key that a screen or the code says is there in both languages.
func TestWords(t *testing.T) {
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	texts, _ := filepath.Glob("text/*.toml")
	for i, f := range texts {
		texts[i] = strings.TrimSuffix(filepath.Base(f), ".toml")
	}
	key := regexp.MustCompile(`"((?:` + strings.Join(texts, "|") + `)\.[a-z_0-9]+)"`)
	files, _ := filepath.Glob("*.go")
	below, _ := filepath.Glob("*/*.go")
	screens, _ := filepath.Glob("page/templates/*.html")
	said := 0
	for _, f := range slices.Concat(files, below, screens) {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range key.FindAllStringSubmatch(string(raw), -1) {
			said++
			if !words.Has(m[1]) && !strings.HasSuffix(m[1], "_") && !strings.HasSuffix(m[1], ".html") && m[1] != "page.no_such" && m[1] != "page.pem" { // no key, and files
				t.Errorf("%s says %s, which has no words", f, m[1])
			}
		}
	}
	if said < 500 || len(texts) < 15 {
		t.Errorf("only %d keys of %q", said, texts)
	}
}

// TestCodesInWords: what the daemon says by a code or a state has words on the page, in both
// languages: whoever adds one adds its words. (TestToDoWords has those of what is to be done.)
func TestCodesInWords(t *testing.T) {
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	want := func(prefix string, codes ...string) {
		t.Helper()
		for _, c := range codes {
			if !words.Has(prefix + c) {
				t.Errorf("no words of %s%s", prefix, c)
			}
		}
	}
	want("doors.state_", "normal", string(door.Held), string(door.Forced), string(door.Emergency), string(door.Listening), string(door.Unknown))
	want("people.state_", "not_begun", "active", "notice", "suspended", "disputed", "ended")
	want("people.card_", "active", "suspended", "ended")
	want("people.key_", "active", "suspended", "revoked", "mixed")
	want("desk.document_", idnumber.Documents()...)
	want("setup.type_", house.TypeOSDP, house.TypeWiegand, house.TypeSerial, house.TypePN532, house.TypeCode)
	for _, r := range page.EveryRole {
		want("access.", string(r))
		want("log.by_", string(r))
	}
	for _, p := range acceptance.Parts() {
		want("prove.", string(p))
		want("prove.failed_", string(p))
	}
	want("prove.state_", control.Unfitted)
	want("drill.short_", control.DrillUnseen, control.DrillKept, control.DrillCut)
	for _, o := range []wire.Outcome{wire.OutcomeActive, wire.OutcomeIdle, wire.OutcomeDone, wire.OutcomeRefused} {
		want("log.outcome_", o.String())
	}
	// Of passages, as the first hundred are, and what no owner sees.
	hidden := []string{wire.Reason(wire.ReasonCard).String(), wire.Reason(wire.ReasonExit).String(), wire.Reason(wire.ReasonOwnEntries).String(), wire.Reason(wire.ReasonForget).String()}
	for r := wire.Reason(100); r < 2000; r++ {
		if n := r.String(); !strings.HasPrefix(n, "reason_") && !words.Has("todo.fault_"+n) && !slices.Contains(hidden, n) {
			want("log.reason_", n)
		}
	}
}

// TestOneLook: many who look at the doors cost the daemon what one does.
func TestOneLook(t *testing.T) {
	s := claimed(t)
	w := s.page.base.Watch
	before := s.daemon.looked.Load()
	began := time.Now()
	for range 100 {
		if _, err := w.Now(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n, most := s.daemon.looked.Load()-before, int64(time.Since(began)/watch.Fresh)+1; n > most {
		t.Errorf("100 looks asked the daemon %d times, want at most %d", n, most)
	}
}

// TestJustDone: what was done by a form shows on the next page, also where the daemon was
// asked a moment before.
func TestJustDone(t *testing.T) {
	s := claimed(t)
	s.daemon.status.ToDo = []control.ToDo{{Code: "clock_doubt", Text: "the clock is in doubt"}}
	c := s.as(t, "owner")
	if body := s.get(t, c, "/todo").body; !strings.Contains(body, "/todo/time") {
		t.Fatalf("nothing to be done: %s", body)
	}
	s.daemon.status.ToDo = nil
	if a := s.post(t, c, "/todo/time"); a.location != "/todo" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if body := s.get(t, c, "/todo").body; strings.Contains(body, "/todo/time") {
		t.Error("what was just done is still to be done")
	}
}

// TestHead: a door that somebody should look at stands at the head of every page, before
// what is to be done; without one and without anything to do all is fine.
func TestHead(t *testing.T) {
	s := claimed(t)
	c := s.as(t, "owner")
	if body := s.get(t, c, "/more").body; !strings.Contains(body, "门要看 1") || strings.Contains(body, "一切正常") {
		t.Errorf("the head with a door that is held open: %s", body)
	}
	s.daemon.status.ToDo = nil
	s.page.base.Watch.Forget()
	if body := s.get(t, c, "/todo").body; strings.Count(body, "门要看 1") != 2 || strings.Contains(body, "一切正常") {
		t.Errorf("the screen of what is to be done, with a door that is held open and nothing else: %s", body)
	}
	s.daemon.status.Doors[1].State = "normal"
	s.page.base.Watch.Forget()
	if body := s.get(t, c, "/more").body; strings.Contains(body, "门要看") || !strings.Contains(body, "一切正常") {
		t.Errorf("the head of a house in order: %s", body)
	}
}

// TestContact: how it stands with the registry is said in the page's own words.
func TestContact(t *testing.T) {
	s := claimed(t)
	c := s.as(t, "owner")
	for state, want := range map[string]string{"in step": "已连上登记中心", "down": "联系不上登记中心", "greeting": "正在连接", "list not proved": "新名单还没生效",
		"not enrolled": "还没有在登记中心登记", "of a later version": "登记中心：of a later version"} {
		s.daemon.status.Uplink = &control.Uplink{State: state}
		s.page.base.Watch.Forget()
		if body := s.get(t, c, "/more").body; !strings.Contains(body, want) {
			t.Errorf("%s: the page does not say %q", state, want)
		}
	}
}
