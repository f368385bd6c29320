package main

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/internal/cardnumber"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/site"
	"gatehouse/internal/web"
	"gatehouse/internal/web/account"
	"gatehouse/sync/wire"
)

const siteText = `
building = "lane-7"
gateway = "gw1"
state = "%[1]s/state"
socket = "%[1]s/sock"
[[door]]
id = "front"
egress = "mechanical"
lock = "fail-secure"
release_seconds = 3
relay = {chip = "sim0", line = 2, pull = "down"}
[[door.reader]]
id = "in"
type = "wiegand"
chip = "sim0"
d0 = 0
d1 = 1
formats = ["H10301"]
`

// house is a running gateway on hardware that is played, and a page over its socket with
// a landlord who is signed in.
type house struct {
	accounts *account.Store
	t        *testing.T
	dir      string
	board    *devicetest.Board
	source   *devicetest.WiegandSource
	client   *control.Client
	log      gatewaytest.Log // of the daemon and of the page
	page     *httptest.Server
	http     *http.Client
	seen     strings.Builder // every page and address that the browser got
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir()}
	must(t, os.WriteFile(h.path("site.toml"), fmt.Appendf(nil, siteText, h.dir), 0o600))
	var err error
	h.board, err = devicetest.NewBoard(devicetest.BoardConfig{Chip: "sim0", Lines: []devicetest.Line{
		{Name: "d0", Offset: 0, PullUp: true, ActiveLow: true}, {Name: "d1", Offset: 1, PullUp: true, ActiveLow: true}, {Name: "front", Offset: 2, Output: true}}})
	must(t, err)
	h.source = &devicetest.WiegandSource{Board: h.board, D0: "d0", D1: "d1"}
	h.client = control.NewClient(h.path("sock"))
	h.enrolled()
	h.accounts, err = account.Open(t.TempDir())
	must(t, err)
	code, err := h.accounts.Code()
	must(t, err)
	page, err := web.New(web.Options{Daemon: h.client, Accounts: h.accounts, Log: zerolog.New(&h.log)})
	must(t, err)
	h.page = httptest.NewServer(page.Handler())
	t.Cleanup(h.page.Close)
	jar, err := cookiejar.New(nil)
	must(t, err)
	h.http = &http.Client{Jar: jar}
	h.post("/language", "to", "en")
	h.post("/welcome", "code", code, "password", "zwei Birnen 7", "name", "landlord")
	return h
}

func (h *house) path(name string) string { return filepath.Join(h.dir, name) }

// enrolled writes the keys that enrolment would.
func (h *house) enrolled() {
	h.t.Helper()
	issuer, _ := gatewaytest.Keys(h.t, h.path("state"))
	town := gatewaytest.Town{Issuer: issuer, CA: []byte{0}, House: wire.House{Flats: []string{"3A", "3B"}, NoticeDays: 5}, Doors: []string{"front"}}
	town.Enrol(h.t, h.path("state"))
}

// serve runs the daemon until the test ends, or until the function returned is called.
func (h *house) serve() (stop func()) {
	h.t.Helper()
	s, err := site.Load(h.path("site.toml"))
	must(h.t, err)
	running := gatewaytest.Run(h.t, gatewaytest.Setup{Site: s, Board: h.board, Clock: gatewaytest.NewClock(time.Hour, wire.ClockUnset), Log: &h.log, // whatever this machine has
		Change: func(o *gateway.Options) { o.Cadence.Rest = 100 * time.Millisecond }})
	h.eventually("the reader is there", func() bool {
		st, err := h.client.Status(h.t.Context())
		return err == nil && gatewaytest.Online(st)
	})
	_, err = h.client.ConfirmClock(h.t.Context())
	must(h.t, err)
	return func() { must(h.t, running.Stop()) }
}

func (h *house) eventually(what string, ok func() bool) {
	h.t.Helper()
	gatewaytest.Eventually(h.t, what, ok)
}

// fetch follows redirects, as a browser does, and keeps all that came.
func (h *house) fetch(r *http.Request) string {
	h.t.Helper()
	resp, err := h.http.Do(r)
	must(h.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(h.t, err)
	fmt.Fprintln(&h.seen, resp.Request.URL, resp.Header, string(body))
	return string(body)
}

func (h *house) get(path string) string {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), "GET", h.page.URL+path, nil)
	must(h.t, err)
	return h.fetch(r)
}

