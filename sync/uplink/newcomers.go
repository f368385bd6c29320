package uplink

import (
	"errors"
	"maps"
	"slices"
	"time"

	"gatehouse/sync/uplink/timing"
	"gatehouse/sync/wire"
)

// keyTurns is how far apart a House document with a sibling's new key and the sibling's messages on
// another path may arrive.
const keyTurns = 5 * time.Minute

// newcomers tracks siblings whose messages the active House document does not confirm: a new
// sibling is heard before the document that names it, and a message signed with an old key may come
// after the document with the next key. Neither message is taken, and it is recorded only if no
// document explains it in time.
type newcomers struct {
	unsure map[string]*unsure   // by gateway
	turned map[string]time.Time // when a document changed a sibling's key, added the sibling or removed it
}

func newNewcomers() newcomers {
	return newcomers{unsure: map[string]*unsure{}, turned: map[string]time.Time{}}
}

// unsure counts one gateway's messages that were not taken.
type unsure struct {
	n     int
	kind  string
	why   error
	since time.Time
}

// maxUnsure bounds the memory that a broker can use up by naming gateways that do not exist.
const maxUnsure = 16

// explained reports whether the refusal of a sibling's message is not to be recorded, or not yet.
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

// turn notes the siblings whose keys differ in a new House document.
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

// unexplained returns the messages that no House document has explained in time, and when to be
// called again.
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
