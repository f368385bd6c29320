package uplink

import (
	"errors"
	"maps"
	"slices"
	"time"

	"gatehouse/sync/uplink/timing"
	"gatehouse/sync/wire"
)

// keyTurns is how far apart a House document that names another key of a sibling
// and what that sibling says on another way may come.
const keyTurns = 5 * time.Minute

// newcomers are siblings whose messages the active House document does not bear out: a
// new one is heard before the document that names it, and what was signed with an old key
// may come after the one that names the next. Neither is taken, and it is entered only
// if no document explains it.
type newcomers struct {
	unsure map[string]*unsure   // by gateway
	turned map[string]time.Time // when a document named another key of it, or it for the first or the last time
}

func newNewcomers() newcomers {
	return newcomers{unsure: map[string]*unsure{}, turned: map[string]time.Time{}}
}

// unsure are messages that were not taken.
type unsure struct {
	n     int
	kind  string
	why   error
	since time.Time
}

// maxUnsure bounds what a broker can make this gateway keep by naming gateways
// that there are none of.
const maxUnsure = 16

// explained reports whether a refusal of a sibling's message is not to be entered,
// or not yet.
func (s *newcomers) explained(gateway, kind string, why error, now time.Time) bool {
	if !errors.Is(why, wire.ErrUnknownKey) && !errors.Is(why, wire.ErrBadSignature) {
		return false
	}
	if turned, ok := s.turned[gateway]; ok && now.Sub(turned) < keyTurns {
		return true
	}
	u := s.unsure[gateway]
	if u == nil {
		if len(s.unsure) >= maxUnsure {
			return false
		}
		u = &unsure{kind: kind, why: why, since: now}
		s.unsure[gateway] = u
	}
	u.n++
	return true
}

// turn notes which siblings a new House document names with other keys.
func (s *newcomers) turn(before, after wire.House, now time.Time) {
	for id, turned := range s.turned {
		if now.Sub(turned) >= keyTurns {
			delete(s.turned, id)
		}
	}
	for _, all := range [...][]wire.HouseGateway{before.Gateways, after.Gateways} {
		for _, g := range all {
			was, is := before.Gateway(g.ID), after.Gateway(g.ID)
			if was == nil || is == nil || was.Public != is.Public {
				s.turned[g.ID] = now
				delete(s.unsure, g.ID)
			}
		}
	}
}

// unexplained returns what no House document has explained in time, and when to ask
// again.
func (s *newcomers) unexplained(now time.Time) (list []unsure, next time.Time) {
	for _, id := range slices.Sorted(maps.Keys(s.unsure)) {
		u := s.unsure[id]
		if due := u.since.Add(keyTurns); now.Before(due) {
			next = timing.Earlier(next, due)
			continue
		}
		delete(s.unsure, id)
		list = append(list, *u)
	}
	return list, next
}
