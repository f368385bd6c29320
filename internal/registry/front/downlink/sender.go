// Package downlink sends to gateways: acks, and the documents and lists that the issuer signed: at
// once, when a gateway asks, and again until it proves that it has them.
package downlink

import (
	"context"
	"crypto/ed25519"
	"math/rand/v2"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/front/document"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/briefs"
)

// Link is the connection to the gateways.
type Link interface {
	// Publish sends a message if that is possible now, without confirmation.
	Publish(topic string, payload []byte) error
	// Disconnect ends the connections of a gateway, if the link can.
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
	Marks   document.Marks   // of house documents that were verified here
	Formats uint64           // wire formats that this front speaks, 1 to this one
	Now     func() time.Time // time of storing
	// Chance returns a random time from 0 to the limit; nil: the standard one.
	Chance  func(limit time.Duration) time.Duration
	Log     zerolog.Logger
	Limited *zerolog.Logger // rate-limited, for events that any gateway can cause
}

// Downlink is everything that sends to gateways.
type Downlink struct {
	Sender    *Sender
	Wants     *Wants
	Unproved  *Unproved
	Documents *Documents
}

// New returns a Downlink; the Run methods of its parts start it.
func New(o Options) Downlink {
	if o.Chance == nil {
		o.Chance = rand.N[time.Duration]
	}
	s := &Sender{o}
	u := newUnproved(s)
	return Downlink{Sender: s, Wants: newWants(s), Unproved: u, Documents: &Documents{sender: s, unproved: u, roster: o.Roster}}
}

// Sender signs and sends messages. It is safe for concurrent use.
type Sender struct{ o Options }

// Say signs a message to a gateway as the witness and sends it. It reports whether it was sent.
func (s *Sender) Say(p wire.Place, kind string, body wire.Payload) bool {
	envelope := s.sign(p, kind, body)
	return envelope != nil && s.Send(p.Down(kind), envelope)
}

// sign signs a message to a gateway as the witness; nil: it can't.
func (s *Sender) sign(p wire.Place, kind string, body wire.Payload) []byte {
	a := s.o.Active.Load()
	if a.Witness == nil {
		return nil // no gateway would accept it; status reports that
	}
	payload, err := wire.Encode(body)
	if err != nil {
		s.o.Log.Error().Err(err).Str("gateway", p.Address()).Msg("an answer can't be encoded")
		return nil
	}
	envelope, err := wire.Sign(wire.Protected{Type: kind, Role: wire.RoleWitness, Epoch: *a.Witness, Address: p.Address(), Version: wire.VersionOf(body)},
		payload, s.o.Witness)
	if err != nil {
		s.o.Log.Error().Err(err).Str("gateway", p.Address()).Str("type", kind).Msg("an answer can't be signed")
		return nil
	}
	return envelope
}

// Send sends a signed message. It reports whether it was sent.
func (s *Sender) Send(topic string, payload []byte) bool {
	if err := s.o.Link.Publish(topic, payload); err != nil {
		s.o.Log.Debug().Err(err).Str("topic", topic).Msg("not sent")
		return false
	}
	return true
}

// format returns the newest format that a gateway and this front speak.
func (s *Sender) format(g roster.State) uint64 { return min(g.View.Format, s.o.Formats) }

// trustFor returns the newest trust document that a gateway reads; nil: there is none.
func (s *Sender) trustFor(h wire.Hello2) *document.Authority {
	return s.o.Active.Load().Read(min(roster.Reads(h), s.o.Formats))
}

// NewerTrust sends a gateway the newest trust document if its hello names an older one. The ack
// would tell it too, but may be signed by a witness that only the new document names.
func (s *Sender) NewerTrust(g *roster.Gateway, hello wire.Hello2) {
	if a := s.trustFor(hello); a != nil && hello.Trust < a.Trust.Version {
		s.Send(s.o.Roster.Look(g).Place.Down(wire.TypeTrust), a.Envelope)
	}
}

// Briefs sends a gateway that reads it which tenancies its log names for a shorter time, after each hello: it is short, and a
// gateway keeps what it has heard. One that the issuers of now have not signed waits for the issuer's next.
func (s *Sender) Briefs(g *roster.Gateway, hello wire.Hello2) {
	of := s.o.Roster.Look(g)
	if min(roster.Reads(hello), s.o.Formats) < wire.BriefFormat || len(of.Building.Document.Briefs) == 0 {
		return
	}
	if _, err := briefs.Open(of.Building.Document.Briefs, of.Place.Building, s.o.Active.Load().Trust.Keyset(wire.RoleIssuer)); err == nil {
		s.Send(of.Place.Down(briefs.Type), of.Building.Document.Briefs)
	}
}

// maxPart is the most bytes of manifest and buckets in one ListPart: the rest is for its frame, the
// envelope and a reserve.
const maxPart = wire.MaxMessage - 1024

// newestList returns a building's newest list, or store.ErrNotFound.
func (s *Sender) newestList(ctx context.Context, building string) (document.Outgoing, error) {
	l, err := s.o.Store.List(ctx, building)
	if err != nil {
		return document.Outgoing{}, err
	}
	return s.outgoing(ctx, l)
}

// outgoing joins a list and the log before it.
func (s *Sender) outgoing(ctx context.Context, l store.List) (document.Outgoing, error) {
	head, err := document.HeadOf(l)
	if err != nil {
		return document.Outgoing{}, err
	}
	log, err := s.o.Store.Log(ctx, l.Building, head.Earlier)
	return document.NewOutgoing(l, head, log), err
}

// sendList sends the manifest with buckets. Buckets that do not fit into one message are sent in
// several, or, without split, not at all: the gateway asks for them. It reports whether the gateway
// is online.
func (s *Sender) sendList(g *roster.Gateway, l document.Outgoing, buckets [][]byte, split bool) bool {
	of := s.o.Roster.Look(g)
	part := l.Part(s.format(of), of.View.Hello.ListHash)
	if len(part.Manifest) == 0 {
		return false
	}
	room := maxPart - len(part.Manifest) - len(part.Second) - len(part.Proof)*(len(wire.Hash{})+2)
	size := 0
	for _, b := range buckets {
		size += len(b) + 5
	}
	if size > room && !split {
		buckets = nil
	}
	sent := false
	for first := true; first || len(buckets) > 0; first = false {
		n, used := 0, 0
		for n < len(buckets) && used+len(buckets[n])+5 <= room {
			used += len(buckets[n]) + 5
			n++
		}
		if n == 0 && len(buckets) > 0 {
			s.o.Log.Error().Str("gateway", g.Address()).Int("bytes", len(buckets[0])).Msg("a bucket does not fit beside its manifest")
			buckets = buckets[1:]
			continue
		}
		part.Buckets = append([][]byte{}, buckets[:n]...)
		sent = s.Say(of.Place, wire.TypeList, part) || sent
		buckets = buckets[n:]
	}
	return sent && s.o.Roster.Sent(g, l.Version)
}
