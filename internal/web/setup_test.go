package web

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/account"
	"gatehouse/sync/wire"
)

// unset is the part of the daemon of a house that is not set up. The zero value serves one.
type unset struct {
	mu      sync.Mutex
	state   control.Setup
	looks   []control.LookRequest
	plan    control.Plan
	written []control.Answers
	refusal error
	tokens  []string
	chosen  []string // key files
}

func (u *unset) answer(s *socket.Server) {
	socket.Handle(s, "GET /v1/setup", func(*http.Request, socket.None) (control.Setup, error) {
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.state.State == "" {
			return control.Setup{State: control.SetupHouse}, nil
		}
		return u.state, nil
	})
	socket.Handle(s, "POST /v1/setup/look", func(_ *http.Request, r control.LookRequest) (control.Setup, error) {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.looks = append(u.looks, r)
		if u.state.Look == nil {
			u.state.Look = &control.Look{Running: true}
		}
		return u.state, nil
	})
	socket.Handle(s, "POST /v1/setup/propose", func(*http.Request, control.Answers) (control.Plan, error) {
		u.mu.Lock()
		defer u.mu.Unlock()
		return u.plan, nil
	})
	socket.Handle(s, "POST /v1/setup/write", func(_ *http.Request, w control.WriteSite) (control.SiteWritten, error) {
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.refusal != nil {
			return control.SiteWritten{}, u.refusal
		}
		u.written = append(u.written, w.Answers)
		u.state = control.Setup{}
		return control.SiteWritten{File: "site.toml"}, nil
	})
	socket.Handle(s, "POST /v1/keyfile", func(*http.Request, socket.None) (control.KeyFile, error) {
		u.mu.Lock()
		defer u.mu.Unlock()
		return control.KeyFile{Name: "issuer-lane-7.key", Text: []byte("SECRET")}, u.refusal
	})
	socket.Handle(s, "PUT /v1/keyfile", func(_ *http.Request, k control.KeyFile) (control.KeysInstalled, error) {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.chosen = append(u.chosen, string(k.Text))
		return control.KeysInstalled{}, u.refusal
	})
	socket.Handle(s, "POST /v1/enrol", func(_ *http.Request, r control.EnrolRequest) (control.Enrolled, error) {
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.refusal != nil {
			return control.Enrolled{}, u.refusal
		}
		u.tokens = append(u.tokens, r.Token)
		return control.Enrolled{Registry: "city-1"}, nil
	})
}

// is sets what the daemon is about.
func (u *unset) is(change func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	change()
}

// box is a new gateway with a board for two doors, two readers on an OSDP bus, and a Wiegand
// reader whose wires are exchanged.
func box() control.Setup {
	zero, one := 0, 1
	return control.Setup{State: control.SetupNew, File: "/etc/gatehouse/site.toml", Boards: []control.Board{{Name: "raspberry-pi-4", Title: "Raspberry Pi 4 Model B"}}, Look: &control.Look{
		Running: true, Board: "raspberry-pi-4", Title: "Raspberry Pi 4 Model B", Doors: 2, Silent: []string{"/dev/ttyAMA3"}, Problems: []string{"something of its own"},
		Lines:   []control.FoundLine{{Name: "fire", Pin: "pin 15", High: true}, {Name: "door 1 exit", Pin: "pin 16", High: true}, {Name: "door 1 d0", Pin: "pin 38"}},
		Readers: []control.FoundReader{{Type: "osdp", Port: "/dev/a", Address: &zero}, {Type: "osdp", Port: "/dev/a", Address: &one}, {Type: "wiegand", Door: 2, Pins: "pin 32, pin 33", Swapped: true, Card: true}}}}
}

// says fails where a page lacks one of the words.
func says(t *testing.T, a answer, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(a.body, w) {
			t.Errorf("status %d, no %q in\n%s", a.status, w, a.body)
		}
	}
}

