package web

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/officer"
	"gatehouse/internal/web/page"
	"gatehouse/internal/web/tries"
	"gatehouse/internal/web/webtest"
	"gatehouse/sync/wire"
)

// inquiries is the daemon's side of the officer's page: what it is asked, and what it says to a paper by its text.
type inquiries struct {
	mu    sync.Mutex
	asked []string
	card  chan struct{} // closed: the card was held up
}

// withInquiries lets the daemon of a site answer mandates.
func withInquiries(s *site) *inquiries {
	q := &inquiries{card: make(chan struct{})}
	answer := control.Inquiry{Reference: &wire.ID{0xab}, Use: 1, Files: []control.SealedFile{{Sealed: []byte("sealed one"), SHA256: wire.Hash{1}}, {Sealed: []byte("sealed two"), SHA256: wire.Hash{2}}}}
	socket.Handle(s.daemon.socket, "POST /v1/inquiry", func(r *http.Request, in control.InquiryRequest) (control.Inquiry, error) {
		q.mu.Lock()
		q.asked = append(q.asked, fmt.Sprintf("%s %s %d", r.Header.Get(socket.CallerHeader), in.Mandate, in.Use))
		q.mu.Unlock()
		switch string(in.Mandate) {
		case "good":
			answer.Again = in.Use != 0
			return answer, nil
		case "card":
			<-q.card
			return answer, nil
		case "often":
			return control.Inquiry{}, socket.Refused(http.StatusTooManyRequests, "wait an hour; gatehouse mandate status FILE", "this is no mandate, and too many of such were shown within the hour")
		case "nobody":
			return control.Inquiry{}, socket.Refused(http.StatusRequestTimeout, "hold it up", "the mandate is for the card in hand, and none came")
		}
		refusal := control.MandateRefusal{Code: "unsigned", Reason: control.InLanguage{ZH: "签名不对", EN: "the signature is wrong"}, Article: control.InLanguage{ZH: "第八条", EN: "article 8"}, Do: control.InLanguage{ZH: "重新签发", EN: "have it signed"}}
		if string(in.Mandate) == "used" {
			refusal.Code = "used_up"
			return control.Inquiry{Refusal: &refusal, Reference: &wire.ID{0xcd}}, nil
		}
		return control.Inquiry{Refusal: &refusal}, nil
	})
	return q
}

// withOrders lets the daemon of a site take orders to preserve.
func withOrders(s *site) {
	until := time.Date(2026, 12, 7, 10, 0, 0, 0, time.UTC)
	socket.Handle(s.daemon.socket, "POST /v1/preserve", func(r *http.Request, in control.PreserveRequest) (control.Preserved, error) {
		switch string(in.Order) {
		case "order":
			return control.Preserved{Seconds: 7 * 24 * 3600, Until: &until}, nil
		case "again":
			return control.Preserved{Seconds: 100*3600 + 1, Again: true}, nil
		case "full":
			return control.Preserved{}, socket.Refused(http.StatusServiceUnavailable, "see gatehouse status", "nothing is preserved: the disk takes no hold")
		}
		return control.Preserved{Refusal: &control.MandateRefusal{Code: "span_too_wide", Do: control.InLanguage{ZH: "缩短", EN: "make it shorter"}}}, nil
	})
}

// all is what the daemon was asked.
func (q *inquiries) all() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.asked)
}

// paper is the form with a mandate or an order, as a browser without scripts sends it.
func paper(field, envelope, use string) (body []byte, kind string) {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	file, _ := form.CreateFormFile(field, "case1")
	_, _ = file.Write([]byte(envelope))
	_ = form.WriteField("use", use)
	_ = form.Close()
	return b.Bytes(), form.FormDataContentType()
}

// shows sends a mandate, and follows to what came of it.
func (s *site) shows(t *testing.T, c *http.Client, mandate, use string) (answer, string) {
	t.Helper()
	body, kind := paper("mandate", mandate, use)
	return s.uploads(t, c, page.OfficerPath, body, kind)
}

// orders sends an order to preserve, and follows to what came of it.
func (s *site) orders(t *testing.T, c *http.Client, order string) (answer, string) {
	t.Helper()
	body, kind := paper("order", order, "")
	return s.uploads(t, c, officer.PreservePath, body, kind)
}

