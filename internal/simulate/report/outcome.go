package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/simulate/plan"
)

// Outcome is what came of a run.
type Outcome struct {
	Seed     uint64            `json:"seed"`
	Plan     *plan.Plan        `json:"-"`    // that was run
	Views    map[string]string `json:"-"`    // by name: what could be seen of the house
	Days     int               `json:"days"` // simulated
	Did      []Line            `json:"did"`
	Breaches []Breach          `json:"breaches"`
}

// Words are an outcome in words: what was done, and what did not hold.
func (o Outcome) Words() string {
	var b strings.Builder
	for _, l := range o.Did {
		fmt.Fprintln(&b, l)
	}
	for _, l := range o.Breaches {
		fmt.Fprintln(&b, "BROKEN", l)
	}
	return b.String()
}

// laws are what must hold, by number.
var laws = []struct{ law, text string }{
	{"W1", "what was ended or suspended never opens again where that was heard"},
	{"W2", "no resident is shut out by a clock"},
	{"W3", "what the registry confirmed is there once, or something says what is missing"},
	{"W4", "no dead end: at last a true revocation holds in two minutes, and all settles"},
	{"W5", "every loss shows; in good weather nothing does"},
	{"W6", "desk, door and registry say the same"},
	{"W7", "who walks shows to nobody who may not know"},
	{"W8", "the landlord alone stops nobody before the notice's end, and an enemy of one part does no more than he can"},
	{"W9", "no answer under a mandate without its audit entry"},
	{"W10", "what was erased is nowhere, and what is preserved stays"},
}

// DayByDay is a run told day by day.
func (o Outcome) DayByDay() string {
	var b strings.Builder
	for d := range o.Days + 1 {
		var lines []Line
		for _, l := range o.Did {
			if int(l.At/plan.Day) == d && l.Kind != "entry" && l.Kind != "back up" {
				lines = append(lines, l)
			}
		}
		if len(lines) > 0 {
			fmt.Fprintf(&b, "day %d\n%s", d+1, oneDay(lines))
		}
	}
	fmt.Fprint(&b, "laws\n")
	for _, l := range laws {
		state := "holds"
		for _, x := range o.Breaches {
			if x.Law == l.law {
				state = "BROKEN: " + x.Text
				break
			}
		}
		fmt.Fprintf(&b, "  %s %s: %s\n", l.law, l.text, state)
	}
	return b.String()
}

// oneDay tells the swipes of a day as a sum, and the rest as it was.
func oneDay(lines []Line) string {
	sums := map[string]int{}
	var b strings.Builder
	for _, l := range lines {
		if _, result, ok := strings.Cut(l.Text, " swipes "); ok {
			_, result, _ = strings.Cut(result, ": ")
			sums[strings.ReplaceAll(result, "_", " ")]++
			continue
		}
		fmt.Fprintf(&b, "  %s  %s\n", clockTime(l.At), l.Text)
	}
	if len(sums) == 0 {
		return b.String()
	}
	var parts []string
	for result, n := range sums {
		parts = append(parts, fmt.Sprintf("%d %s", n, result))
	}
	slices.Sort(parts)
	return fmt.Sprintf("  cards held up: %s\n", strings.Join(parts, ", ")) + b.String()
}

func clockTime(at time.Duration) string { return plan.Begin.Add(at).Format("15:04") }
