package forward

import (
	"gatehouse/internal/desk"
	"gatehouse/sync/uplink"
)

// Records is the desk as the uplink sees it.
type Records struct{ *desk.Desk }

// Pending returns the desk's records that are not at the registry yet.
func (r Records) Pending() (all []uplink.Pending) {
	for _, p := range r.Desk.Pending() {
		all = append(all, uplink.Pending{Line: p.Line, Number: p.Number, Envelope: p.Envelope, Person: p.Person})
	}
	return all
}

// Hear takes a sibling's record.
func (r Records) Hear(gateway string, envelope []byte) error {
	return judged(r.Desk.Hear(gateway, envelope))
}
