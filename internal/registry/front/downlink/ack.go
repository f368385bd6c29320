package downlink

import (
	"math/rand/v2"
	"time"

	"gatehouse/internal/registry/front/commit"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
)

// Acks tells gateways what is stored.
type Acks struct{ sender *Sender }

// Reply signs and sends acks: of several for one gateway and epoch only the newest.
// Waiting is how many messages wait to be stored, room how many may.
func (a *Acks) Reply(replies []commit.Reply, waiting, room int) {
	type stream struct {
		gateway string
		epoch   uint64
	}
	newest := make(map[stream]int, len(replies))
	for i, r := range replies {
		newest[stream{r.Gateway.Address(), r.Ack.Epoch}] = i
	}
	for i, r := range replies {
		if newest[stream{r.Gateway.Address(), r.Ack.Epoch}] == i {
			a.send(r, waiting, room)
		}
	}
}

func (a *Acks) send(r commit.Reply, waiting, room int) {
	s := a.sender
	ack := r.Ack
	if r.Cosign {
		c := checkpoint.Checkpoint{Address: r.Gateway.Address(), Epoch: ack.Epoch, Size: ack.Next, Root: ack.Root}
		ack.Cosignature = c.Cosign(s.o.Witness, uint64(ack.Time))
	}
	if ack.Window, ack.RetryAfter = a.window(waiting, room); r.Hold > 0 {
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

// widest is the most batches that a gateway may have in flight: what a link of
// 50 ms needs.
const widest = 32

// window is how many batches a gateway may have in flight: the more messages wait
// here, the fewer. At 0 it is told when to try again, each gateway at another time.
func (a *Acks) window(waiting, room int) (batches, retryAfter uint16) {
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
	return 0, uint16(1 + a.chance(5*time.Second)/time.Second)
}

// chance is a random time below limit.
func (a *Acks) chance(limit time.Duration) time.Duration {
	if a.sender.o.Chance == nil {
		return rand.N(limit)
	}
	return a.sender.o.Chance(limit)
}

// Spread of reconnects: handshakesASecond is no load for the front, and no gateway
// waits longer than mostSpread for a revocation.
const (
	handshakesASecond = 500
	leastSpread       = 5  // s
	mostSpread        = 40 // s
)

// spread is the number of seconds over which gateways that lose their connection at
// the same time should come back.
func spread(gateways int) uint16 {
	return uint16(max(leastSpread, min(mostSpread, gateways/handshakesASecond)))
}