func (h *house) post(path string, pairs ...string) string {
	h.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequestWithContext(h.t.Context(), "POST", h.page.URL+path, strings.NewReader(form.Encode()))
	must(h.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return h.fetch(r)
}

var visitOf = regexp.MustCompile(`name="visit" value="(\w+)"`)

// step sends a form of the visit that a page shows, and wants words in what comes.
func (h *house) step(page *string, name, words string, pairs ...string) {
	h.t.Helper()
	m := visitOf.FindStringSubmatch(*page)
	if m == nil {
		h.t.Fatalf("no visit on the page before %s:\n%s", name, *page)
	}
	*page = h.post("/people/desk/"+name, append(pairs, "visit", m[1])...)
	h.wants(*page, words)
}

func (h *house) wants(page, words string) {
	h.t.Helper()
	if !strings.Contains(page, words) {
		h.t.Fatalf("the page does not say %q:\n%s", words, page)
	}
}

// hold holds a card up to the reader.
func (h *house) hold(card uint64) {
	must(h.t, h.source.Send(cardnumber.Derive(device.CardOf(card, 40))[1]))
}

// shows sends a form that waits for a card, and holds it up: once, or twice as a proof.
func (h *house) shows(page *string, card uint64, proof bool, words string) {
	h.t.Helper()
	before := strings.Count(h.log.String(), "a card is waited for")
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.eventually("a card is waited for", func() bool { return strings.Count(h.log.String(), "a card is waited for") > before })
		if proof {
			h.opens(card)
			h.eventually("front is secured", func() bool { _, on := h.board.Output("front"); return !on })
		}
		time.Sleep(1600 * time.Millisecond) // sooner it is the same presentation
		h.hold(card)
	}()
	h.step(page, "card", words, "door", "front")
	<-done
}

// opens wants the door to open for a card.
func (h *house) opens(card uint64) {
	h.t.Helper()
	time.Sleep(1600 * time.Millisecond) // sooner it is the same presentation
	h.eventually("front is secured", func() bool { _, on := h.board.Output("front"); return !on })
	h.hold(card)
	h.eventually("front opens", func() bool { _, on := h.board.Output("front"); return on })
}

// The made-up tenant, whose number is of no area that was ever given out.
const (
	tenantName = "Testperson Eins"
	tenantCard = 0x01007B11D7
)

func tenantNumber() string {
	digits, sum := "44000019900307123", 0
	for i := range digits {
		sum += int(digits[i]-'0') * (1 << (17 - i) % 11)
	}
	return digits + string("10X98765432"[sum%11])
}

// TestTenancyByPage: a tenant comes in, loses a card and moves out, all by the page's
// forms over a gateway that runs, and no page, address, header or file names them.
func TestTenancyByPage(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	stop := h.serve()
	h.arrive()
	tenancy := h.first()
	const second = tenantCard + 2
	h.lost(tenancy, second)
	stop()
	h.serve() // the daemon was started anew, and knows what was done
	h.leave(tenancy, second)
	h.nobody()
	h.byOwner()
}

// byOwner: each change has its entry, with the role and number of the account that made it.
func (h *house) byOwner() {
	h.t.Helper()
	who, _ := h.accounts.Named("landlord")
	n := 0
	must(h.t, h.client.Log(h.t.Context(), control.LogQuery{Last: -1, Kinds: []string{"tenancy"}}, func(e control.LogEntry) error {
		if n++; e.By != fmt.Sprintf("owner-%d", who.Number()) {
			h.t.Errorf("%s %s by %q", e.Reason, e.Outcome, e.By)
		}
		return nil
	}))
	if n < 7 {
		h.t.Errorf("%d entries of changes", n)
	}
}

func (h *house) first() control.Tenancy {
	h.t.Helper()
	all, err := h.client.Tenancies(h.t.Context())
	must(h.t, err)
	if len(all) != 1 {
		h.t.Fatalf("%d tenancies, want one", len(all))
	}
	return all[0]
}

