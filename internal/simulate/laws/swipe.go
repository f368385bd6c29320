// Package laws judges a run. Each law that sees more than one moment is a type that keeps what
// it saw; what it judges it is given. It asks no machine.
package laws

import (
	"slices"
	"time"

	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/report"
)

// Swipe is a card that was held up at a door, and what the door did.
type Swipe struct {
	Gateway string
	Card    *model.Card
	Opened  bool
	Reason  string // in the gateway's log
}

// byClock are reasons for which a door stays shut because of the time.
var byClock = []string{"not_yet", "expired", "clock_untrusted"}

// Judge holds a door's answer against laws 1, 2, 6 and 8.
func (s Swipe) Judge(m *model.Model, r *report.Report) {
	holders := m.Holders(s.Card.Number)
	if s.Opened {
		for _, t := range holders {
			if !m.Stopped(s.Gateway, t, s.Card.Number) {
				return
			}
		}
		r.Breach("W1", "house card %d of %s opens at %s, which has heard that it is stopped", s.Card.Number, names(holders), s.Gateway)
		return
	}
	for _, t := range holders {
		if law := s.Owed(m, t); law != "" {
			r.Breach(law, "house card %d of %s does not open at %s: %s", s.Card.Number, t.Name(), s.Gateway, s.Reason)
			return
		}
	}
}

// Owed returns the law by which the card has to open for a tenancy; empty: none
// that a person in the building could name.
func (s Swipe) Owed(m *model.Model, t *model.Tenancy) string {
	c := s.Card
	mine := slices.Contains(t.Cards, c)
	replaced := mine && !c.Until.IsZero() && !time.Now().Before(c.Until)
	switch {
	case !mine, t.Robbed, t.Doubt != "", t.Over(), replaced, m.Minds[s.Gateway].Damaged, m.Minds[s.Gateway].Keyless, !m.Has(s.Gateway, t, c.Number), !m.HasAgain(s.Gateway, t), m.StoppedByAnyone(t, c.Number):
		return ""
	case slices.Contains(byClock, s.Reason):
		return "W2"
	case t.Tricks:
		return "W8"
	}
	return "W6"
}

func names(all []*model.Tenancy) string {
	text := ""
	for i, t := range all {
		if i > 0 {
			text += " and "
		}
		text += t.Name()
	}
	return text
}
