package laws

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/simulate/report"
)

// Shown is law W5: each loss shows somewhere, and without one nothing does. It keeps what
// was lost, and all that was shown.
type Shown struct {
	Calm   bool            // nothing has gone wrong that is not the weather of every day
	Away   map[string]bool // gateways that were switched off for a while
	losses []loss
	lines  map[string]time.Duration // that somebody who looks at a status or at the alarms is shown, and when last
}

// loss is something that was destroyed or rolled back, and what has to say so: each of
// the signs is a line that is shown after it.
type loss struct {
	what  string
	at    time.Duration
	signs []string // regular expressions
}

// NewShown is that of good weather.
func NewShown() *Shown {
	return &Shown{Calm: true, Away: map[string]bool{}, lines: map[string]time.Duration{}}
}

// Lost notes a loss at a moment since the beginning, and the signs that have to show it.
func (s *Shown) Lost(at time.Duration, what string, signs ...string) {
	s.losses = append(s.losses, loss{what, at, signs})
}

// Says notes a line that is shown at a moment since the beginning, with who shows it before it.
func (s *Shown) Says(at time.Duration, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.lines[text] = max(s.lines[text], at)
}

// Judge holds what was lost against what was shown.
func (s *Shown) Judge(r *report.Report) {
	for _, l := range s.losses {
		for _, sign := range l.signs {
			if !s.shows(regexp.MustCompile(sign), l.at) {
				r.Breach("W5", "%s, and nothing says so (%s)", l.what, report.Line{At: l.at, Text: sign})
			}
		}
	}
	if !s.Calm || len(s.losses) > 0 {
		return
	}
	var lines []string
	for _, text := range slices.Sorted(maps.Keys(s.lines)) {
		if !s.asksAfterAway(text) && !byCalendar.MatchString(text) {
			lines = append(lines, text)
		}
	}
	if len(lines) > 0 {
		r.Breach("W5", "nothing was wrong, and this is shown: %s", strings.Join(lines, "; "))
	}
}

// shows reports whether a line of some kind was shown after a moment.
func (s *Shown) shows(kind *regexp.Regexp, after time.Duration) bool {
	for text, at := range s.lines {
		if at > after && kind.MatchString(text) {
			return true
		}
	}
	return false
}

// byCalendar is what the operator is reminded of from time to time, whatever happens: runs with the records key, which
// stays out of these days.
var byCalendar = regexp.MustCompile(`^the registry says: (for more than \d+ days nobody has looked whether residents|whom the stored log names of those under 14)`)

// asksForSecond is what a gateway shows that takes a list with a second signature alone.
var asksForSecond = regexp.MustCompile(`^(alarm of (\w+): refused second_signature_needed$|(\w+) says: .*registryd countersign)`)

// asksAfterAway reports whether a line is of a gateway that was off and now asks for a
// second signature: its day of removals is one of its own clock.
func (s *Shown) asksAfterAway(text string) bool {
	m := asksForSecond.FindStringSubmatch(text)
	return m != nil && s.Away[m[2]+m[3]]
}
