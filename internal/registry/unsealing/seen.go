package unsealing

import (
	"maps"
	"slices"

	"gatehouse/internal/evidence"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// seen is what the headers of a log say of the gateway, for the manifest and the clock notes.
type seen struct {
	contacts map[string]bool // doors whose contact was ever heard
	runs     map[uint64]*run // by the boot's number
	software map[uint64]string
	asked    map[uint64]bool // boots with entries that were asked for
	site     wire.Hash       // of the site file, newest before the end of what was asked for
	over     bool
}

// run is a run of the daemon with its moments whose time is known.
type run struct{ first, last *evidence.Pin }

func newSeen() seen {
	return seen{contacts: map[string]bool{}, runs: map[uint64]*run{}, software: map[uint64]string{}, asked: map[uint64]bool{}}
}

// add takes the header of an entry; asked: it is one of those asked for.
func (s *seen) add(h wire.Header, asked bool) {
	switch h.Kind {
	case wire.KindOpened, wire.KindClosed, wire.KindHeld, wire.KindForced:
		s.contacts[h.Door] = true
	case wire.KindBoot:
		s.software[h.Boot] = journaled.Software(h.Detail)
	case wire.KindSite:
		if !s.over && len(h.Detail) == len(s.site) {
			s.site = wire.Hash(h.Detail)
		}
	}
	if s.over = s.over || !asked && len(s.asked) > 0; asked {
		s.asked[h.Boot] = true
	}
	if h.Clock < wire.ClockNTP {
		return
	}
	r := s.runs[h.Boot]
	if r == nil {
		r = &run{}
		s.runs[h.Boot] = r
	}
	// A moment is known to the second: the clock was set by a time server, or by the registry.
	r.last = &evidence.Pin{Boot: h.Boot, BootTime: h.BootTime, Wall: h.Wall, Within: 1000, By: h.Clock.String()}
	if r.first == nil {
		r.first = r.last
	}
}

// doors are those of the mandate, and all others whose contact was heard.
func (s *seen) doors(ids []string) (all []evidence.Door) {
	ids = slices.Concat(ids, slices.Collect(maps.Keys(s.contacts)))
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		all = append(all, evidence.Door{ID: id, Contact: s.contacts[id]})
	}
	return all
}

// boots are those with entries that were asked for, by number.
func (s *seen) boots() (all []evidence.Boot) {
	for _, n := range s.numbers() {
		all = append(all, evidence.Boot{Number: n, Software: s.software[n]})
	}
	return all
}

func (s *seen) numbers() (all []uint64) {
	for n := range s.asked {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

// pins are the first and the last known moment of each of these boots.
func (s *seen) pins() []evidence.Pin {
	all := []evidence.Pin{}
	for _, n := range s.numbers() {
		if r := s.runs[n]; r != nil {
			all = append(all, *r.first)
			if r.last != r.first {
				all = append(all, *r.last)
			}
		}
	}
	return all
}
