package main

import (
	"strings"
	"testing"
	"time"
)

// TestClockHints: what status says of an unset clock ends the doubt when followed.
func TestClockHints(t *testing.T) {
	now := time.Now().Format("2006-01-02 15:04")
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
			b.ok("", "clock", "set", "--key", key, strings.ReplaceAll(now, "-", "/"))
			b.ok("", "clock", "set", "--key", key, now)
		} else {
			b.ok("", "clock", "confirm")
		}
		if after := b.ok("", "status"); strings.Contains(after, "not trusted") || strings.Contains(after, "clock confirm") {
			t.Errorf("after the hint: %s", after)
		}
	}
}
