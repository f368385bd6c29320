package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/control"
)

// TestGuest: with the tool a tenant gives a visitor a code, on the own word alone; it is
// listed without its digits, and ended.
func TestGuest(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	text := strings.Replace(fmt.Sprintf(siteText, b.dir), `formats = ["H10301"]`, `formats = ["H10301"]`+"\nkeypad = {kind = \"key8\"}\npin = \"only\"", 1)
	must(t, os.WriteFile(b.path("site.toml"), []byte(text), 0o600))
	b.enrolled()
	b.serve()
	give := func(answer string, args ...string) (string, control.Done) {
		t.Helper()
		out := b.ok(answer, append([]string{"--json", "guest", "give", "3B", "--by", "pin"}, args...)...)
		var done control.Done
		must(t, json.Unmarshal([]byte(out), &done))
		return out, done
	}
	b.done(lines("resident-id", tenantNumber(), tenantName, "3B", "", "front", "", "", "contract", "yes", ""),
		[]swipe{{door: "front", card: tenantCard}}, "checkin")
	b.done("258013\n", []swipe{{"front", tenantCard, true}}, "tenancy", "pin", "3B", "--by", "card")
	b.fails("258013\n", []string{"can't be trusted", "gatehouse clock confirm"}, "guest", "give", "3B", "--by", "pin")
	b.ok("", "clock", "confirm")
	if out := b.ok("", "guest", "list"); !strings.Contains(out, "no guest codes") {
		t.Errorf("list: %s", out)
	}
	b.fails("", []string{"must be one of"}, "guest", "give", "3B", "--by", "landlord")
	b.fails("", []string{"can't be used together"}, "guest", "give", "3B", "--by", "pin", "--hours", "3", "--days", "1")
	b.fails("258013\n", []string{"at most 7 days", "gatehouse card add"}, "guest", "give", "3B", "--by", "pin", "--days", "8")
	for _, length := range []string{"--hours=-1", "--hours=0", "--hours=169", "--days=0", "--days=30000"} { // said before anybody types
		b.fails("", []string{"at most 7 days", "until midnight"}, "guest", "give", "3B", "--by", "pin", length)
	}
	b.fails("258013\n", []string{"over already", "to come"}, "guest", "give", "3B", "--by", "pin", "--from", "2020-11-01 18:00", "--hours", "4")
	b.fails("258013\n", []string{"over already"}, "guest", "give", "3B", "--by", "pin", "--from", "2020-11-01 18:00")
	b.fails("258013\n", []string{"no time", `"2026-01-31 18:00"`}, "guest", "give", "3B", "--by", "pin", "--from", "soon")
	b.fails("258013\n", []string{"at most 30 days"}, "guest", "give", "3B", "--by", "pin", "--from", "2090-01-01 18:00")
	for want, from := range map[string]time.Time{"over already": time.Now().AddDate(0, -1, 0), "at most 30 days": time.Now().AddDate(0, 2, 0), "": time.Now().AddDate(0, 0, 3)} { // as the page asks, before the tenant has the phone
		_, err := b.client.Change(t.Context(), "any", control.Change{Action: "guest", Tenancy: "3B", Guest: &control.GuestTerms{From: &from, Hours: 4}, Check: true})
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.Contains(got, want) {
			t.Errorf("from %v: %v, want %q", from, err, want)
		}
	}
	if out := b.ok("", "guest", "list"); !strings.Contains(out, "no guest codes") {
		t.Errorf("a code was given without the tenant: %s", out)
	}
	b.fails("471108\n", []string{"wrong PIN"}, "guest", "give", "3B", "--by", "pin")
	out := b.ok("258013\n", "guest", "give", "3B", "--by", "pin", "--days", "3")
	if !strings.Contains(out, "guest code of 3B") || !strings.Contains(out, "any number of times") || !strings.Contains(out, "at the keys of front") || strings.Contains(out, "scanner") {
		t.Errorf("give: %s", out)
	}
	_, done := give("258013\n", "--once")
	g := done.Guest
	if g == nil || len(g.Code) != 10 || !g.Once || !g.Until.After(done.Guest.Until.AddDate(0, 0, -1)) {
		t.Fatalf("%+v", g)
	}
	now := time.Now()
	if _, done := give("258013\n", "--from", now.Add(-time.Hour).Format(time.RFC3339), "--hours", "3"); done.Guest.From != nil || !done.Guest.Until.Before(now.Add(2*time.Hour)) {
		t.Errorf("an hour of three was over: %+v", done.Guest)
	}
	list := b.ok("", "guest", "list")
	if !strings.Contains(list, g.ID) || !strings.Contains(list, "3B") || strings.Contains(list, g.Code) || strings.Contains(b.ok("", "--json", "guest", "list"), g.Code) {
		t.Errorf("list: %s", list)
	}
	if out := b.ok("", "guest", "end", g.ID); !strings.Contains(out, "ended") {
		t.Errorf("end: %s", out)
	}
	b.fails("", []string{"no guest code", "gatehouse guest list"}, "guest", "end", g.ID)
	if log := b.ok("", "log"); !regexp.MustCompile(`guest_given .*by resident`).MatchString(log) || !strings.Contains(log, "guest_ended") {
		t.Errorf("log: %s", log)
	}
	if strings.Contains(b.log.String(), g.Code) {
		t.Error("the daemon logs a code")
	}
}
