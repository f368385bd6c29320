package internal_test

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"gatehouse/device/fault"
	"gatehouse/sync/wire"
)

// TestFaultsAreReasons: every fault of a device has its name among the reasons,
// and a hint for the installer.
func TestFaultsAreReasons(t *testing.T) {
	known := 0
	for f := fault.Code(256); f < 512; f++ {
		if !f.Known() {
			continue
		}
		known++
		if got := wire.Reason(f).String(); got != f.String() || f.Hint() == "" {
			t.Errorf("fault %d is %q as a fault and %q as a reason, its hint is %q", f, f, got, f.Hint())
		}
	}
	if known < 35 {
		t.Errorf("%d faults are known", known)
	}
}

// TestCountsAgree: nobody is told of "1 grants": what people count is written by
// amount.Of.
func TestCountsAgree(t *testing.T) {
	counted := regexp.MustCompile(`%d ([a-z]+ )?(tenancies|entries|retries|copies|batches|passes|(grant|seed|day|hour|minute|record|building|gateway|card|key|time|list|` +
		`swipe|door|problem|change|event|frame|letter|message|form|alarm|seal)s)\b`)
	wrong := func(line string) bool { return counted.MatchString(strings.ReplaceAll(line, "to %d", "")) }
	if !wrong(`"ends %d tenancies at once"`) || !wrong(`"%d tenancy records"`) || wrong(`"for 1 to %d minutes"`) {
		t.Fatal("it finds nothing, or too much")
	}
	// The simulation's traces are for whoever mends it.
	out, err := exec.Command("git", "grep", "-nE", `"[^"]*%d [a-z ]*s\b`, "--", ":(top)cmd", ":(top)internal", ":(exclude,top)internal/simulate", ":(exclude,top)internal/access",
		":(exclude,top)*_test.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if wrong(line) {
			t.Errorf("amount.Of knows the singular: %s", line)
		}
	}
}