// TestSetUpHouse: from a new box to the file that is written: what is found is told with
// what is wrong in words, nothing is guessed of lock and exit, and faults of the proposal
// and of the disk are told where they can be mended.
func TestSetUpHouse(t *testing.T) {
	s := claimed(t)
	u := &s.daemon.setting
	u.is(func() { u.state = box(); u.state.Look = nil })
	c := s.as(t, "owner")
	if a := s.get(t, c, "/"); a.location != "/setup" {
		t.Fatalf("a new house leads to %q", a.location)
	}
	says(t, s.get(t, c, "/setup"), "正在看")
	u.is(func() {
		if len(u.looks) != 1 || !u.looks[0].Cards || u.looks[0].Seconds != control.MostLook {
			t.Errorf("looks %+v", u.looks)
		}
		u.state = box()
	})
	a := s.get(t, c, "/setup")
	says(t, a, "Raspberry Pi 4 Model B", "OSDP 读卡器 /dev/a 地址 1", "接反了", "读到火警", "第 1 扇门：", "没电", "/dev/ttyAMA3", "something of its own", "全部采用")
	if strings.Contains(a.body, "网关程序没有回应") {
		t.Error("the head says that nobody answers")
	}
	if strings.Contains(a.body, "不再听卡") {
		t.Error("a look that goes on is over")
	}
	u.is(func() { u.state.Look.Running = false })
	for _, path := range []string{"/setup", "/setup/door"} {
		says(t, s.get(t, c, path), "不再听卡", `action="/setup/look"`)
	}
	if a := s.post(t, c, "/setup/look", "board", "raspberry-pi-4"); a.location != "/setup" {
		t.Errorf("%d %q", a.status, a.location)
	}
	if a := s.get(t, c, "/setup/house"); a.location != "/setup/door" {
		t.Errorf("a house without a door: %q", a.location)
	}

	door := func(pairs ...string) answer {
		return s.post(t, c, "/setup/door", append([]string{"reader", "osdp /dev/a 1", "direction", "in"}, pairs...)...)
	}
	u.is(func() { u.state.Look.Readers[1].Card = true })
	says(t, s.get(t, c, "/setup/door"), `value="osdp /dev/a 1" required checked data-lit`, "贴过卡", `value="lines 2" required disabled`)
	says(t, door("name", "front", "egress", "electric"), "停电时是开还是锁着")
	says(t, door("name", "front", "lock", "fail-safe"), "怎么出去")
	says(t, door("name", "front", "lock", "fail-secure", "egress", "electric"), "被锁在里面")
	says(t, door("name", "other", "other", "Haus 7", "lock", "fail-safe", "egress", "electric"), "给它一个代号")
	if a := door("name", "front", "lock", "fail-safe", "egress", "electric", "contact", "1"); a.location != "/setup/house" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := s.post(t, c, "/setup/door", "reader", "none", "name", "other", "other", "cellar", "lock", "fail-secure", "egress", "mechanical"); a.location != "/setup/house" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	says(t, s.get(t, c, "/setup/door"), "已用在")
	if a := s.post(t, c, "/setup/drop", "door", "cellar"); a.location != "/setup/house" {
		t.Fatalf("%d %s", a.status, a.body)
	}

	u.is(func() {
		u.plan = control.Plan{Items: []control.PlanItem{{What: "door front", State: control.PartFault, Words: "no such reader was found"}, {What: "relay", State: control.PartLook, Words: "for the file alone"}}}
	})
	a = s.get(t, c, "/setup/house")
	says(t, a, "大门", "大门：找不到这个读卡器", "OSDP 读卡器", `value="home"`)
	if strings.Contains(a.body, "for the file alone") || strings.Contains(a.body, "cellar") {
		t.Errorf("the house has\n%s", a.body)
	}
	says(t, s.post(t, c, "/setup/house", "building", "Haus 7"), "楼的代号只能是")
	u.is(func() {
		u.refusal = &socket.Error{Status: http.StatusInsufficientStorage, Message: "the site file could not be written: no space left on device"}
	})
	if a := s.post(t, c, "/setup/house", "building", "lane-7"); a.status != http.StatusInsufficientStorage || !strings.Contains(a.body, "什么也没有写") || !strings.Contains(a.body, "再按一次") {
		t.Errorf("a full disk: %d %s", a.status, a.body)
	}
	u.is(func() { u.refusal = nil })
	if a := s.post(t, c, "/setup/house", "building", "Lane-7", "fire", "1"); a.location != "/setup/wait" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	u.is(func() {
		if len(u.written) != 1 {
			t.Fatalf("written %+v", u.written)
		}
		w := u.written[0]
		if w.Building != "lane-7" || !w.Fire || w.Board != "raspberry-pi-4" || len(w.Doors) != 1 || w.Doors[0].ID != "front" || w.Doors[0].Place != 1 || !w.Doors[0].Contact || *w.Doors[0].Readers[0].Address != 1 {
			t.Errorf("written %+v", w)
		}
	})
	if a := s.get(t, c, "/setup/wait"); a.location != "/setup/registry" {
		t.Errorf("%d %q", a.status, a.location)
	}
	if a := s.get(t, c, "/setup"); a.location != "/" {
		t.Errorf("a house that is set up: %d %q", a.status, a.location)
	}
}

// TestSetUpCut: the gateway's power goes in the middle: the page waits for it, and begins
// again without what was said; that somebody else has set it up meanwhile shows.
func TestSetUpCut(t *testing.T) {
	s := claimed(t)
	u := &s.daemon.setting
	u.is(func() { u.state = box() })
	c := s.as(t, "owner")
	if a := s.post(t, c, "/setup/door", "reader", "osdp /dev/a 0", "name", "front", "lock", "fail-safe", "egress", "electric"); a.location != "/setup/house" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := s.get(t, c, "/setup/wait"); a.status != http.StatusOK || a.header.Get("Refresh") == "" || !strings.Contains(a.body, "正在启动") {
		t.Errorf("%d %v", a.status, a.header)
	}
	again := s.as(t, "owner") // sessions are in memory
	u.is(func() { u.state.Look = nil })
	if a := s.get(t, again, "/setup/house"); a.location != "/setup/door" {
		t.Errorf("%d %q", a.status, a.location)
	}
	u.is(func() {
		u.state = box()
		u.refusal = &socket.Error{Status: http.StatusConflict, Message: "/etc/gatehouse/site.toml is there already"}
	})
	says(t, s.post(t, c, "/setup/house", "building", "lane-7"), "不会覆盖")
}

