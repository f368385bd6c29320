package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestListen: a week in which the old controller decides, as a landlord types it: the
// cards are told by their days alone, the switch over gives them keys in one list, and
// they open at readers of both kinds.
func TestListen(t *testing.T) {
	t.Parallel()
	b, key, _ := newOldHouse(t)
	b.fails("", []string{"nothing was changed", "--yes"}, "adopt", "listen")
	if out := b.ok("", "adopt", "listen", "--yes"); !strings.Contains(out, "listening until ") {
		t.Errorf("said %q", out)
	}
	if out := b.ok("", "status"); !regexp.MustCompile(`door front +listening +lock of the old controller`).MatchString(out) || !strings.Contains(out, "gatehouse adopt drive") {
		t.Errorf("status %s", out)
	}
	b.fails("", []string{"the old controller decides", "gatehouse adopt drive"}, "release", "front")
	b.online() // the readers were opened anew, to listen
	for i, door := range []string{"yard", "front"} {
		b.present(swipe{door: door, card: tenantCard}, "the card is heard", func() bool {
			b.running.Gateway().Keyring.Adopt.Tend()
			text, _ := os.ReadFile(b.path("state/grants/adopt.json"))
			return strings.Count(string(text), `"bits"`) == i+1
		})
	}
	if out := b.ok("", "adopt", "list"); strings.Contains(out, "DAYS") {
		t.Errorf("told on the day itself: %s", out)
	}
	b.clock.Pass(25 * time.Hour)
	out := b.ok("", "adopt", "list")
	if !regexp.MustCompile(`(?m)^[0-9a-f]{8}  1$`).MatchString(out) || strings.Contains(out, "front") {
		t.Errorf("listed %s", out)
	}
	b.fails("", []string{"2 cards learned", "--key"}, "adopt", "drive")
	b.fails("", []string{"--yes"}, "adopt", "drive", "--key", key, "--door", "front")
	b.fails("", []string{"doors of this gateway"}, "adopt", "drive", "--key", key, "--yes")
	b.fails("", []string{"1 to 3"}, "adopt", "drive", "--key", key, "--yes", "--seen", "4")
	out = b.ok("", "adopt", "drive", "--key", key, "--door", "front", "--door", "yard", "--seen", "1", "--yes")
	if !strings.Contains(out, "Of 2 cards learned: 1 got a key, 1 more are the same") {
		t.Errorf("said %q", out)
	}
	if all := b.keys(); len(all) != 1 || all[0].Label != "old card 1" {
		t.Errorf("keys %+v", all)
	}
	b.online() // and anew, to decide
	b.opens(tenantCard, "yard", "front")
	if out := b.ok("", "status"); strings.Contains(out, "listen") {
		t.Errorf("status %s", out)
	}
	b.ok("", "adopt", "listen", "--yes")
	b.ok("", "adopt", "drive", "--yes")
	b.fails("", []string{"locked out"}, "adopt", "listen", "--yes")
	b.fails("", []string{"decides at its doors already"}, "adopt", "drive", "--yes")
}
