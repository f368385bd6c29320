package web

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/control"
	"gatehouse/internal/resident"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/text"
	"gatehouse/internal/web/tries"
	"gatehouse/internal/web/webtest"
)

// ownEntries lets the daemon of a site serve residents of 3B: two share the flat, each with a PIN of their own.
type ownEntries struct {
	mu      sync.Mutex
	held    map[string]*control.Mine // by session; nil: the card did not come yet
	left    int
	asked   []control.MineCorrection
	callers []string
}

// mineOf is what the daemon has of the tenant with a PIN.
func mineOf(pin string) *control.Mine {
	east := time.FixedZone("CST", 8*3600)
	at := time.Date(2026, 11, 29, 18, 30, 0, 0, east)
	since, door := at.AddDate(0, -1, 0), map[string]string{"471108": "front", "150926": "yard"}[pin]
	early, late := at.Add(-time.Hour), at.Add(time.Hour)
	m := &control.Mine{Building: "lane-7", Gateway: "gw1", Zone: "Asia/Shanghai", Time: at, Clock: "ntp", WhoDays: 30, Guests: []control.Guest{},
		Tenancy: control.Tenancy{ID: "t-" + pin, Flat: "3B", State: "active", Doors: []string{"front", "yard"}, Since: &since, Cards: []control.TenancyCard{{Number: 1, State: "active", Since: &since}}},
		Acts: []control.OwnEntry{{ID: "e12:1", Time: since, Clock: "ntp", Kind: "tenancy", Outcome: "done", Reason: "check_in", By: "owner-402117"},
			{ID: "e12:9", Time: at, Clock: "ntp", Kind: "tenancy", Outcome: "done", Reason: "own_entries", By: "resident"}}}
	for i := range 4 {
		m.Entries = append(m.Entries, control.OwnEntry{ID: "e12:" + string('4'+rune(i)), Time: at.AddDate(0, 0, i/2-1), Clock: "ntp", Kind: "access", Outcome: "granted", Reason: "granted", Door: door, Direction: "in", Method: "card"})
	}
	m.Entries[3].Clock, m.Entries[3].Earliest, m.Entries[3].Latest = "unset", &early, &late
	return m
}

func withOwnEntries(s *site) *ownEntries {
	o := &ownEntries{held: map[string]*control.Mine{}, left: 600}
	gone := &socket.Error{Status: http.StatusGone, Message: "this reading is over", Hint: "x"}
	begun := func(session string) control.MineBegun {
		return control.MineBegun{Session: session, Doors: []string{"front", "yard"}, Pause: map[string]int{"front": 20, "yard": 20}}
	}
	serve := func(r *http.Request, do func(session string) error) error {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.callers = append(o.callers, r.Method+" "+r.Header.Get(socket.CallerHeader))
		if _, there := o.held[r.PathValue("session")]; !there && r.URL.Path != "/v1/mine" {
			return gone
		}
		return do(r.PathValue("session"))
	}
	socket.Handle(s.daemon.socket, "POST /v1/mine", func(r *http.Request, in control.MineRequest) (b control.MineBegun, err error) {
		return b, serve(r, func(string) error {
			if in.Flat != "3B" || mineOf(in.PIN).Entries[0].Door == "" {
				return &socket.Error{Status: http.StatusUnauthorized, Message: "flat and PIN do not fit", Hint: "gatehouse tenancy pin"}
			}
			b = begun(fmt.Sprintf("session-of-%s-%d", in.PIN, len(o.callers)))
			o.held[b.Session] = nil
			return nil
		})
	})
	socket.Handle(s.daemon.socket, "POST /v1/mine/{session}/card", func(r *http.Request, in control.MineCard) (m control.Mine, err error) {
		return m, serve(r, func(session string) error {
			if o.left == 1 {
				return &socket.Error{Status: http.StatusRequestTimeout, Message: "the own card was not held up twice", Hint: "x"}
			}
			o.held[session] = mineOf(session[len("session-of-"):][:6])
			m = *o.held[session]
			return nil
		})
	})
	socket.Handle(s.daemon.socket, "GET /v1/mine/{session}", func(r *http.Request, _ socket.None) (m control.MineNow, err error) {
		return m, serve(r, func(session string) error {
			m = control.MineNow{MineBegun: begun(session), Left: o.left, Held: o.held[session]}
			return nil
		})
	})
	socket.Handle(s.daemon.socket, "POST /v1/mine/{session}/correction", func(r *http.Request, in control.MineCorrection) (control.MineTaken, error) {
		return control.MineTaken{Number: "5f0c21aa"}, serve(r, func(string) error {
			if strings.Contains(in.Text, "440000") {
				return &socket.Error{Status: http.StatusUnprocessableEntity, Message: "the request has so many digits in a row that it may be a card's"}
			}
			o.asked = append(o.asked, in)
			return nil
		})
	})
	socket.Handle(s.daemon.socket, "DELETE /v1/mine/{session}", func(r *http.Request, _ socket.None) (struct{}, error) {
		return struct{}{}, serve(r, func(session string) error { delete(o.held, session); return nil })
	})
	return o
}

