package internal_test

import (
	"fmt"
	"go/constant"
	"go/types"
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

// TestEveryConstantHasAName: what is declared as a kind, outcome, reason, direction or clock has
// a word that people see, and is not shown as a number.
func TestEveryConstantHasAName(t *testing.T) {
	names := map[string]func(uint16) string{
		"Kind":         func(v uint16) string { return wire.Kind(v).String() },
		"Outcome":      func(v uint16) string { return wire.Outcome(v).String() },
		"Reason":       func(v uint16) string { return wire.Reason(v).String() },
		"Direction":    func(v uint16) string { return wire.Direction(v).String() },
		"ClockQuality": func(v uint16) string { return wire.ClockQuality(v).String() },
	}
	looked := 0
	for _, p := range readHouse(t, "gatehouse/sync/wire") {
		for _, name := range p.types.Scope().Names() {
			c, ok := p.types.Scope().Lookup(name).(*types.Const)
			if !ok {
				continue
			}
			of, ok := c.Type().(*types.Named)
			if !ok || p.name != "gatehouse/sync/wire" || names[of.Obj().Name()] == nil {
				continue
			}
			v, _ := constant.Uint64Val(c.Val())
			looked++
			if shown := names[of.Obj().Name()](uint16(v)); strings.HasSuffix(shown, fmt.Sprintf("_%d", v)) {
				t.Errorf("%s is shown as %s: give it a name beside the others", name, shown)
			}
		}
	}
	if looked < 100 {
		t.Errorf("%d constants were looked at", looked)
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

// TestTradesWords: what the trade has a word for has that word: a directory, the active list, a
// ledger, a standalone house, the broker. Names in JSON (of which grep finds some) are for programs,
// and stay.
func TestTradesWords(t *testing.T) {
	const words = `\bin force\b|\binForce\b|\bfolders?\b|\bbooks\b|\bseldom\b|\bnasty\b|\bowing\b|\berrands?\b|\blulls?\b|\blessons?\b|\bschool\b|` +
		`\bset-backs?\b|\b(want|lack) of room\b|\bpatience\b|\bsa(id|y|ys) again\b|\blast word\b|\bwire\.Words?\b|\ba house( that (is|was))? by itself|the house (is|was) by itself|without current|middleman|trust in the middle|map\[bool\][^{};=]*\{[^{}]*\}\[`
	wrong := regexp.MustCompile(`(?i)` + words)
	names := regexp.MustCompile("\"(folder|seldom)\"")
	if !wrong.MatchString("// its folder") || !wrong.MatchString("a house that is by itself") || !wrong.MatchString(`map[bool]int{true: 1}[x]`) || wrong.MatchString("it comes back by itself") {
		t.Fatal("it finds nothing, or too much")
	}
	out, err := exec.Command("git", "grep", "-nIiE", words, "--", ":(top)", ":(top,exclude)CHANGELOG.md", ":(top,exclude)internal/words_test.go", ":(top,exclude)*.min.js", ":(top,exclude)go.sum").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if wrong.MatchString(names.ReplaceAllString(line, "")) {
			t.Errorf("another word than the trade's: %.200s", line)
		}
	}
}
