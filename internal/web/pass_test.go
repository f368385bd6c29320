package web

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/tries"
)

// withPasses lets the daemon of a site show the pass of one guest code, and returns who asked.
func withPasses(s *site) func() []string {
	var mu sync.Mutex
	var all []string
	socket.Handle(s.daemon.socket, "POST /v1/pass", func(r *http.Request, in control.PassRequest) (control.Pass, error) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, r.Header.Get(socket.CallerHeader)+" "+in.Digits)
		if in.Digits != "1234567890" {
			return control.Pass{}, &socket.Error{Status: http.StatusUnauthorized, Message: "no pass with these digits is good", Hint: "ask"}
		}
		east := time.FixedZone("", 8*3600)
		return control.Pass{From: new(time.Date(2026, 11, 30, 18, 0, 0, 0, east)), Until: time.Date(2026, 12, 1, 0, 0, 0, 0, east), Zone: "Asia/Shanghai", Once: true,
			QR: "GHG1-1234567890", Keys: []string{"front"}, Scanners: []string{"yard"}}, nil
	})
	return func() []string { mu.Lock(); defer mu.Unlock(); return all }
}

// TestPassPage: whoever has the digits sees when and where they open, asked for by nobody's name; all others get one
// answer, and soon none. The digits come by a form alone: no address, log, cookie or refusal has them.
func TestPassPage(t *testing.T) {
	s := claimed(t)
	var log bytes.Buffer
	s.page.base.Log = zerolog.New(&log)
	asked := withPasses(s)
	p := &person{t: t, s: s, c: browser(t)}
	p.page = s.get(t, p.c, "/pass").body
	p.wants("临时码，10 位数字").wants("data-pass")
	s.post(t, p.c, "/language", "to", "en")
	p.send("/pass", "digits", " １２３４５ 67890#").wants("1234567890 #").wants("From 2026-11-30 18:00.").wants("Until 2026-12-01 00:00").wants("(Asia/Shanghai)").
		wants("at the door&#39;s keys (Front door)").wants("scanner (Yard)").wants("<svg").wants("It opens once").wants("Whether it did is not shown")
	shown := regexp.MustCompile(`/again/[A-Z2-7]+`).ReplaceAllString(p.page, "") // a random address may hold anything
	if strings.Contains(shown, "3B") || strings.Contains(shown, "t1") || strings.Contains(shown, "5f0c21aa") {
		t.Error("the pass tells whose it is")
	}
	s.post(t, s.as(t, "owner"), "/pass", "digits", "1234567890")
	for _, a := range asked() {
		if a != "page 1234567890" {
			t.Errorf("the daemon was asked %q", a)
		}
	}
	for range 3 * tries.Burst { // right ones cost nothing
		p.send("/pass", "digits", "1234567890").wants("1234567890 #")
	}
	before := len(asked())
	for n := range 1000 {
		p.send("/pass", "digits", "9876543210")
		if n == 0 {
			p.wants("No guest code that is good has these digits").wants("Ask whoever invited you")
		}
		if strings.Contains(p.page, "9876543210") {
			t.Fatal("what was typed comes back")
		}
	}
	if n := len(asked()) - before; n != tries.Burst {
		t.Errorf("%d of a thousand guesses went to the daemon, want %d", n, tries.Burst)
	}
	p.send("/pass", "digits", "1234567890").wants("Too many tries").wants("At the door your code goes on opening")
	if strings.Contains(log.String(), "1234567890") || strings.Contains(log.String(), "9876543210") {
		t.Error("the log has the digits")
	}
	if a := s.get(t, p.c, "/pass?digits=1234567890"); strings.Contains(a.body, "<svg") {
		t.Error("digits in an address are taken")
	}
}

// TestSend: P3 and a resident's page have what a guest is sent, also without the script: the words, the QR code as a
// picture in the page itself, and the link, whose digits no server sees.
func TestSend(t *testing.T) {
	s := claimed(t)
	f := withFront(s)
	f.guest = guestOne()
	withResidents(s)
	resident := &person{t: t, s: s, c: browser(t)}
	resident.send("/resident", "flat", "3B", "pin", "471108", "act", "guest")
	owner := &person{t: t, s: s, c: s.as(t, "owner")}
	owner.send("/people/desk", "purpose", "guest", "tenancy", "t1")
	owner.step("choose", "proof", "pin")
	owner.step("pin", "pin", "471108")
	for _, p := range []*person{resident, owner} {
		p.wants("data-send").wants("开门码：1234567890").wants(`value="` + s.URL + `/pass#1234567890"`)
		m := regexp.MustCompile(`href="data:image/png;base64,([^"]+)" download="guest-code.png"`).FindStringSubmatch(p.page)
		if m == nil {
			t.Fatalf("no picture to save: %s", p.page)
		}
		raw, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(m[1], "&#43;", "+"))
		if err != nil {
			t.Fatal(err)
		}
		if picture, err := png.Decode(bytes.NewReader(raw)); err != nil || picture.Bounds().Dx() < 200 {
			t.Errorf("the picture: %v", err)
		}
	}
}