// read types flat and PIN on a phone and holds the card up.
func (p *person) read(pin string) *person {
	p.t.Helper()
	p.send("/resident/front", "flat", "3B", "pin", "999998", "act", "ask") // the same form, with another button
	return p.send("/mine", "flat", "3B", "pin", pin, "act", "mine").send("/mine/card")
}

// TestOwnEntriesPage: flat, own PIN and card show what is held, in both languages, without a script; who shares the flat
// sees other entries; neither PIN nor the reading's name stands in a page or an address, and nothing is kept.
func TestOwnEntriesPage(t *testing.T) {
	s := claimed(t)
	var log bytes.Buffer
	s.page.base.Log = zerolog.New(&log)
	o := withOwnEntries(s)
	p := &person{t: t, s: s, c: browser(t)}
	p.page = s.get(t, p.c, "/resident/front").body
	p.wants(`formaction="/mine"`).wants("我的记录")
	p.send("/mine", "flat", "3B", "pin", "471108").wants("请把您自己的卡贴两次").wants("大门：贴一下读卡器，门关好等 20 秒")
	p.send("/mine/card").wants("卡被接受").wants("大门").wants("请向登记中心询问").wants("时间不准：在 2026-11-29 17:30 和 2026-11-29 19:30 之间").wants("登记入住").wants("房东").
		wants("30 到 37 天").wants("2026-11-28 · 2").wants("自动关闭")
	if strings.Contains(p.page, "402117") || strings.Contains(p.page, "院门</strong>") {
		t.Error("it shows an account's number")
	}
	s.post(t, p.c, "/language", "to", "en", "back", "/mine")
	p.page = s.get(t, p.c, "/mine").body
	p.wants("Card accepted").wants("Front door · in · card").wants("Entries were read with your card and PIN").wants("ask there").wants("after 30 to 37 days").wants("check-in</strong> · owner")
	partner := &person{t: t, s: s, c: browser(t)}
	s.post(t, partner.c, "/language", "to", "en")
	partner.read("150926").wants("Yard · in · card")
	if strings.Contains(partner.page, "Front door · in") || strings.Contains(p.page, "Yard · in") {
		t.Error("partners read each other")
	}
	for _, c := range o.callers {
		if !strings.HasSuffix(c, " resident") {
			t.Errorf("the daemon was asked %q", c)
		}
	}
	if all := p.seen.String() + partner.seen.String() + log.String(); strings.Contains(all, "471108") || strings.Contains(all, "session-of") {
		t.Error("PIN or session stand in a page, an address or the log")
	}
	if head := s.get(t, p.c, "/mine").header; head.Get("Cache-Control") != "no-store" || head.Get("Refresh") != "600;url=/mine" {
		t.Errorf("a browser may keep it: %v", head)
	}
	if a := s.get(t, browser(t), "/mine"); strings.Contains(a.body, "Card accepted") || strings.Contains(a.body, "卡被接受") || !strings.Contains(a.body, `name="pin"`) {
		t.Error("another phone sees it")
	}
}

// TestOwnEntriesEnd: closed, or when its time is over, the phone shows nothing any more, nor by going back to the answer of
// a form, and a card that does not come is told.
func TestOwnEntriesEnd(t *testing.T) {
	s := claimed(t)
	o := withOwnEntries(s)
	p := &person{t: t, s: s, c: browser(t)}
	s.post(t, p.c, "/language", "to", "en")
	p.read("471108").wants("Card accepted")
	p.send("/mine/correct", "text", "440000 is mine", "about", "number").wants("so many digits in a row").wants("440000 is mine").wants(`value="number" checked`).wants("Card accepted")
	p.send("/mine/leave").wants("It is closed, or its time is over").wants(`name="pin"`)
	if len(o.held) != 0 || strings.Contains(p.page, "Card accepted") {
		t.Errorf("the daemon has %v", o.held)
	}
	if regexp.MustCompile(`/again/\w+/mine`).MatchString(p.seen.String()) {
		t.Error("an answer is kept")
	}
	p.read("471108").wants("Card accepted")
	o.mu.Lock()
	clear(o.held)
	o.mu.Unlock()
	p.page = s.get(t, p.c, "/mine").body
	p.wants("its time is over").wants("type flat and PIN")
	if strings.Contains(p.page, "Card accepted") {
		t.Error("it shows what is over")
	}
	p.page = s.get(t, p.c, "/mine").body // and once more, without the cookie
	p.wants(`name="pin"`)
	p.send("/mine/card").wants("its time is over")
	o.left = 1
	p.send("/mine", "flat", "3B", "pin", "471108").send("/mine/card").wants("Your own card was not held up twice").wants("Now hold up your own card")
}

