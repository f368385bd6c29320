package door

import (
	"slices"
	"time"

	"gatehouse/sync/wire"
)

// sighting is the last card at a reader, under a name that is not its number (a
// raw number lives for one swipe), and what was said to it.
type sighting struct {
	reader string
	card   wire.CredentialID
	reason wire.Reason
	at     time.Time
}

// maxSightings is how many cards are told apart at the readers of a door: two
// that take turns on one reader are two presentations, not hundreds.
const maxSightings = 8

// sightings are the last cards at a door's readers, oldest first. For one goroutine.
type sightings struct{ last []sighting }

// again reports whether a card has been on its reader since it was last seen, with
// the same answer: readers repeat a held card every 50 ms to 1 s, so that one seen
// again within hold is held. A key that ends meanwhile is told so. Of a reader that
// tells once of a card, a repetition does not put off the end of hold.
func (s *sightings) again(now sighting, once bool, hold time.Duration) bool {
	held := false
	s.last = slices.DeleteFunc(s.last, func(old sighting) bool {
		if now.at.Sub(old.at) >= hold {
			return true
		}
		same := old.reader == now.reader && old.card == now.card
		if same && old.reason == now.reason {
			held = true
			if once {
				now.at = old.at
			}
		}
		return same
	})
	s.last = append(s.last, now)
	if len(s.last) > maxSightings {
		s.last = s.last[1:]
	}
	return held
}
