package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestPlanOfALongList: 2,000 lines with 5 % faults, as a person sees the plan: each
// kind of fault in one line, on one screen.
func TestPlanOfALongList(t *testing.T) {
	t.Parallel()
	b, key, _ := newOldHouse(t)
	out := b.ok(longList(), "import", "--key", key, "--dry-run", "-")
	page, err := os.ReadFile("../../docs/takeover.md")
	must(t, err)
	_, shown, _ := strings.Cut(string(page), "```plan\ncards.csv")
	if shown, _, _ = strings.Cut(shown, "```"); "the list"+shown != out {
		t.Errorf("docs/takeover.md does not have the plan as it is:\n%s", out)
	}
	for _, want := range []string{"the list: 2000 lines", "1900 new", "12 over by their last day", "88 refused", "40 lines (2, 52, 102, 152, 202, 252 and 34 more): its number has fewer digits than its form",
		"no door \"attic\" here", "and 2 more"} {
		if !strings.Contains(out, want) {
			t.Errorf("the plan does not say %q", want)
		}
	}
	if n := strings.Count(out, "\n"); n > 20 {
		t.Errorf("a plan of %d lines", n)
	}
	b.fails(longList(), []string{"nothing was imported: 100 lines can't be taken", "the other 1900 lines with --yes"}, "import", "--key", key, "-")
	if out := b.ok(longList(), "import", "--key", key, "--yes", "-"); !strings.Contains(out, "1900 keys imported, active since list 1") {
		t.Errorf("import: %s", out)
	}
}

// longList has 2,000 lines, of which 100 can't be taken.
func longList() string {
	var s strings.Builder
	s.WriteString("label,doors,form,number,kind,from,until\n")
	for i := range 2000 {
		number, doors, label, until := fmt.Sprintf("%010d", 1000000+i), "front yard", fmt.Sprintf("%d-%d-%02d%02d", 1+i/800, 1+i/400%2, 1+i/20%20, 1+i%20), "2097-11-30"
		switch {
		case i%50 == 0:
			number = strings.TrimLeft(number, "0")
		case i%100 == 7:
			number = "1.23E+09"
		case i%200 == 13:
			until = "31/12/2027"
		case i%250 == 19:
			doors = "attic"
		case i%160 == 33 && i < 1900:
			until = "2020-12-31"
		case i%400 == 71:
			number = fmt.Sprintf("%010d", 1000000+i-1)
			label, until = "x", ""
		}
		fmt.Fprintf(&s, "%s,%s,10D,%s,resident,2020-01-01,%s\n", label, doors, number, until)
	}
	return s.String()
}
