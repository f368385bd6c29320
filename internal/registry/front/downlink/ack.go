package downlink

import (
	"math/rand/v2"
	"time"

	"gatehouse/internal/registry/front/commit"
	"gatehouse/sync/wire"
)

// Acks tells gateways what is stored. Sender and Waiting are needed.
type Acks struct {
	Sender *Sender
	// Waiting returns how many messages wait to be stored, and for how many there is room.
	Waiting func() (n, room int)
	// Chance returns a time by chance below a limit above 0; nil: any.
	Chance func(limit time.Duration) time.Duration
}

// Reply signs and sends acks. Of several for one gateway and epoch only the newest is
// needed.
func (a *Acks) Reply(replies []commit.Reply) {
	type stream struct {
		gateway string
		epoch   uint64
	}
	newest := make(map[stream]int, len(replies))
	for i, r := range replies {
		newest[stream{r.Gateway.Address(), r.Epoch}] = i
	}
	for i, r := range replies {
		if newest[stream{r.Gateway.Address(), r.Epoch}] == i {
			a.send(r)
		}
	}
}

func (a *Acks) send(r commit.Reply) {
	s := a.Sender
	ack := wire.Ack2{Ack: wire.Ack{Time: r.Time, Epoch: r.Epoch, Next: r.At.Size(), Root: wire.Hash(r.At.Root()),
		Line: r.Line, Records: r.Records}, Safe: r.Safe, SafeRecords: r.SafeRecords, NoTime: r.Unsure}
	if r.Cosign {
		c := wire.Checkpoint{Address: r.Gateway.Address(), Epoch: r.Epoch, Size: ack.Next, Root: ack.Root}
		ack.Cosignature = c.Cosign(s.Witness, uint64(ack.Time))
	}
	if ack.Window, ack.RetryAfter = a.window(); r.Hold > 0 {
		ack.Window, ack.RetryAfter = 0, r.Hold
	}
	g := s.Roster.Look(r.Gateway)
	format := s.format(g)
	ack.Nonce, ack.Spread = g.View.Nonce, spread(s.Roster.Count())
	list := g.Building.List
	ack.List, ack.ListHash, ack.ListEpoch, ack.House = list.Version, list.HashFor(format), list.Epoch, g.Building.House.Version
	ack.Holding = s.Roster.Asks(g)
	if t := s.Active.Load().Read(format); t != nil {
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

// window is how many batches a gateway may have in flight: the fewer, the more
// messages wait here. With none left it is told when to try again, not all at
// the same time.
func (a *Acks) window() (batches, retryAfter uint16) {
	waiting, room := a.Waiting()
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

// chance is a time below limit, by chance.
func (a *Acks) chance(limit time.Duration) time.Duration {
	if a.Chance == nil {
		return rand.N(limit)
	}
	return a.Chance(limit)
}

// Spread of reconnects: so many handshakes a second are no load, and no gateway
// waits longer than that for a revocation.
const (
	handshakesASecond = 500
	leastSpread       = 5  // s
	mostSpread        = 40 // s
)

// spread is over how many seconds so many gateways that lose their connection at once
// should come back.
func spread(gateways int) uint16 {
	return uint16(max(leastSpread, min(mostSpread, gateways/handshakesASecond)))
}
