package fold

import (
	"gatehouse/sync/wire"
)

// cardState is what is known of a credential while its grant is folded.
type cardState struct {
	by        *Event // nil: the grant does not have it
	suspended bool
	unproven  bool
}

func foldCards(sorted []Event) map[wire.CredentialID]cardState {
	type word struct {
		at        uint32
		suspended bool
	}
	cards, words := make(map[wire.CredentialID]cardState), make(map[wire.CredentialID]word)
	for i := range sorted {
		e := &sorted[i]
		for _, c := range e.Change.Credentials {
			s := cards[c]
			switch e.Change.Op {
			case wire.OpCheckIn, wire.OpBind:
				if unproven := e.Unproven(); s.by == nil || !unproven {
					s.unproven = unproven
				}
				if e.brought(s.by) {
					s.by = e
				}
			case wire.OpSuspend:
				if e.Settled {
					break
				}
				words[c] = word{e.At, true} // sorted by time: later or the same second
			case wire.OpResume:
				if w := words[c]; !w.suspended || w.at < e.At {
					words[c] = word{e.At, false}
				}
			}
			cards[c] = s
		}
	}
	for c, w := range words {
		s := cards[c]
		s.suspended = w.suspended
		cards[c] = s
	}
	return cards
}
