// Package amount says how many of something there are and how long something takes, as
// both ends show it to people.
package amount

import (
	"fmt"
	"strings"
	"time"
)

// Of returns a number with what is counted in its right form: "1 grant", "2 grants",
// "3 tenancies". what is a noun in the singular, or words that end with one.
func Of[N ~int | ~int64 | ~uint | ~uint16 | ~uint32 | ~uint64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	stem, y := strings.CutSuffix(what, "y")
	switch {
	case y && !strings.ContainsAny(stem[len(stem)-1:], "aeou"): // an entry, and not a day
		what = stem + "ies"
	case strings.HasSuffix(what, "s"), strings.HasSuffix(what, "x"), strings.HasSuffix(what, "ch"):
		what += "es"
	default:
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// Span returns a duration: "200 days", "23 h 59 min", "5 min", "40 s". It is as precise
// as people need.
func Span(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Span(-d)
	case d >= 48*time.Hour:
		return Of(int(d/(24*time.Hour)), "day")
	case d >= time.Hour:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%d min", d.Round(time.Minute)/time.Minute)
	}
	return fmt.Sprintf("%d s", d.Round(time.Second)/time.Second)
}