func (s *site) uploads(t *testing.T, c *http.Client, path string, body []byte, kind string) (answer, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	a := do(t, c, r)
	if at := a.location; strings.HasPrefix(at, page.OfficerPath+"/") {
		return s.get(t, c, at), at
	}
	return s.shown(t, c, a), ""
}

// says wants texts in a page.
func (a answer) says(t *testing.T, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(a.body, w) {
			t.Errorf("the page does not say %q:\n%s", w, a.body)
		}
	}
}

// TestOfficer: a mandate goes up and its answer comes down, in several files where the log has a hole, with what it is
// compared by; or the refusal does, in both languages. Nobody is signed in for it, and the daemon does not hear who is.
func TestOfficer(t *testing.T) {
	t.Parallel()
	s := claimed(t)
	q := withInquiries(s)
	c := browser(t)
	a, path := s.shows(t, c, "good", "")
	a.says(t, "第 1 次答复", "lane-7/gw1", "ab000000000000000000000000000000", "01"+strings.Repeat("00", 31), "02"+strings.Repeat("00", 31), `class="qr"`, "共 2 个", "不要留在这栋房子里")
	if n := strings.Count(a.body, `class="qr"`); n != 2 || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Refresh") != "" {
		t.Errorf("%d pictures, %v", n, a.header)
	}
	for n, want := range map[int]string{1: "sealed one", 2: "sealed two"} {
		got := s.get(t, browser(t), fmt.Sprintf("%s/%d", path, n))
		if got.body != want || got.header.Get("Cache-Control") != "no-store" || got.header.Get("Content-Disposition") != fmt.Sprintf(`attachment; filename="answer-1-%d.sealed"`, n) || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("file %d: %q, %v", n, got.body, got.header)
		}
	}
	for _, none := range []string{path + "/0", path + "/3", path + "/-1", path + "/x", page.OfficerPath + "/ABCDEFGHIJKLMNOPQRSTUVWXYZ", page.OfficerPath + "/ABC/1"} {
		if got := s.get(t, c, none); got.status != http.StatusNotFound || strings.Contains(got.body, "sealed ") {
			t.Errorf("%s: %d", none, got.status)
		}
	}
	s.post(t, c, "/language", "to", "en")
	a, _ = s.shows(t, c, "good", " 1 ")
	a.says(t, "Answer 1", "Fetched again, and not counted")
	a, _ = s.shows(t, c, "forged", "")
	a.says(t, "unsigned", "签名不对", "the signature is wrong", "第八条", "article 8", "重新签发", "have it signed", "Not provided", "data-print")
	if strings.Contains(a.body, "lane-7") {
		t.Error("who shows no mandate is told where it is")
	}
	a, _ = s.shows(t, c, "used", "")
	a.says(t, "used_up", "lane-7/gw1", "cd00", "go back and put its number in")
	owner := s.as(t, "owner")
	s.shows(t, owner, "good", "")
	if want := []string{"page good 0", "page good 1", "page forged 0", "page used 0", "page good 0"}; !slices.Equal(q.all(), want) {
		t.Errorf("the daemon was asked %q", q.all())
	}
}

// TestOfficerPreserves: an order goes up before there is a mandate, and the page says until when it holds, in the building's
// time, or for how long where the gateway knows no time, or why it does not. It shows nothing of the log.
func TestOfficerPreserves(t *testing.T) {
	t.Parallel()
	s := claimed(t)
	withOrders(s)
	s.daemon.status.Clock.Now = time.Now().In(time.FixedZone("", 8*3600))
	c := browser(t)
	a, path := s.orders(t, c, "order")
	a.says(t, "已保全", "2026-12-07 18:00", "lane-7/gw1", "data-print")
	if got := s.get(t, c, path+"/1"); got.status != http.StatusNotFound {
		t.Errorf("a file of an order: %d", got.status)
	}
	s.post(t, c, "/language", "to", "en")
	a, _ = s.orders(t, c, "again")
	a.says(t, "Hours from now, at least: 100", "counts from then")
	a, _ = s.orders(t, c, "full")
	a.says(t, "Nothing is preserved", "Show the order again in some minutes")
	a, _ = s.orders(t, c, "wide")
	a.says(t, "Not preserved", "span_too_wide", "缩短", "make it shorter")
	if strings.Contains(a.body, "lane-7") {
		t.Error("who shows no order is told where it is")
	}
	a, _ = s.orders(t, c, "")
	a.says(t, "No file came")
	if a, _ = s.orders(t, c, strings.Repeat("x", officer.MostForm)); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large order: %d", a.status)
	}
}

