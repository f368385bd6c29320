package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/network"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/page"
	"gatehouse/internal/web/text"
	"gatehouse/internal/web/tries"
	"gatehouse/sync/wire"
)

// invite has the owner invite somebody, and returns the code that the page shows.
func (s *site) invite(t *testing.T, owner *http.Client, name string, role account.Role) string {
	t.Helper()
	a := s.post(t, owner, "/access/invite", "name", name, "role", string(role))
	m := regexp.MustCompile(`class="code">(\d{5} \d{5})<`).FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("no code: %d %s", a.status, a.body)
	}
	return m[1]
}

// TestInvitation: the code is shown once, makes an account with the password that its
// person chooses, once, and with the role that the owner gave.
func TestInvitation(t *testing.T) {
	s := claimed(t)
	owner := s.as(t, "owner")
	code := s.invite(t, owner, "Mei", account.Helper)
	if body := s.get(t, owner, "/access").body; strings.Contains(body, code) || !strings.Contains(body, "Mei") {
		t.Errorf("the list after the invitation:\n%s", body)
	}
	for _, wrong := range [][2]string{{"00000 00000", secret}, {code, "12345678"}, {code, code}} {
		s.page.base.Tries = tries.New(tries.Every)
		if a := s.post(t, browser(t), "/invited", "code", wrong[0], "password", wrong[1]); a.status != http.StatusUnprocessableEntity {
			t.Errorf("code and password %q: status %d", wrong, a.status)
		}
	}
	s.page.base.Tries = tries.New(tries.Every)
	mei := browser(t)
	if a := s.post(t, mei, "/invited", "code", code, "password", secret); a.location != "/" {
		t.Fatalf("the right code: %d %s", a.status, a.body)
	}
	if a := s.get(t, mei, "/access"); a.status != http.StatusForbidden {
		t.Errorf("a helper at the owner's screen: status %d", a.status)
	}
	if a := s.post(t, browser(t), "/invited", "code", code, "password", secret); a.status != http.StatusUnprocessableEntity {
		t.Errorf("the code a second time: status %d", a.status)
	}
	a, _ := s.accounts.Named("Mei")
	s.post(t, owner, "/access/remove", "id", a.ID)
	if got := s.get(t, mei, "/doors"); got.location != "/login" {
		t.Errorf("after the removal: %d %q", got.status, got.location)
	}
	self, _ := s.accounts.Named("owner")
	if a := s.post(t, owner, "/access/remove", "id", self.ID); a.status != http.StatusUnprocessableEntity {
		t.Errorf("the owner removes the owner: status %d", a.status)
	}
	if a := s.post(t, owner, "/access/invite", "name", "another", "role", "owner"); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "一栋房子只有一位房东") {
		t.Errorf("a second owner is invited: %d %s", a.status, a.body)
	}
}

// TestInvitedAgain: who invites a name again is told that the code before is void, which it is.
func TestInvitedAgain(t *testing.T) {
	s := claimed(t)
	p := s.person(t, "owner")
	const void = "The code from before no longer works"
	if a := s.post(t, p.c, "/access/invite", "name", "Mei", "role", "helper"); strings.Contains(a.body, void) {
		t.Errorf("at the first invitation: %s", a.body)
	}
	first := s.invite(t, p.c, "Aunt", account.Helper)
	if a := s.post(t, p.c, "/access/invite", "name", " mei", "role", "installer"); !strings.Contains(a.body, void) {
		t.Errorf("in English: %s", a.body)
	}
	s.post(t, p.c, "/language", "to", "zh")
	if a := s.post(t, p.c, "/access/invite", "name", "aunt", "role", "helper"); !strings.Contains(a.body, "之前给这个称呼的邀请码已经作废") {
		t.Errorf("in Chinese: %s", a.body)
	}
	if a := s.post(t, browser(t), "/invited", "code", first, "password", secret); a.status != http.StatusUnprocessableEntity {
		t.Errorf("the code from before: status %d", a.status)
	}
}

