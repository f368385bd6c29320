package mandate

import "time"

// How long after its signing a mandate may keep from whom it asks about that it did. What is to be kept for longer needs a law
// that says so, written into the mandate; an emergency is told of, whatever it is about.
const (
	LatestTelling          = 2 * 365 * 24 * time.Hour
	LatestEmergencyTelling = 30 * 24 * time.Hour
)

// telling refuses a mandate that would keep it from the people for longer. One that says nothing of it is of an older program.
func telling(m Mandate) *Refusal {
	said, latest := m.Telling, LatestTelling
	if m.Emergency {
		latest = LatestEmergencyTelling
	}
	switch {
	case said == nil && !m.Emergency, said != nil && said.From == 0 && !m.Emergency:
		return nil
	case said == nil, said.From == 0, int64(said.From) > int64(m.Issued)+int64(latest/time.Second):
		return refuse(ToldLate, number(int64(latest/(24*time.Hour))))
	}
	return nil
}
