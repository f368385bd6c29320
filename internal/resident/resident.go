// Package resident tells a resident what a gateway holds about them: in words of both languages, and as a file to take
// along. The page of the house and the tool say it alike.
//
// It refuses to know where that comes from: it gets what the daemon has given to whom it was proved. It writes nothing to
// any disk.
package resident

import (
	"errors"
	"strings"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/text"
	"gatehouse/sync/wire"
)

// Teller tells in one language. It is safe for concurrent use.
type Teller struct {
	Words text.Words
	Lang  text.Language
}

// Say returns the words of a key of mine.toml.
func (t Teller) Say(key string, args ...any) string { return t.Words.Say(t.Lang, "mine."+key, args...) }

// Told is an error of the daemon in the language, if there are words for it.
func (t Teller) Told(err error) error {
	var e *socket.Error
	if t.Lang == text.English || !errors.As(err, &e) { // whose words it has
		return err
	}
	key := text.KeyOf(e.Message)
	if key == "" {
		return err
	}
	told := *e
	told.Message = t.Words.Say(t.Lang, key)
	if t.Words.Has(key + "_do") {
		told.Hint = t.Words.Say(t.Lang, key+"_do")
	}
	return &told
}

// Fact is one thing that is held, with its name.
type Fact struct{ Name, Value string }

// Facts are the tenancy and the card, and when that was read.
func (t Teller) Facts(m control.Mine) []Fact {
	of := m.Tenancy
	all := []Fact{{t.Say("fact_flat"), of.Flat}, {t.Say("fact_label"), of.Label}, {t.Say("fact_state"), t.Words.Say(t.Lang, "people.state_"+of.State)},
		{t.Say("fact_term"), t.Say("fact_days", day(first(of)), t.lastDay(of.Until))}, {t.Say("fact_doors"), t.doors(of.Doors)}}
	if of.Notice != nil {
		all = append(all, Fact{t.Say("fact_notice"), minute(*of.Notice)})
	}
	if of.OwnPIN {
		all = append(all, Fact{t.Say("fact_pin"), t.Say("pin_own")})
	}
	for _, c := range of.Cards {
		all = append(all, Fact{t.Say("fact_card"), t.Say("card", c.Number, t.Words.Say(t.Lang, "people.card_"+c.State), day(c.Since))})
	}
	for _, g := range m.Guests {
		all = append(all, Fact{t.Say("fact_guest"), t.Say("guest", minute(g.Until))})
	}
	all = append(all, Fact{t.Say("fact_gateway"), m.Building + "/" + m.Gateway}, Fact{t.Say("fact_clock"), minute(m.Time) + t.Words.Say(t.Lang, "page.in_brackets", m.Zone)})
	out := all[:0]
	for _, f := range all {
		if f.Value != "" {
			out = append(out, f)
		}
	}
	return out
}

// Kept says what is kept of a resident, where, and for how long.
func (t Teller) Kept(m control.Mine) []string { return t.Words.Kept(t.Lang, false, m.WhoDays) }

// Police says what can be said of authorities that asked.
func (t Teller) Police() string { return t.Say("police") }

// Event is an entry in words.
type Event struct {
	ID        string
	Day       string
	Time      string
	Unsure    string // of a clock that was not good: when it was; empty: Day and Time are right
	What      string
	Door      string
	Direction string
	Method    string
	By        string // who did it, of an act
}

// Entries are the entries of the card, the newest first.
func (t Teller) Entries(m control.Mine) []Event { return t.events(m.Entries, t.passage) }

// Acts are what was done about the tenancy, the newest first.
func (t Teller) Acts(m control.Mine) []Event { return t.events(m.Acts, t.act) }

func (t Teller) events(all []control.OwnEntry, what func(control.OwnEntry) string) []Event {
	out := make([]Event, 0, len(all))
	for i := len(all) - 1; i >= 0; i-- {
		e := all[i]
		ev := Event{ID: e.ID, Day: e.Time.Format(time.DateOnly), Time: e.Time.Format("15:04:05"), Unsure: t.unsure(e), What: what(e)}
		if e.Door != "" {
			ev.Door = t.Door(e.Door)
		}
		if e.Direction != "" {
			ev.Direction = t.Words.Say(t.Lang, "evidence."+e.Direction)
		}
		for n := wire.MethodCard; n <= wire.MethodGuest; n++ {
			if e.Method != "" && n.String() == e.Method {
				ev.Method = t.Words.Say(t.Lang, "evidence.method_"+string('0'+rune(n)))
			}
		}
		if e.Kind == wire.KindTenancy.String() {
			ev.By = t.by(e.By)
		}
		out = append(out, ev)
	}
	return out
}

// unsure says within which time an entry was made that did not know it.
func (t Teller) unsure(e control.OwnEntry) string {
	switch {
	case e.Latest == nil:
		return ""
	case e.Latest.Year() >= 9999: // nobody knows
		return t.Say("unsure_all")
	case e.Earliest == nil:
		return t.Say("unsure_before", minute(*e.Latest))
	}
	return t.Say("unsure", minute(*e.Earliest), minute(*e.Latest))
}

// passage is what happened to the card.
func (t Teller) passage(e control.OwnEntry) string {
	switch {
	case e.Kind == wire.KindRepeated.String():
		return t.Say("repeated", e.Count)
	case e.Kind == wire.KindExit.String():
		return t.Say("left")
	case e.Outcome == wire.OutcomeGranted.String():
		return t.Say("granted")
	case e.Outcome == wire.OutcomeDenied.String():
		return t.Say("because", t.Say("denied"), t.named("reason_", e.Reason))
	}
	return t.named("kind_", e.Kind)
}

// act is what was done at a desk.
func (t Teller) act(e control.OwnEntry) string {
	what := t.named("reason_", e.Reason)
	if e.Outcome == wire.OutcomeRefused.String() {
		return t.Say("refused", what)
	}
	return what
}

// named is a name of the log in words. What only technicians meet keeps its name.
func (t Teller) named(what, name string) string {
	for _, of := range []string{"mine.", "evidence.", "log."} {
		if t.Words.Has(of + what + name) {
			return t.Words.Say(t.Lang, of+what+name)
		}
	}
	return name
}

// by is who did it, by role: the house's accounts have numbers, and the names are the landlord's.
func (t Teller) by(who string) string {
	c, err := caller.Parse(who)
	if err != nil {
		return t.Say("by_nobody")
	}
	return t.Words.Say(t.Lang, "log.by_"+string(c.Role))
}

// Door is the name of a door.
func (t Teller) Door(id string) string {
	if key := "doors.name_" + id; t.Words.Has(key) {
		return t.Words.Say(t.Lang, key)
	}
	return id
}

func (t Teller) doors(ids []string) string {
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		names = append(names, t.Door(id))
	}
	return strings.Join(names, t.Words.Say(t.Lang, "page.comma"))
}

func (t Teller) lastDay(end *time.Time) string {
	if end == nil {
		return t.Words.Say(t.Lang, "people.no_end")
	}
	return calendar.LastDay(end, end.Location())
}

// first is the first day of a term, or of the check-in if the term began at once.
func first(t control.Tenancy) *time.Time {
	if t.From != nil && (t.Since == nil || t.From.After(*t.Since)) {
		return t.From
	}
	return t.Since
}

func day(at *time.Time) string {
	if at == nil {
		return "–"
	}
	return at.Format(time.DateOnly)
}

func minute(at time.Time) string { return at.Format("2006-01-02 15:04") }
