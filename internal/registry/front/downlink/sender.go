package downlink

import (
	"crypto/ed25519"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/front/document"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// Link is the way to the gateways.
type Link interface {
	// Publish sends as far as it can be sent now; nobody confirms it.
	Publish(topic string, payload []byte) error
	// Disconnect ends the connections of a gateway, where the link can.
	Disconnect(wire.Place)
}

// Options of a Downlink. All but Chance are needed.
type Options struct {
	Link    Link
	Store   *store.Store
	Roster  *roster.Roster
	Active  *document.Active
	Root    ed25519.PublicKey
	Witness ed25519.PrivateKey
	Formats uint64           // of the wire that this front speaks, 1 to this one
	Now     func() time.Time // of what is stored
	// Chance returns a time by chance below a limit above 0; nil: any.
	Chance  func(limit time.Duration) time.Duration
	Log     zerolog.Logger
	Limited *zerolog.Logger // for what any gateway can cause
}

// Sender signs and sends. Safe for concurrent use.
type Sender struct{ o Options }

// Say signs a message to a gateway as the witness and sends it. It reports
// whether it went out.
func (s *Sender) Say(p wire.Place, kind string, body wire.Payload) bool {
	a := s.o.Active.Load()
	if a.Witness == nil {
		return false // nobody would believe it; status says so
	}
	payload, err := wire.Encode(body)
	if err != nil {
		s.o.Log.Error().Err(err).Str("gateway", p.Address()).Msg("an answer can't be encoded")
		return false
	}
	envelope, err := wire.Sign(wire.Protected{Type: kind, Role: wire.RoleWitness, Epoch: *a.Witness, Address: p.Address(), Version: wire.VersionOf(body)},
		payload, s.o.Witness)
	if err != nil {
		s.o.Log.Error().Err(err).Str("gateway", p.Address()).Str("type", kind).Msg("an answer can't be signed")
		return false
	}
	return s.Send(p.Down(kind), envelope)
}

// Send sends what is signed. It reports whether it went out.
func (s *Sender) Send(topic string, payload []byte) bool {
	if err := s.o.Link.Publish(topic, payload); err != nil {
		s.o.Log.Debug().Err(err).Str("topic", topic).Msg("not sent")
		return false
	}
	return true
}

// format is the newest one that a gateway and this front speak.
func (s *Sender) format(g roster.State) uint64 { return min(g.View.Format, s.o.Formats) }

// NewerTrust sends a gateway the newest Trust document if its hello names an older
// one. The ack would tell it that there is one, but a witness may sign the ack whom
// only the new document names.
func (s *Sender) NewerTrust(g *roster.Gateway, have, format uint64) {
	if a := s.o.Active.Load().Read(min(format, s.o.Formats)); a != nil && have < a.Trust.Version {
		s.Send(s.o.Roster.Look(g).Place.Down(wire.TypeTrust), a.Envelope)
	}
}
