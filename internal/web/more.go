package web

import (
	"context"
	"slices"
	"strconv"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
)

// more is what is needed rarely (M1).
type more struct{ *Server }

func (m more) routes() []route {
	return []route{{"GET /more", everyRole, m.page}, {"GET /log", ownerAlone, m.log}}
}

// moreView is the screen. What to do when an officer comes is the same for everybody, and
// leaves no trace.
type moreView struct{ Page, Daemon string } // versions

func (m more) page(v *visit) error {
	st, err := m.watch.now(v.Context())
	if err != nil {
		st.Version = "" // the head says that it does not answer
	}
	return v.show("more", moreView{m.o.Version, st.Version})
}

// entryView is an entry of the log in words.
type entryView struct{ Time, Door, What, Why, By, Code string }

// lastEntries is how many the page shows.
const lastEntries = 100

// log is what an owner may see of the log: faults, alarms and what was done at the gateway,
// newest first; nobody's passages.
func (m more) log(v *visit) error {
	ctx, cancel := context.WithTimeout(v.Context(), wait)
	defer cancel()
	var all []entryView
	err := m.o.Daemon.Log(ctx, control.LogQuery{Last: lastEntries}, func(e control.LogEntry) error {
		all = append(all, m.entry(v, e))
		return nil
	})
	if err != nil {
		return err
	}
	slices.Reverse(all)
	return v.show("log", all)
}

func (m more) entry(v *visit, e control.LogEntry) entryView {
	out := entryView{Time: e.Time.Format("2006-01-02 15:04"), Door: e.Door, What: v.say("log.later")}
	if key := "log.kind_" + e.Kind; m.words.Has(key) {
		out.What = v.say(key)
	}
	if key := "log.outcome_" + e.Outcome; m.words.Has(key) {
		out.What += v.say(key)
	}
	for _, key := range []string{"log.reason_" + e.Reason, "todo.fault_" + e.Reason} {
		if out.Why == "" && m.words.Has(key) {
			out.Why = v.say(key)
		}
	}
	if e.By != "" {
		out.By = v.say("log.by", called(v, e.By))
	}
	if e.Of != "" {
		out.By = v.say("log.of", called(v, e.Of)) + " · " + out.By
	}
	for _, word := range []string{e.Kind, e.Outcome, e.Reason, e.Source} {
		if word != "" && word != "none" {
			out.Code += " " + word
		}
	}
	return out
}

// called is who did something, in words; as it stands where a later daemon says it.
func called(v *visit, who string) string {
	c, err := caller.Parse(who)
	switch {
	case err != nil:
		return who
	case c.Account == 0:
		return v.say("log.by_" + string(c.Role))
	}
	return v.say("log.by_"+string(c.Role)) + " " + strconv.FormatUint(uint64(c.Account), 10)
}