// TestHandOver ends all installers and their invitations, once the owner is sure.
func TestHandOver(t *testing.T) {
	s := claimed(t)
	owner, installer, helper := s.as(t, "owner"), s.as(t, "installer"), s.as(t, "helper")
	code := s.invite(t, owner, "Lao Wang", account.Installer)
	if a := s.post(t, owner, "/access/handover"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a handover that nobody is sure of: status %d", a.status)
	}
	if a := s.get(t, installer, "/doors"); a.status != http.StatusOK {
		t.Fatalf("before the handover: status %d", a.status)
	}
	s.post(t, owner, "/access/handover", "sure", "yes")
	if a := s.get(t, installer, "/doors"); a.location != "/login" {
		t.Errorf("an installer after the handover: %d %q", a.status, a.location)
	}
	if a := s.get(t, helper, "/doors"); a.status != http.StatusOK {
		t.Errorf("a helper after the handover: status %d", a.status)
	}
	s.page.base.Tries = tries.New(tries.Every)
	if a := s.post(t, browser(t), "/invited", "code", code, "password", secret); a.status != http.StatusUnprocessableEntity {
		t.Errorf("an installer's invitation after the handover: status %d", a.status)
	}
}

// TestOwnPassword: who changes it knows the one of now; other phones are out, this one is
// not. Sign out everywhere is out here, too.
func TestOwnPassword(t *testing.T) {
	s := claimed(t)
	here, stolen := s.as(t, "helper"), s.as(t, "helper")
	if a := s.post(t, here, "/password", "old", "wrong", "password", secret+"!"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("with a wrong password: status %d", a.status)
	}
	if a := s.post(t, here, "/password", "old", secret, "password", secret+"!"); a.location != "/more" {
		t.Fatalf("with the right one: %d %s", a.status, a.body)
	}
	if a := s.get(t, here, "/doors"); a.status != http.StatusOK {
		t.Errorf("who changed it is out: %d", a.status)
	}
	if a := s.get(t, stolen, "/doors"); a.location != "/login" {
		t.Errorf("the stolen phone: %d %q", a.status, a.location)
	}
	if a := s.post(t, here, "/everywhere"); a.location != "/login" {
		t.Errorf("sign out everywhere: %d %q", a.status, a.location)
	}
	if a := s.get(t, here, "/doors"); a.location != "/login" {
		t.Errorf("afterwards: %d %q", a.status, a.location)
	}
}

// TestLogInWords: the owner reads the log in words, newest first; every kind that an owner
// may see has some, and what a later daemon says is shown by its code.
func TestLogInWords(t *testing.T) {
	s := claimed(t)
	at := time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)
	s.daemon.log = []control.LogEntry{
		{Time: at, Kind: "forced", Door: "front"}, {Time: at, Kind: "command", Outcome: "done", Reason: "operator", Door: "yard"},
		{Time: at, Kind: "fault", Reason: "swapped_lines", Door: "front"}, {Time: at, Kind: "of_next_year"}}
	owner := s.as(t, "owner")
	s.post(t, owner, "/language", "to", "en")
	body := s.get(t, owner, "/log").body
	for _, want := range []string{"Door forced", "Done by hand at the gateway: done", "a door was opened once", "D0 and D1 are swapped", "Another entry", "of_next_year", "2026-12-01 09:30"} {
		if !strings.Contains(body, want) {
			t.Errorf("the log lacks %q:\n%s", want, body)
		}
	}
	if strings.Index(body, "of_next_year") > strings.Index(body, "Door forced") {
		t.Error("the newest does not come first")
	}
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	nowhere := "access repeated flood released released_late secured opened closed exit told sealed "
	for k := wire.Kind(1); !strings.HasPrefix(k.String(), "kind_"); k++ {
		if has := words.Has("log.kind_" + k.String()); has == strings.Contains(nowhere, k.String()+" ") {
			t.Errorf("kind %s has words for the owner's log: %v", k, has)
		}
	}
}

