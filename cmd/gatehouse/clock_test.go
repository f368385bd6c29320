package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestClockHints: what status says of an unset clock ends the doubt when followed.
func TestClockHints(t *testing.T) {
	there, err := time.LoadLocation("Asia/Shanghai") // the site file's
	must(t, err)
	now := time.Now().In(there).Format("2006-01-02 15:04")
	for _, set := range []bool{false, true} {
		b := newBench(t)
		key := b.path("issuer.key")
		b.ok("", "init", "--config", b.path("site.toml"), "--key", key)
		b.serve()
		before := b.ok("", "status")
		for _, word := range []string{"not trusted", "nobody who lives here ends by it", "gatehouse clock confirm", "gatehouse clock set --key"} {
			if !strings.Contains(before, word) {
				t.Errorf("status says nothing of %q: %s", word, before)
			}
		}
		if set {
			b.fails("", []string{"landlord's key"}, "clock", "set", "--key", otherKey(t, b), now)
			b.fails("", []string{"no time"}, "clock", "set", "--key", key, "noon")
			b.fails("", []string{"no time"}, "clock", "set", "--key", key, "2026-12-01") // midnight is meant by nobody
			b.fails("", []string{"no time of today"}, "clock", "set", "--key", key, "1999-01-01 00:00")
			b.fails("", []string{"no time of today", "the time now"}, "clock", "set", "--key", key, "1970-01-01 00:00")
			b.fails("", []string{"more than a year", "--far"}, "clock", "set", "--key", key, "2099-01-01 00:00")
			b.ok("", "clock", "set", "--key", key, strings.ReplaceAll(now, "-", "/"))
			b.ok("", "clock", "set", "--key", key, now)
			for what, said := range map[string]string{"status": b.ok("", "status"), "set": b.ok("", "clock", "set", "--key", key, now)} {
				if !strings.Contains(said, "landlord's key, trusted") || strings.Contains(said, "registry, trusted") {
					t.Errorf("%s: %s", what, said)
				}
			}
		} else {
			b.ok("", "clock", "confirm")
		}
		if after := b.ok("", "status"); strings.Contains(after, "not trusted") || strings.Contains(after, "clock confirm") {
			t.Errorf("after the hint: %s", after)
		}
	}
}

// TestBuildingTime: whatever zone the machine is in, every time is told in the building's, and a time that
// is typed is one of it, unless it names another offset.
func TestBuildingTime(t *testing.T) {
	const zone, offset = "Asia/Kathmandu", "+05:45"
	b := newBench(t)
	key := b.path("issuer.key")
	must(t, os.WriteFile(b.path("site.toml"), []byte(fmt.Sprintf("time_zone = %q\n", zone)+fmt.Sprintf(siteText, b.dir)), 0o600))
	b.ok("", "init", "--config", b.path("site.toml"), "--key", key)
	b.serve()
	there, err := time.LoadLocation(zone)
	must(t, err)
	for _, typed := range []string{time.Now().In(there).Format("2006-01-02 15:04"), time.Now().UTC().Format("2006-01-02 15:04 -07:00"), time.Now().UTC().Format(time.RFC3339)} {
		b.ok("", "clock", "set", "--key", key, typed)
		st, err := b.client.Status(t.Context())
		must(t, err)
		if off := time.Since(st.Clock.Now).Abs(); off > 10*time.Minute || !st.Clock.Trusted {
			t.Errorf("%s: %v beside the time", typed, off)
		}
	}
	b.ok("123,04567\n", "grant", "add", "--key", key, "--label", "3C", "--door", "front", "--printed", "3+5D")
	for _, args := range [][]string{{"status"}, {"clock", "confirm"}, {"--json", "status"}} {
		out := b.ok("", args...)
		times := regexp.MustCompile(`\d\d:\d\d:\d\d(?:\.\d+)?(?: [-+]\d\d:\d\d|[-+]\d\d:\d\d|Z)`).FindAllString(out, -1)
		if len(times) == 0 {
			t.Errorf("%v: no time in\n%s", args, out)
		}
		for _, at := range times {
			if !strings.HasSuffix(at, offset) {
				t.Errorf("%v: %s is not in the building's zone:\n%s", args, at, out)
			}
		}
	}
}
