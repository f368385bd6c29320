// Package downlink sends to gateways: acks, and the documents and lists that the issuer signed: at
// once, when a gateway asks, and again until it proves that it has them.
package downlink

import (
	"context"
	"crypto/ed25519"
	"math/rand/v2"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/front/commit"
	"gatehouse/internal/registry/front/document"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
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
	a := s.o.Active.Load()
	if a.Witness == nil {
		return false // no gateway would accept it; status reports that
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

// NewerTrust sends a gateway the newest trust document if its hello names an older one. The ack
// would tell it too, but may be signed by a witness that only the new document names.
func (s *Sender) NewerTrust(g *roster.Gateway, have, format uint64) {
	if a := s.o.Active.Load().Read(min(format, s.o.Formats)); a != nil && have < a.Trust.Version {
		s.Send(s.o.Roster.Look(g).Place.Down(wire.TypeTrust), a.Envelope)
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

// Reply signs and sends acks: of several for one gateway and epoch only the newest. waiting is the
// number of messages that wait to be stored, room the most.
func (s *Sender) Reply(replies []commit.Reply, waiting, room int) {
	type stream struct {
		gateway *roster.Gateway
		epoch   uint64
	}
	newest := make(map[stream]int, len(replies))
	for i, r := range replies {
		newest[stream{r.Gateway, r.Ack.Epoch}] = i
	}
	for i, r := range replies {
		if newest[stream{r.Gateway, r.Ack.Epoch}] == i {
			s.ack(r, waiting, room)
		}
	}
}

func (s *Sender) ack(r commit.Reply, waiting, room int) {
	ack := r.Ack
	if r.Cosign {
		c := checkpoint.Checkpoint{Address: r.Gateway.Address(), Epoch: ack.Epoch, Size: ack.Next, Root: ack.Root}
		ack.Cosignature = c.Cosign(s.o.Witness, uint64(ack.Time))
	}
	if ack.Window, ack.RetryAfter = s.window(waiting, room); r.Hold > 0 {
		ack.Window, ack.RetryAfter = 0, r.Hold
	}
	g := s.o.Roster.Look(r.Gateway)
	format := s.format(g)
	ack.Nonce, ack.Spread = g.View.Nonce, spread(s.o.Roster.Count())
	list := g.Building.List
	ack.List, ack.ListHash, ack.ListEpoch, ack.House = list.Version, list.HashFor(format), list.Epoch, g.Building.House.Version
	ack.Holding = s.o.Roster.Asks(g)
	if t := s.o.Active.Load().Read(format); t != nil {
		ack.Trust = t.Trust.Version
	}
	switch {
	case !g.Member:
	case format >= 2:
		s.Say(g.Place, wire.TypeAck, ack)
	default:
		s.Say(g.Place, wire.TypeAck, ack.Ack)
	}
}

// widest is the most batches that a gateway may have in flight: enough for a link of 50 ms.
const widest = 32

// window returns how many batches a gateway may have in flight: the more messages wait here, the
// fewer. At 0 retryAfter is a time in s, random so that gateways return at different times.
func (s *Sender) window(waiting, room int) (batches, retryAfter uint16) {
	switch used := 100 * waiting / room; {
	case used < 25:
		return widest, 0
	case used < 50:
		return 4, 0
	case used < 75:
		return 2, 0
	case used < 90:
		return 1, 0
	}
	return 0, uint16(1 + s.o.Chance(5*time.Second)/time.Second)
}

// Spread of reconnects: handshakesASecond are a light load for the front, and no gateway
// waits longer than mostSpread for a revocation.
const (
	handshakesASecond = 500
	leastSpread       = 5  // s
	mostSpread        = 40 // s
)

// spread returns the seconds over which gateways that lost their connection at the same time should
// reconnect.
func spread(gateways int) uint16 {
	return uint16(min(max(gateways/handshakesASecond, leastSpread), mostSpread))
}
