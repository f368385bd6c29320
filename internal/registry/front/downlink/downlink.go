// Package downlink is what goes out to gateways: acks, and the documents and lists
// that the issuer signed, at once, when a gateway asks, and again until it proves
// that it has them.
package downlink

// Downlink is everything that sends to gateways.
type Downlink struct {
	Sender    *Sender
	Acks      *Acks
	Wants     *Wants
	Unproved  *Unproved
	Documents *Documents
}

// New makes a Downlink; it starts nothing.
func New(o Options) Downlink {
	s := &Sender{o}
	u := newUnproved(s)
	return Downlink{Sender: s, Acks: &Acks{s}, Wants: newWants(s), Unproved: u, Documents: &Documents{sender: s, unproved: u, roster: o.Roster}}
}