// arrive checks the tenant in. A slip is told at its step, and forms that come a second
// time do nothing a second time.
func (h *house) arrive() {
	page := h.post("/people/desk", "purpose", "checkin")
	h.wants(page, "step 1 of 3")
	number := []byte(tenantNumber())
	number[8], number[9] = number[9], number[8]
	answers := func(number string) []string {
		return []string{"document", "resident_id", "number", number, "person", tenantName, "flat", "3B", "term", "year", "basis", "contract", "label", "left door"}
	}
	h.step(&page, "details", "one of its digits is wrong", answers(string(number))...)
	h.step(&page, "details", "step 2 of 3", answers(tenantNumber())...)
	card := page
	h.shows(&page, tenantCard, false, "Hand the phone to the tenant")
	h.step(&page, "tenant", "has to read what is kept", "pin", "4711", "again", "4711")
	h.step(&page, "tenant", "not twice the same", "pin", "4711", "again", "4712", "informed", "1")
	last := page
	h.step(&page, "tenant", "3B (left door) is checked in", "pin", "4711", "again", "4711", "informed", "1")
	h.step(&last, "tenant", "3B (left door) is checked in", "pin", "4711", "again", "4711", "informed", "1") // the second press of a button
	h.step(&card, "card", "3B (left door) is checked in", "door", "front")
	if t := h.first(); t.Until == nil || time.Until(*t.Until) < 364*24*time.Hour || time.Until(*t.Until) > 366*24*time.Hour {
		h.t.Errorf("a year ends %v", t.Until)
	}
	h.opens(tenantCard)
	h.wants(h.get("/people"), "3B · 1 living here")
	h.wants(h.get("/people/roster"), "<td>3B</td><td>1</td>")
	h.wants(h.get("/people/"+h.first().ID), "can be copied")
	h.wants(h.get("/people/"+h.first().ID+"/slip"), "sealed, under a key that is kept offline")
}

// lost: the landlord's word alone is a notice on the old card; with the tenant's card the
// other one is confirmed.
func (h *house) lost(t control.Tenancy, second uint64) {
	page := h.post("/people/desk", "purpose", "lost", "tenancy", t.ID)
	h.step(&page, "choose", "would be locked out", "proof", "landlord", "only", "1")
	h.step(&page, "choose", "Hold the card that is to be given", "proof", "landlord", "only", "0")
	h.shows(&page, tenantCard, true, "in use already") // which opens the door the first time
	h.shows(&page, second, false, "the old card opens until the notice ends")
	h.wants(page, "when the notice ends (days: 5)")
	h.opens(second)
	h.opens(tenantCard)
	page = h.post("/people/desk", "purpose", "out", "tenancy", t.ID)
	h.wants(page, "Rent owed or a permit over stops no card")
	h.step(&page, "choose", "no PIN of its own yet: that of the check-in proves nothing", "proof", "pin", "cause", "moved_out") // a PIN of check-in is the landlord's too
	h.post("/people/desk/leave", "visit", visitOf.FindStringSubmatch(page)[1])
	page = h.post("/people/desk", "purpose", "confirm", "tenancy", t.ID)
	h.step(&page, "choose", "holds up a card of this tenancy", "proof", "card")
	h.shows(&page, tenantCard, true, "the tenant has confirmed the card")
}

// leave: a notice that the tenant disputes and the landlord takes back, and then the end
// by a card.
func (h *house) leave(t control.Tenancy, card uint64) {
	page := h.post("/people/desk", "purpose", "out", "tenancy", t.ID)
	h.step(&page, "choose", "Choose the cause", "proof", "landlord")
	h.step(&page, "choose", "Notice is given", "proof", "landlord", "cause", "lease_over")
	h.wants(h.get("/people/"+t.ID+"/notice"), "Your landlord gave notice: 3B")
	h.opens(card)
	page = h.post("/people/desk", "purpose", "dispute", "tenancy", t.ID)
	h.step(&page, "choose", "PIN of the tenant", "proof", "pin")
	h.step(&page, "pin", "Wrong PIN", "pin", "0000")
	h.step(&page, "pin", "the registry decides", "pin", "4711")
	page = h.post("/people/desk", "purpose", "withdraw", "tenancy", t.ID)
	h.step(&page, "choose", "is taken back", "proof", "landlord")
	page = h.post("/people/desk", "purpose", "out", "tenancy", t.ID)
	h.step(&page, "choose", "holds up a card of this tenancy", "proof", "card", "cause", "moved_out")
	h.shows(&page, card, true, "none of its cards opens any more")
	if t := h.first(); t.State != "ended" || t.Cause != "moved_out" {
		h.t.Errorf("the tenancy is %s by %q", t.State, t.Cause)
	}
	h.wants(h.get("/people"), "Ended: 1")
}

// nobody: nothing that the page sent, logged or kept names the tenant.
func (h *house) nobody() {
	h.t.Helper()
	all := h.seen.String() + h.log.String()
	must(h.t, filepath.WalkDir(h.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		all += string(data)
		return err
	}))
	for what, raw := range map[string]string{"name": tenantName, "first name": "Testperson", "number": tenantNumber(), "birthday": "19900307", "card": "01007b11d7"} {
		if strings.Contains(all, raw) {
			h.t.Errorf("the tenant's %s stands somewhere", what)
		}
	}
	for _, pin := range []string{"4711", "0000"} {
		if strings.Contains(h.seen.String(), `value="`+pin+`"`) {
			h.t.Errorf("PIN %s stands on a page", pin)
		}
	}
}
