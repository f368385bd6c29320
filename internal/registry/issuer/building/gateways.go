package building

import (
	"cmp"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// Gateways is what a building's gateways say and have proved, by gateway.
type Gateways struct {
	Applied  map[string]uint64 // version of the newest list that it has proved
	SetBacks map[string]uint64 // rollbacks of its disk that were acted on
	Asks     map[string]Ask    // gateways that want a second signature on the released list
	Zone     string            // time zone of the building; empty: not heard in this run
	refused  map[string]uint64 // version of the list that it says it takes only with a second signature
	clocks   map[string]int64  // its clock in this run, unix s; only a clock that was set
}

// Ask is the refusal of the newest list without a second signature by a gateway that is right by
// its own signed list.
type Ask struct {
	List    wire.Hash // the one that it refuses
	Removes []wire.ID // tenancies
}

// clockFor is how long a gateway's clock reading counts without a new one: the gateway may have
// been off since.
const clockFor = 24 * time.Hour

// Hear takes what the front says of a gateway's clock, its building's zone, and the list that it
// refuses. It reports whether time servers set the clock: a time from the registry itself says
// nothing about that.
func (s *Gateways) Hear(g api.Gateway) (served bool) {
	delete(s.refused, g.Gateway)
	if g.Refuses == wire.ReasonSecondNeeded.String() {
		s.refused[g.Gateway] = g.List
	}
	if g.Zone != "" {
		s.Zone = g.Zone
	}
	delete(s.clocks, g.Gateway)
	if g.Wall == nil || g.Said < 0 || g.Said >= clockFor {
		return false
	}
	switch g.Clock {
	case wire.ClockNTP.String(), wire.ClockRTC.String(), wire.ClockRegistry.String():
		s.clocks[g.Gateway] = g.Wall.Unix()
	}
	return g.Clock == wire.ClockNTP.String()
}

// Prove takes what the front has of a gateway's proofs. It returns the version that they prove, and
// whether the disk was rolled back since the last time: then only up to there, since it has skipped
// some lists after that.
func (s *Gateways) Prove(g api.Gateway) (version uint64, setBack bool) {
	version, setBack = g.Applied, g.SetBacks != s.SetBacks[g.Gateway]
	if setBack {
		version = min(version, g.SetBackTo)
		s.SetBacks[g.Gateway] = g.SetBacks
	}
	s.Applied[g.Gateway] = g.Applied
	return version, setBack
}

// location is the building's time zone, as its gateways say; nil: not known.
func (s *Gateways) location() *time.Location {
	if zone, err := time.LoadLocation(s.Zone); err == nil && s.Zone != "" {
		return zone
	}
	return nil
}

// LastDay returns the first last day by which a time (unix s) has passed, as --uphold takes it: in
// the building's zone; where that is not known, in any.
func (s *Gateways) LastDay(end uint32) string {
	at, zone := time.Unix(int64(end), 0), s.location()
	if zone == nil {
		return at.UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	}
	return calendar.LastDay(&at, zone)
}

// LastDayOf returns the last day before an end that an operator has given, as it was typed: in the
// building's zone, and where that is not known in the operator's.
func (s *Gateways) LastDayOf(end time.Time) string {
	if zone := s.location(); zone != nil {
		return calendar.LastDay(&end, zone) + " (" + zone.String() + ")"
	}
	return calendar.LastDay(&end, end.Location())
}

// Minute is a moment (unix s) in a message, in the building's zone where that is known.
func (s *Gateways) Minute(at uint32) string {
	return calendar.Minute(time.Unix(int64(at), 0), cmp.Or(s.location(), time.UTC))
}
