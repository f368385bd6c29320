package reception

import (
	"fmt"
	"io"
	"strings"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/control"
)

// outcome prints how the tenancy stands.
func outcome(w io.Writer, t control.Tenancy) {
	switch t.State {
	case "ended":
		fmt.Fprintf(w, "tenancy %s has ended: none of its cards opens any more\n", called(t))
	case "notice":
		if t.Decided == "upheld" {
			fmt.Fprintf(w, "tenancy %s: %s\n", called(t), decision(t))
			return
		}
		if t.Counting {
			fmt.Fprintf(w, "tenancy %s: %s\n", called(t), counting)
			return
		}
		fmt.Fprintf(w, "notice runs: tenancy %s ends on %s. The tenant is told at the doors, and can dispute it: gatehouse tenancy dispute\n",
			called(t), minute(t.Notice, t.Zone))
	case "disputed":
		fmt.Fprintf(w, "tenancy %s goes on: its notice is disputed, and counts only if the registry upholds it\n", called(t))
	default:
		fmt.Fprintf(w, "tenancy %s %s; cards: %s\n", called(t), inWords(t.State), cardsOf(t))
	}
}

// inWords returns a state for people.
func inWords(state string) string {
	switch state {
	case "not_begun":
		return "has not begun"
	case "ended":
		return "has ended"
	case "notice":
		return "is on notice"
	case "disputed":
		return "is on notice, which the tenant disputes: it counts only if the registry upholds it"
	}
	return "is " + state
}

func cardsOf(t control.Tenancy) string {
	var all []string
	for _, c := range t.Cards {
		all = append(all, fmt.Sprintf("%d %s", c.Number, cardState(c)))
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// cardState returns the state of a card for people.
func cardState(c control.TenancyCard) string {
	state := c.State
	if c.State == "active" && !c.Proves {
		state += " (proves nothing: gatehouse card confirm)"
	}
	if c.State == "active" && c.Ending {
		state += " (to stop by the landlord's word, unless it is used)"
	}
	if c.State == "active" && c.Copyable {
		state += " (can be copied: a reader here takes its number alone)"
	}
	return state
}

// firstDay returns the first day of the term, or the day of the check-in where that is later.
func firstDay(t control.Tenancy) *time.Time {
	if t.From != nil && (t.Since == nil || t.From.After(*t.Since)) {
		return t.From
	}
	return t.Since
}

// stateShown returns the state, also where only doubt about the time keeps a tenancy open.
func stateShown(t control.Tenancy) string {
	state := strings.ReplaceAll(t.State, "_", " ")
	if t.Doubtful {
		state += "?"
	}
	if t.Counting {
		state += " (days still count)"
	}
	switch t.Decided {
	case "upheld":
		state += " (upheld)"
	case "rejected":
		state += " (notice rejected)"
	}
	return state
}

// decision explains the registry's decision on a notice; empty: there is none.
func decision(t control.Tenancy) string {
	switch {
	case t.Decided == "upheld" && t.Notice != nil:
		return "the registry has upheld the notice: it ends on " + minute(t.Notice, t.Zone) + ", and nobody at the desk can set that aside"
	case t.Decided == "rejected":
		return "the registry has rejected the landlord's notice: the tenancy goes on"
	}
	return ""
}

// inDoubt explains doubt about the time, and what to do.
const inDoubt = "its last day may be over, but the gateway can't be sure of the time: its cards open until it is. gatehouse status says what to do"

// counting explains why cards open beyond the date of a notice.
const counting = "the date of its notice has come, and its days have not passed: they count from when this gateway and the registry heard of it, here only while the gateway is on. " +
	"Its cards open until they have, or until the registry says that it is over, which a gateway with a line hears within 4 hours"

// lastDay returns the last day that counts: "-" for none, "?" where a list has ended the tenancy
// before its time and the gateway has not noted when.
func lastDay(t control.Tenancy) string {
	end := t.Until
	if t.Notice != nil && t.State != "disputed" {
		end = t.Notice
	}
	if t.State == "ended" && t.Ended != nil && (end == nil || t.Ended.Before(*end)) {
		end = t.Ended
	}
	switch {
	case t.State == "ended" && t.Ended == nil && (end == nil || end.After(time.Now())):
		return "?"
	case end == nil:
		return "-"
	}
	return calendar.LastDay(end, end.Location())
}

// minute formats a time with the name of the building's zone, in which the daemon sends it.
func minute(at *time.Time, zone string) string { return at.Format("2006-01-02 15:04 ") + zone }

// called returns the name of a tenancy for people.
func called(t control.Tenancy) string {
	words := []string{t.ID[:8]}
	if t.Flat != "" {
		words = append(words, "in "+t.Flat)
	}
	if t.Label != "" && t.Label != t.Flat {
		words = append(words, "("+t.Label+")")
	}
	return strings.Join(words, " ")
}