// streamLog has the stand-in answer its log.
func (d *daemon) streamLog() {
	socket.Stream(d.socket, "GET /v1/log", func(w http.ResponseWriter, _ *http.Request, _ socket.None) error {
		for _, e := range d.log {
			if err := json.NewEncoder(w).Encode(e); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestForWhom: the page says to the daemon for whom it asks, by role and number; what it
// looks at for all who look it asks for itself. The owner sees whose number is whose.
func TestForWhom(t *testing.T) {
	s := claimed(t)
	want := map[string]bool{"/v1/status for page": true}
	numbers := map[string]bool{}
	for _, role := range page.EveryRole {
		c := s.as(t, string(role))
		s.post(t, c, "/doors/front/release")
		a, _ := s.accounts.Named(string(role))
		want[fmt.Sprintf("/v1/doors/front/release for %s-%d", role, a.Number())] = true
		numbers[strconv.Itoa(int(a.Number()))] = true
		if s.get(t, c, "/people"); role != account.Installer {
			want[fmt.Sprintf("/v1/tenancies for %s-%d", role, a.Number())] = true
		}
	}
	if !maps.Equal(s.daemon.callers, want) {
		t.Errorf("the daemon heard %v, want %v", s.daemon.callers, want)
	}
	owner := s.as(t, "owner")
	body := s.get(t, owner, "/access").body
	for n := range numbers {
		if len(n) != 6 || !strings.Contains(body, n) {
			t.Errorf("the owner does not see the number %s of an account", n)
		}
	}
	a, _ := s.accounts.Named("helper")
	s.daemon.log = []control.LogEntry{{Kind: "command", Outcome: "done", Reason: "operator", By: caller.Caller{Role: account.Helper, Account: a.Number()}.String()}, {Kind: "clock", By: "of next year"}}
	if body := s.get(t, owner, "/log").body; !strings.Contains(body, "帮手 "+strconv.Itoa(int(a.Number()))) || strings.Count(body, "谁：") != 2 || !strings.Contains(body, "谁：of next year") {
		t.Errorf("the log does not tell who did it:\n%s", body)
	}
}

// TestAccessIsNoted: whoever may use the page, and no more, stands in the gateway's log by role and
// number, and with who did it; a gateway that does not take it holds nothing up.
func TestAccessIsNoted(t *testing.T) {
	s := claimed(t)
	owner := s.as(t, "owner")
	who := func(name string) string {
		a, _ := s.accounts.Named(name)
		return a.Caller().String()
	}
	code := s.invite(t, owner, "Mei", account.Helper)
	s.page.base.Tries = tries.New(tries.Every)
	mei := browser(t)
	s.post(t, mei, "/invited", "code", code, "password", secret)
	meis := who("Mei")
	s.post(t, mei, "/everywhere")
	a, _ := s.accounts.Named("Mei")
	s.post(t, owner, "/access/remove", "id", a.ID)
	s.invite(t, owner, "Lao Wang", account.Installer)
	s.post(t, owner, "/access/withdraw", "name", "Lao Wang")
	s.post(t, owner, "/access/withdraw", "name", "nobody")
	s.post(t, owner, "/access/handover", "sure", "yes")
	o := who("owner")
	want := []string{"helper ended false by " + o, meis + " ended false by " + meis, meis + " ended true by " + meis, meis + " ended true by " + o,
		"installer ended false by " + o, "installer ended true by " + o, "installer ended true by " + o}
	if !slices.Equal(s.daemon.noted, want) {
		t.Errorf("noted\n%q, want\n%q", s.daemon.noted, want)
	}
	h := &hand{t, alone(t, network.Network{}).Handler(), map[string]*http.Cookie{}}
	h.ask("POST", "/login", "name", "owner", "password", secret)
	if w := h.ask("POST", "/everywhere"); w.Header().Get("Location") != "/login" {
		t.Errorf("without the gateway: %d", w.Code)
	}
}
