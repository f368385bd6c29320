// Package amount says how many of something there are, as both ends show it to people.
package amount

import (
	"fmt"
	"strings"
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