// TestOfficerForm: what is wrong with a form is said, and the daemon is not asked; what is wrong with the gateway is said
// in the page's words, which name no command of the tool where the page does it.
func TestOfficerForm(t *testing.T) {
	t.Parallel()
	s := claimed(t)
	q := withInquiries(s)
	c := browser(t)
	s.post(t, c, "/language", "to", "en")
	for _, bad := range []struct {
		mandate, use, want string
		status             int
	}{
		{"", "", "No file came", http.StatusUnprocessableEntity},
		{"good", "0", "counts from 1", http.StatusUnprocessableEntity},
		{"good", "-1", "counts from 1", http.StatusUnprocessableEntity},
		{"good", "99999999999", "counts from 1", http.StatusUnprocessableEntity},
		{strings.Repeat("x", wire.MaxMessage+1), "", "too large for a mandate", http.StatusUnprocessableEntity},
		{strings.Repeat("x", officer.MostForm), "", "too much for the gateway", http.StatusRequestEntityTooLarge},
	} {
		a, _ := s.shows(t, c, bad.mandate, bad.use)
		if a.status != bad.status {
			t.Errorf("%.10q, %s: status %d, want %d", bad.mandate, bad.use, a.status, bad.status)
		}
		a.says(t, bad.want)
	}
	if a := s.post(t, c, page.OfficerPath, "mandate", "good"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a form without a file: %d", a.status)
	}
	body, kind := paper("mandate", "good", "")
	r := httptest.NewRequest("POST", "http://127.0.0.1"+page.OfficerPath, bytes.NewReader(body))
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Origin", "http://elsewhere.example")
	w := httptest.NewRecorder()
	if s.page.Handler().ServeHTTP(w, r); w.Code != http.StatusForbidden {
		t.Errorf("a form of another site's page: %d", w.Code)
	}
	if len(q.all()) != 0 {
		t.Errorf("the daemon was asked %q", q.all())
	}
	for mandate, want := range map[string]string{"often": "A mandate that was signed for this house is answered all the same", "nobody": "No card was held up within a minute"} {
		a, _ := s.shows(t, c, mandate, "")
		a.says(t, want)
	}
}

// TestOfficerWaits: while a card is waited for the page says so, and goes on by itself without a script.
func TestOfficerWaits(t *testing.T) {
	t.Parallel()
	s := claimed(t)
	q := withInquiries(s)
	c := browser(t)
	a, path := s.shows(t, c, "card", "")
	a.says(t, "现在就把卡贴到", "这一页会自己更新")
	if want := "1; url=" + path + "?wait=1"; a.header.Get("Refresh") != want {
		t.Errorf("Refresh: %q, want %q", a.header.Get("Refresh"), want)
	}
	if got := s.get(t, c, path+"/1"); got.status != http.StatusNotFound {
		t.Errorf("a file before the answer: %d", got.status)
	}
	time.AfterFunc(100*time.Millisecond, func() { close(q.card) })
	a = s.get(t, c, path+"?wait=1")
	a.says(t, "第 1 次答复")
	if a.header.Get("Refresh") != "" {
		t.Error("the page with the answer is loaded again")
	}
}

// TestOfficerTries: who shows papers that are none gets to the daemon five times, and keeps nobody else from being
// answered; a paper that is good uses no try.
func TestOfficerTries(t *testing.T) {
	t.Parallel()
	s := claimed(t)
	q := withInquiries(s)
	said := ""
	from := func(address, mandate string) int {
		body, kind := paper("mandate", mandate, "")
		r := httptest.NewRequest("POST", "http://127.0.0.1"+page.OfficerPath, bytes.NewReader(body))
		r.Header.Set("Content-Type", kind)
		r.RemoteAddr = address + ":1000"
		w := httptest.NewRecorder()
		s.page.Handler().ServeHTTP(w, r)
		said = w.Body.String()
		return w.Code
	}
	for range 3 * tries.Burst {
		if code := from("192.168.4.7", "good"); code != http.StatusSeeOther {
			t.Fatalf("a paper that is good: %d", code)
		}
	}
	before := len(q.all())
	for range 20 * tries.Burst {
		from("192.168.4.66", "forged")
	}
	if n := len(q.all()) - before; n != tries.Burst {
		t.Errorf("%d papers of a stranger went to the daemon, want %d", n, tries.Burst)
	}
	if code := from("192.168.4.66", "good"); code != http.StatusTooManyRequests || !strings.Contains(said, "暂时一律不受理，正确的调取令也一样") {
		t.Errorf("the stranger's next: %d\n%s", code, said)
	}
	if code := from("192.168.4.7", "good"); code != http.StatusSeeOther {
		t.Errorf("the officer's next: %d", code)
	}
}

