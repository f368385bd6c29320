package web

import (
	"context"
	"slices"
	"strconv"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/web/page"
	"gatehouse/internal/web/watch"
)

// more has what is rarely needed (M1).
type more struct {
	*page.Page
	version string
}

func (m more) routes() []page.Route {
	return []page.Route{page.At("GET /more", page.EveryRole, m.page), page.At("GET /log", page.OwnerAlone, m.log)}
}

// moreView is the data of the screen. What to do when an officer comes is the same for everybody,
// and leaves no trace.
type moreView struct {
	Page, Daemon string // versions
	House        bool   // one is served: nothing is restored here
}

func (m more) page(v *page.Visit) error {
	st, err := m.Watch.Now(v.Context())
	if err != nil {
		st.Version = "" // the head of the page says that the daemon does not answer
	}
	return v.Show("more", moreView{m.version, st.Version, err == nil})
}

// entryView is an entry of the journal in words.
type entryView struct{ Time, Door, What, Why, By, Code string }

// lastEntries is the number of entries on the page.
const lastEntries = 100

// log shows what an owner may see of the journal: faults, alarms and acts at the gateway, newest
// first; nobody's passages.
func (m more) log(v *page.Visit) error {
	ctx, cancel := context.WithTimeout(v.Context(), watch.Wait)
	defer cancel()
	var all []entryView
	err := m.Daemon.Log(ctx, control.LogQuery{Last: lastEntries}, func(e control.LogEntry) error {
		all = append(all, m.entry(v, e))
		return nil
	})
	if err != nil {
		return err
	}
	slices.Reverse(all)
	return v.Show("log", all)
}

func (m more) entry(v *page.Visit, e control.LogEntry) entryView {
	out := entryView{Time: e.Time.Format("2006-01-02 15:04"), Door: e.Door, What: v.Say("log.later")}
	if key := "log.kind_" + e.Kind; m.Words.Has(key) {
		out.What = v.Say(key)
	}
	if key := "log.outcome_" + e.Outcome; m.Words.Has(key) {
		out.What += v.Say(key)
	}
	for _, key := range []string{"log.reason_" + e.Reason, "todo.fault_" + e.Reason} {
		if out.Why == "" && m.Words.Has(key) {
			out.Why = v.Say(key)
		}
	}
	if e.By != "" {
		out.By = v.Say("log.by", called(v, e.By))
	}
	if e.Of != "" {
		out.By = v.Say("log.of", called(v, e.Of)) + " · " + out.By
	}
	for _, word := range []string{e.Kind, e.Outcome, e.Reason, e.Source} {
		if word != "" && word != "none" {
			out.Code += " " + word
		}
	}
	return out
}

// called returns who did something, in words; a later daemon's unknown form is returned unchanged.
func called(v *page.Visit, who string) string {
	c, err := caller.Parse(who)
	switch {
	case err != nil:
		return who
	case c.Account == 0:
		return v.Say("log.by_" + string(c.Role))
	}
	return v.Say("log.by_"+string(c.Role)) + " " + strconv.FormatUint(uint64(c.Account), 10)
}