// TestOwnEntriesTakenAlong: the copy is the one that the tool writes, for no cache, and only for who may see it.
func TestOwnEntriesTakenAlong(t *testing.T) {
	s := claimed(t)
	withOwnEntries(s)
	p := &person{t: t, s: s, c: browser(t)}
	s.post(t, p.c, "/language", "to", "en")
	p.read("471108")
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{resident.CSV, resident.JSON} {
		var want bytes.Buffer
		if err := (resident.Teller{Words: words, Lang: text.English}).Write(&want, *mineOf("471108"), format); err != nil {
			t.Fatal(err)
		}
		a := s.get(t, p.c, "/mine/copy/"+format)
		if a.status != http.StatusOK || strings.TrimSpace(a.body) != strings.TrimSpace(want.String()) || a.header.Get("Cache-Control") != "no-store" ||
			a.header.Get("Content-Disposition") != `attachment; filename="gatehouse-2026-11-29.`+format+`"` {
			t.Errorf("%s: %d %v\n%s", format, a.status, a.header, a.body)
		}
		if a := s.get(t, browser(t), "/mine/copy/"+format); a.status != http.StatusSeeOther || a.location != "/mine" {
			t.Errorf("%s for somebody else: %d %s", format, a.status, a.body)
		}
	}
	if a := s.get(t, p.c, "/mine/copy/pdf"); a.status != http.StatusNotFound {
		t.Errorf("a format that there is not: %d", a.status)
	}
}

// TestOwnEntriesCorrected: a request goes to the daemon with the entry that was chosen, or what else is wrong, and its
// number is shown.
func TestOwnEntriesCorrected(t *testing.T) {
	s := claimed(t)
	o := withOwnEntries(s)
	p := &person{t: t, s: s, c: browser(t)}
	s.post(t, p.c, "/language", "to", "en")
	p.read("471108").wants(`<option value="e12:4">`)
	p.send("/mine/correct", "entry", "e12:4", "about", "other", "text", "not me").wants("number 5f0c21aa").wants("Card accepted")
	p.send("/mine/correct", "entry", "", "about", "flat", "text", "3C").wants("number 5f0c21aa")
	if len(o.asked) != 2 || o.asked[0] != (control.MineCorrection{About: "entry", Entry: "e12:4", Text: "not me"}) || o.asked[1] != (control.MineCorrection{About: "flat", Text: "3C"}) {
		t.Errorf("%+v", o.asked)
	}
}

// TestOwnEntriesGuessed: wrong PINs of a phone are counted with those of its other acts, right ones cost nothing, and a
// standalone house says that it has none.
func TestOwnEntriesGuessed(t *testing.T) {
	s := claimed(t)
	o := withOwnEntries(s)
	p := &person{t: t, s: s, c: browser(t)}
	s.post(t, p.c, "/language", "to", "en")
	for range 3 * tries.Burst {
		p.send("/mine", "flat", "3B", "pin", "471108").wants("The PIN is right")
	}
	p.send("/mine", "flat", "3B", "pin", "999998").wants("Flat and PIN do not fit")
	o.mu.Lock()
	before := len(o.callers)
	o.mu.Unlock()
	for range 100 {
		s.post(t, p.c, "/mine", "flat", "3B", "pin", "999998")
	}
	o.mu.Lock()
	posts := strings.Count(strings.Join(o.callers[before:], ","), "POST")
	o.mu.Unlock()
	if posts > tries.Burst {
		t.Errorf("%d of a hundred wrong PINs went to the daemon", posts)
	}
	p.send("/mine", "flat", "3B", "pin", "471108").wants("Too many tries")
	p.send("/resident/front", "flat", "3B", "pin", "471108", "act", "codes").wants("Too many tries")
	alone := claimed(t)
	alone.daemon.status.Registry = "none"
	if a := alone.get(t, browser(t), "/mine"); strings.Contains(a.body, `name="pin"`) || !strings.Contains(a.body, "由房东停卡") {
		t.Errorf("%s", a.body)
	}
}

// TestScreensOfOwnEntries looks at a resident's screens, and makes their pictures (make screens).
func TestScreensOfOwnEntries(t *testing.T) {
	t.Parallel()
	s := claimed(t)
	withOwnEntries(s)
	c := browser(t)
	camera := webtest.NewCamera(t, s.URL, c)
	camera.Take("/mine", "mine-begin")
	s.post(t, c, "/mine", "flat", "3B", "pin", "471108")
	camera.Take("/mine", "mine-card")
	s.post(t, c, "/mine/card")
	camera.Take("/mine", "mine-shown")
}