// TestOfficerIsHidden: whatever an officer does on the page, no screen of owner, helper or installer is another by a byte,
// and the page logs nothing of it (law W7).
func TestOfficerIsHidden(t *testing.T) {
	t.Parallel()
	s := claimed(t)
	q := withInquiries(s)
	withOrders(s)
	var log bytes.Buffer
	people := map[string]*http.Client{"owner": s.as(t, "owner"), "helper": s.as(t, "helper"), "installer": s.as(t, "installer")}
	stranger := browser(t)
	s.page.base.Log = zerolog.New(&log)
	views := func() map[string]string {
		seen := map[string]string{}
		for pattern := range allowed(t) {
			if path, get := strings.CutPrefix(pattern, "GET "); get && !strings.Contains(path, "{") && !strings.HasSuffix(path, "/live") {
				for who, c := range people {
					seen[who+" "+path] = s.get(t, c, path).body
				}
			}
		}
		return seen
	}
	views() // what the first look alone has, such as a cookie
	before, logged := views(), log.String()
	_, path := s.shows(t, stranger, "good", "")
	s.get(t, stranger, path+"/1")
	s.get(t, stranger, path+"/9")
	for _, mandate := range []string{"forged", "used", "often", "nobody", "", strings.Repeat("x", officer.MostForm)} {
		s.shows(t, stranger, mandate, "")
	}
	for _, order := range []string{"order", "again", "full", "wide", ""} {
		s.orders(t, stranger, order)
	}
	for range tries.Burst {
		s.shows(t, stranger, "forged", "x")
		s.shows(t, stranger, "forged", "")
	}
	if said := strings.TrimPrefix(log.String(), logged); said != "" {
		t.Errorf("the page logs of it:\n%s", said)
	}
	for view, now := range views() {
		if now != before[view] {
			t.Errorf("%s is another screen than before:\n%s", view, now)
		}
	}
	if len(before) < 40 || len(q.all()) < 5 {
		t.Errorf("%d screens were looked at, %d papers shown", len(before), len(q.all()))
	}
	if list := s.daemon.noted; len(list) != 0 {
		t.Errorf("noted: %q", list)
	}
}

// TestOfficerIsFound: who opens the gateway's address without an account finds the way, as does whoever scans the sticker
// at a door; a tenant who is shown a screen is not led away from it.
func TestOfficerIsFound(t *testing.T) {
	t.Parallel()
	s := claimed(t)
	withInquiries(s)
	for _, path := range []string{"/login", "/resident/front", page.OfficerPath} {
		s.get(t, browser(t), path).says(t, `<a href="/officer">办案人员</a>`)
	}
	s.get(t, browser(t), page.OfficerPath).says(t, `enctype="multipart/form-data"`, `type="file"`)
}

// TestScreensOfTheOfficer looks at what an officer sees, and makes the pictures (make screens).
func TestScreensOfTheOfficer(t *testing.T) {
	t.Parallel()
	s := claimed(t)
	q := withInquiries(s)
	s.daemon.status.Clock.Now = time.Now()
	c := browser(t)
	camera := webtest.NewCamera(t, s.URL, c)
	camera.Take(page.OfficerPath, "officer")
	_, waits := s.shows(t, c, "card", "")
	camera.Picture(waits, "officer-waiting")
	close(q.card)
	_, refused := s.shows(t, c, "used", "")
	camera.Take(refused, "officer-refused")
	_, answer := s.shows(t, c, "good", "")
	camera.Take(answer, "officer-answer")
	withOrders(s)
	_, kept := s.orders(t, c, "order")
	camera.Take(kept, "officer-preserved")
}
