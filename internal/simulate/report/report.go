// Package report holds what is told of a run: what was done, and which law did not hold.
package report

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"gatehouse/internal/simulate/plan"
)

// Report is told of a run while it lasts. It is no more than one goroutine's.
type Report struct {
	Doing    string // kind of the event that happens
	Did      []Line
	Breaches []Breach
}

// Line is what was done, or happened, and when by true time.
type Line struct {
	At   time.Duration `json:"at"`
	Kind string        `json:"kind,omitempty"` // of the event; "entry": a journal's
	Text string        `json:"text"`
}

func (l Line) String() string {
	day := int(l.At/(plan.Day)) + 1
	return fmt.Sprintf("day %d %s  %s", day, plan.Begin.Add(l.At).Format("15:04:05"), l.Text)
}

// Breach is a law that did not hold.
type Breach struct {
	Law  string        `json:"law"`
	At   time.Duration `json:"at"`
	Text string        `json:"text"`
}

func (b Breach) String() string { return Line{At: b.At, Text: b.Law + ": " + b.Text}.String() }

// ids are what differs from run to run: keys and names by chance, and directories.
var ids = regexp.MustCompile(`[0-9a-f]{8,}|/[^ :]*/`)

func now() time.Duration { return time.Since(plan.Begin).Truncate(time.Second) }

// Say tells what is done now.
func (r *Report) Say(format string, args ...any) {
	text := ids.ReplaceAllString(fmt.Sprintf(format, args...), "*")
	r.Did = append(r.Did, Line{now(), r.Doing, strings.ReplaceAll(text, "\n", " ")})
}

// Entry tells of an entry that is in a journal now, in its words.
func (r *Report) Entry(text string) { r.Did = append(r.Did, Line{now(), "entry", text}) }

// Breach tells of a law that does not hold now.
func (r *Report) Breach(law, format string, args ...any) {
	text := ids.ReplaceAllString(fmt.Sprintf(format, args...), "*")
	r.Breaches = append(r.Breaches, Breach{law, now(), text})
}
