package forward

import (
	"gatehouse/internal/desk"
	"gatehouse/sync/uplink"
)

// Records are the desk's as the uplink sees them.
type Records struct{ *desk.Records }

// Pending returns the desk's records that are not at the registry yet.
func (r Records) Pending() (all []uplink.Pending) {
	for _, l := range r.Records.Pending() {
		all = append(all, uplink.Pending{Line: l.Record.Line, Number: l.Record.Number, Envelope: l.Envelope, Person: l.Person})
	}
	return all
}

// Hear takes a sibling's record.
func (r Records) Hear(gateway string, envelope []byte) error {
	return judged(r.Records.Hear(gateway, envelope))
}
