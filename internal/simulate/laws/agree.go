package laws

import (
	"strings"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/report"
)

// doubtLasts is how long after a boot a gateway may doubt that a term is over: what
// was steady for a part of a day before it moves what is sure first, and the rest a
// day later.
const doubtLasts = 2 * plan.Day

// countsFor is how long after the end of a notice a gateway with a line may count the
// notice's days on: until it has said its next hello, as it does every four hours, and
// has looked at what is over, as it does every minute.
const countsFor = 4*time.Hour + 2*time.Minute

// Desk is what the desk of a gateway and the registry say of a tenancy.
type Desk struct {
	Gateway string
	Boot    time.Duration    // since its boot
	Here    control.Tenancy  // as the desk says
	Known   bool             // the desk knows it
	There   operator.Tenancy // as the registry says
	Listed  bool             // the registry knows it
}

// Judge is law W6 for desk and registry: they say the same.
func (d Desk) Judge(t *model.Tenancy, r *report.Report) {
	here, there := stands(d.Here.State, d.Here.Decided), stands(d.There.State, d.There.Decided)
	switch {
	case d.Listed && d.There.State == "ended" && (d.inDoubt(t) || d.counts(t)):
	case !d.Listed && d.Known && !strings.HasPrefix(here, "ended"):
		r.Breach("W6", "the desk of %s says that %s is %s, and the registry does not know them", d.Gateway, t.Name(), here)
	case d.Known && d.Listed && here != there:
		r.Breach("W6", "the desk of %s says that %s is %s, the registry %s", d.Gateway, t.Name(), here, there)
	}
}

// Opened is law W6 for a card that has just opened the gateway's door.
func (d Desk) Opened(t *model.Tenancy, card int, r *report.Report) {
	if d.There.State == "ended" && !d.inDoubt(t) && !d.counts(t) {
		r.Breach("W6", "the registry says that %s is over, and house card %d opens at %s", t.Name(), card, d.Gateway)
	}
}

// inDoubt reports whether a desk says of a tenancy whose term is over that only doubt
// about the time holds it open, as it may after a boot.
func (d Desk) inDoubt(t *model.Tenancy) bool {
	return d.Here.Doubtful && t.Over() && d.Boot < doubtLasts
}

// counts reports whether a desk says of a tenancy that a notice has ended just now, by
// what the registry says, that it counts the notice's days on.
func (d Desk) counts(t *model.Tenancy) bool {
	end, over := d.There.Notice, d.There.Until
	return d.Here.Counting && t.Over() && end != nil && over != nil && over.Equal(*end) && time.Since(*end) < countsFor
}

// stands is how a tenancy stands in words: whoever is not over also hears what was
// decided on a notice.
func stands(state, decided string) string {
	if decided == "" || state == "ended" {
		return state
	}
	return state + ", the notice " + decided
}