// TestWrongSiteFile: every page leads to what is wrong with the site file, or why its house can't be
// served, in its own words, and says that it needs no restart.
func TestWrongSiteFile(t *testing.T) {
	s := claimed(t)
	s.daemon.setting.is(func() {
		s.daemon.setting.state = control.Setup{State: control.SetupWrong, File: "/etc/gatehouse/site.toml", Fault: `line 3: unknown key "colour" <b>`}
	})
	c := s.as(t, "owner")
	for _, path := range []string{"/setup", "/setup/door", "/setup/house"} {
		says(t, s.get(t, c, path), "unknown key &#34;colour&#34; &lt;b&gt;", "不用重启", "/etc/gatehouse/site.toml")
	}
	s.daemon.setting.is(func() {
		s.daemon.setting.state = control.Setup{State: control.SetupFailed, File: "/etc/gatehouse/site.toml", Fault: "state directory: not a directory"}
	})
	says(t, s.get(t, c, "/setup"), "state directory: not a directory", "现在开不了工", "不用重启")
	s.daemon.setting.is(func() { s.daemon.setting.state = control.Setup{} })
	if a := s.get(t, c, "/setup"); a.location != "/" {
		t.Errorf("mended: %d %q", a.status, a.location)
	}
}

// TestWhoSetsUp: owner and installer do, a helper hears whom to ask.
func TestWhoSetsUp(t *testing.T) {
	s := claimed(t)
	s.daemon.setting.is(func() { s.daemon.setting.state = box() })
	for _, role := range []account.Role{account.Owner, account.Installer} {
		says(t, s.get(t, s.as(t, string(role)), "/setup"), "找到的设备")
	}
	c := s.as(t, "helper")
	if a := s.get(t, c, "/"); a.location != "/setup" {
		t.Errorf("%q", a.location)
	}
	if a := s.get(t, c, "/setup"); a.status != http.StatusForbidden || !strings.Contains(a.body, "请房东") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestEnrolOnPage: a token that does not do is told and never shown again; a good one leads on.
func TestEnrolOnPage(t *testing.T) {
	s := claimed(t)
	u := &s.daemon.setting
	c := s.as(t, "owner")
	says(t, s.get(t, c, "/setup/registry"), "暂不连接")
	u.is(func() {
		u.refusal = &socket.Error{Status: http.StatusUnprocessableEntity, Message: "this is no token: too short"}
	})
	a := s.post(t, c, "/setup/registry", "token", "gh1-SECRET")
	if says(t, a, "这不是完整的令牌"); strings.Contains(a.body, "SECRET") || a.status != http.StatusUnprocessableEntity {
		t.Errorf("%d %s", a.status, a.body)
	}
	u.is(func() { u.refusal = nil })
	good, err := wire.Token{Registry: "city", Place: [4]string{"north", "xin", "lane-7", "gw1"}, Enrol: "127.0.0.1:1", Broker: "127.0.0.1:2"}.Text()
	if err != nil {
		t.Fatal(err)
	}
	mistyped := good[:9] + strings.Map(func(r rune) rune { return r ^ 3 }, good[9:10]) + good[10:]
	says(t, s.post(t, c, "/setup/registry", "token", mistyped), "令牌打错了：第 10 个字符")
	m := newMachine(t)
	says(t, m.post(t, m.as(t, "owner"), "/restore", "token", mistyped, "code", "mine"), "令牌打错了：第 10 个字符")
	if a := s.post(t, c, "/setup/registry", "token", "gh1-good"); a.location != "/setup/wait?for=registry" || len(u.tokens) != 1 || u.tokens[0] != "gh1-good" {
		t.Errorf("%d %q %v", a.status, a.location, u.tokens)
	}
	if a := s.get(t, c, "/setup/wait?for=registry"); a.location != "/" { // by hand: it asks for no proofs
		t.Errorf("%q", a.location)
	}
	s.daemon.status.Uplink = &control.Uplink{}
	s.page.base.Watch.Forget()
	if a := s.get(t, c, "/setup/registry"); a.location != "/" {
		t.Errorf("a house with a registry: %q", a.location)
	}
	s.daemon.status.ToDo = []control.ToDo{{Code: "key_file", Text: "keys/client.key is gone"}} // as after a restore
	s.page.base.Watch.Forget()
	says(t, s.get(t, c, "/setup/registry"), `name="token"`)
}
