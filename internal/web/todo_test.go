package web

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/device/fault"
	"gatehouse/internal/acceptance"
	"gatehouse/internal/control"
	"gatehouse/internal/refusalstest"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/text"
	"gatehouse/internal/web/watch"
)

// codesToDo are the codes of what is to be done, as docs/status.md has them; a test of the
// daemon holds that list against what it says.
func codesToDo(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile(filepath.FromSlash("../../docs/status.md"))
	if err != nil {
		t.Fatal(err)
	}
	codes, ok := refusalstest.Block(string(page), "to-do")
	if !ok || len(codes) < 20 {
		t.Fatalf("docs/status.md has %d codes of what is to be done", len(codes))
	}
	return codes
}

// TestToDoWords: each code of the daemon and each fault of a device has words in both
// languages, and there are no words of codes that are gone.
func TestToDoWords(t *testing.T) {
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	want := func(key string) {
		known[key] = true
		if !words.Has("todo." + key) {
			t.Errorf("text/todo.toml has no words of %s", key)
		}
	}
	for _, code := range codesToDo(t) {
		want(code)
		want(code + "_do")
	}
	for _, part := range acceptance.Parts() {
		want("proof_failed_" + string(part))
		want("proof_failed_" + string(part) + "_do")
	}
	for _, part := range []acceptance.Part{acceptance.Exit, acceptance.Contact, acceptance.Fire} {
		want("proof_absent_" + string(part))
		want("proof_absent_" + string(part) + "_do")
	}
	for c := fault.Code(1); c < 1000; c++ {
		if c.Known() {
			want("fault_" + c.String())
		}
	}
	raw, err := os.ReadFile("text/todo.toml")
	if err != nil {
		t.Fatal(err)
	}
	_, ofCodes, _ := strings.Cut(string(raw), "\n\n")
	for _, m := range regexp.MustCompile(`(?m)^([a-z_]+) = `).FindAllStringSubmatch(ofCodes, -1) {
		if !known[m[1]] {
			t.Errorf("text/todo.toml has words of %s, which the daemon does not say", m[1])
		}
	}
}

// TestToDo: the list is the daemon's, in the words of the page's language, with its
// sentence for the installer; what is not known is shown as the daemon says it. The head
// counts the same.
func TestToDo(t *testing.T) {
	s := claimed(t)
	at := time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)
	s.daemon.status.ToDo = []control.ToDo{
		{Code: "device_out/unplugged", Door: "front", Args: []string{"front", "street-in", "plug it in"}, Text: "door front: street-in is out of order"},
		{Code: "clock_doubt", Text: "the clocks differ", Since: &at},
		{Code: "device_fault/cable", Door: "front", Args: []string{"front", "in"}, Text: "door front: in reports a fault"},
		{Code: "exit_pressed", Door: "front", Args: []string{"front", "23 h 59 min"}, Text: "door front: pressed"},
		{Code: "backup_old", Args: []string{"3 days"}, Text: "the newest backup is old"},
		{Code: "of_next_year", Text: "mend the flux", Since: &at, AtStart: true},
	}
	c := s.as(t, "owner")
	for lang, want := range map[string][]string{
		"zh": {"大门：“street-in”坏了或没接上。", "插回去", "street-in is out of order", "mend the flux", "要处理 6", "大门：“进门的读卡器”报告了问题", "按着 23 小时 59 分钟，", "已是 3 天前的", "时间是对的", "从 2026-12-01 09:30 起", "网关启动时（2026-12-01 09:30）就有"},
		"en": {"Front door: street-in is out of order.", "plug it in again", "mend the flux", "To do 6", "Front door: reader (in) reported a fault", "pressed for 23 h 59 min,", "is 3 days old", "The time is right", "Since 2026-12-01 09:30", "Since the gateway started (2026-12-01 09:30), or before"},
	} {
		s.post(t, c, "/language", "to", lang)
		body := s.get(t, c, "/todo").body
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("%s: the list lacks %q:\n%s", lang, w, body)
			}
		}
	}
	if a := s.post(t, c, "/todo/time"); a.status != http.StatusSeeOther || len(s.daemon.confirmed) != 1 {
		t.Errorf("the time is right: %d, the daemon heard it %d times", a.status, len(s.daemon.confirmed))
	}
	if body := s.get(t, s.as(t, "helper"), "/todo").body; strings.Contains(body, "/todo/time") {
		t.Error("a helper may confirm the time")
	}
	// A daemon from before there were codes has sentences alone.
	if old := watch.ToDo(control.Status{Problems: []string{"the disk is 95 % full"}}); len(old) != 1 || old[0].Text != "the disk is 95 % full" {
		t.Errorf("of an older daemon: %+v", old)
	}
}

// TestBuildingTime: the page tells every time in the building's zone, its own, too, and the line of the
// clock names it.
func TestBuildingTime(t *testing.T) {
	there := time.FixedZone("", 5*3600+45*60) // as JSON brings it, and no machine's here
	s := claimed(t)
	now := time.Date(2026, 12, 1, 9, 30, 0, 0, there)
	s.daemon.status.Clock = control.Clock{Now: now, Zone: "Asia/Kathmandu"}
	s.daemon.status.ToDo = []control.ToDo{{Code: "clock_doubt", Text: "x", Since: &now}}
	p := s.person(t, "owner")
	p.page = s.get(t, p.c, "/todo").body
	p.wants("2026-12-01 09:30 (Asia/Kathmandu)")
	made := time.Now()
	if _, _, err := s.accounts.Invite("aunt", account.Helper, made); err != nil {
		t.Fatal(err)
	}
	p.page = s.get(t, p.c, "/access").body
	p.wants(made.Add(account.InvitationLasts).In(there).Format("2006-01-02 15:04"))
}
