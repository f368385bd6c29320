package retention

import (
	"time"

	"gatehouse/internal/registry/api"
)

// counted is an act that is published as a count, by town alone.
type counted struct {
	What     string `json:"what"`
	District string `json:"district"`
	Town     string `json:"town"`
}

const (
	preserved = "preserved" // a span, on an officer's order
	forgotten = "forgotten" // a tenancy, on request

	countedFor = 2 * 366 * 24 * time.Hour // the counts are published long before
)

// Counts are the orders to preserve and the requests to forget since one time and before another, by town.
func (e *Eraser) Counts(from, to time.Time) map[api.Town]api.TownCounts {
	e.one.Lock()
	defer e.one.Unlock()
	all := map[api.Town]api.TownCounts{}
	for _, l := range e.ledger.lines {
		if l.Counted == nil || l.At.Before(from) || !l.At.Before(to) {
			continue
		}
		town := api.Town{District: l.Counted.District, Town: l.Counted.Town}
		n := all[town]
		switch l.Counted.What {
		case preserved:
			n.Preserved++
		case forgotten:
			n.Forgotten++
		}
		all[town] = n
	}
	return all
}
