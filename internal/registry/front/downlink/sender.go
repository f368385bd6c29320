// Package downlink is what goes out to gateways: acks, and the documents and lists
// that the issuer signed, at once, when a gateway asks, and again until it proves
// that it has them.
package downlink

import (
	"crypto/ed25519"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/front/document"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/sync/wire"
)

// Link is the way to the gateways.
type Link interface {
	// Publish sends as far as it can be sent now; nobody confirms it.
	Publish(topic string, payload []byte) error
	// Disconnect ends the connections of a gateway, where the link can.
	Disconnect(wire.Place)
}

// Sender signs and sends. All fields are needed; they don't change. Safe for
// concurrent use.
type Sender struct {
	Link    Link
	Roster  *roster.Roster
	Active  *document.Active
	Witness ed25519.PrivateKey
	Formats uint64 // of the wire that this front speaks, 1 to this one
	Log     zerolog.Logger
}

// Say signs a message to a gateway as the witness and sends it. It reports
// whether it went out.
func (s *Sender) Say(p wire.Place, kind string, body wire.Payload) bool {
	a := s.Active.Load()
	if a.Witness == nil {
		return false // nobody would believe it; status says so
	}
	payload, err := wire.Encode(body)
	if err != nil {
		s.Log.Error().Err(err).Str("gateway", p.Address()).Msg("an answer can't be encoded")
		return false
	}
	envelope, err := wire.Sign(wire.Protected{Type: kind, Role: wire.RoleWitness, Epoch: *a.Witness, Address: p.Address(), Version: wire.VersionOf(body)},
		payload, s.Witness)
	if err != nil {
		s.Log.Error().Err(err).Str("gateway", p.Address()).Str("type", kind).Msg("an answer can't be signed")
		return false
	}
	return s.Send(p.Down(kind), envelope)
}

// Send sends what is signed. It reports whether it went out.
func (s *Sender) Send(topic string, payload []byte) bool {
	if err := s.Link.Publish(topic, payload); err != nil {
		s.Log.Debug().Err(err).Str("topic", topic).Msg("not sent")
		return false
	}
	return true
}

// format is the newest one that a gateway and this front speak.
func (s *Sender) format(g roster.State) uint64 { return min(g.View.Format, s.Formats) }

// NewerTrust sends a gateway the newest Trust document where its hello names an
// older one: the ack would tell it that there is one, but by that very document
// another witness may sign acks, whom the gateway does not know yet.
func (s *Sender) NewerTrust(g *roster.Gateway, have, format uint64) {
	if a := s.Active.Load().Read(min(format, s.Formats)); a != nil && have < a.Trust.Version {
		s.Send(s.Roster.Look(g).Place.Down(wire.TypeTrust), a.Envelope)
	}
}
