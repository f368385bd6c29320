package ledger

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Explain returns every row of the ledgers that does not match.
func Explain(wrong []Row, world Counts, b *Log) string {
	slices.SortFunc(wrong, compareRows)
	var all []string
	for _, r := range wrong {
		all = append(all, fmt.Sprintf("%s, %q: %d at the doors, %d in the log", place(r.Door), r.What, world[r], b.Count(r)))
	}
	return strings.Join(all, "; ")
}

func place(door string) string {
	if door == "" {
		return "house"
	}
	return "door " + door
}

// order is that of the summary; what it does not name comes last.
var order = []string{Granted, Denied, released, AtKill, secured, Opened, Closed, Exits, Commands, Online, Offline,
	Fault, FaultOver, Window, ReaderKey, FireActive, FireIdle, FireReset, FireRefused, ListApplied, Captured, TenancyChanged, Told, Starts, Stops, SiteRead, ClockSet}

func rank(what string) int {
	i := slices.IndexFunc(order, func(o string) bool {
		return o == what || strings.HasSuffix(o, ": ") && strings.HasPrefix(what, o)
	})
	if i < 0 {
		return len(order)
	}
	return i
}

// WriteTable prints what happened beside what the log tells.
func WriteTable(out io.Writer, world Counts, b *Log) {
	var whats []string
	for _, l := range []Counts{world, b.rows} {
		for r := range l {
			if r.What != ofDisk && r.What != fromCentre && !slices.Contains(whats, r.What) {
				whats = append(whats, r.What)
			}
		}
	}
	slices.SortFunc(whats, func(a, b string) int { return compareRows(Row{What: a}, Row{What: b}) })
	fmt.Fprintln(out, "\nwhat happened, as the doors saw it / as the daemon's log tells it")
	t := tabwriter.NewWriter(out, 0, 4, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tfront door\tyard door\tgate\thouse\t")
	for _, what := range whats {
		fmt.Fprintf(t, "%s\t", what)
		for _, door := range []string{FrontDoor, YardDoor, GateDoor, ""} {
			cell(t, world[Row{door, what}], b.rows[Row{door, what}], what)
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush()
}

func cell(w io.Writer, happened, told int, what string) {
	switch {
	case happened == 0 && told == 0:
		fmt.Fprint(w, "\t")
	case happened == told || what == AtKill && happened > told:
		fmt.Fprintf(w, "%d / %d\t", happened, told)
	default:
		fmt.Fprintf(w, "! %d / %d\t", happened, told)
	}
}

func compareRows(a, b Row) int {
	return cmp.Or(rank(a.What)-rank(b.What), cmp.Compare(a.What, b.What), cmp.Compare(a.Door, b.Door))
}
