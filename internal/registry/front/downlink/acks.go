package downlink

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/registry/front/commit"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
)

// Reply signs and sends acks: of several for one gateway and epoch only the newest. waiting is the
// number of messages that wait to be stored, capacity the most.
func (s *Sender) Reply(replies []commit.Reply, waiting, capacity int) {
	type stream struct {
		gateway *roster.Gateway
		epoch   uint64
	}
	newest := make(map[stream]int, len(replies))
	for i, r := range replies {
		newest[stream{r.Gateway, r.Ack.Epoch}] = i
	}
	drafts := make([]draft, 0, len(newest))
	for i, r := range replies {
		if newest[stream{r.Gateway, r.Ack.Epoch}] != i {
			continue
		}
		if d := s.draft(r, waiting, capacity); d.to.Member {
			drafts = append(drafts, d)
		}
	}
	s.signAll(drafts)
	for _, d := range drafts {
		if d.signed != nil {
			s.Send(d.to.Place.Down(wire.TypeAck), d.signed)
		}
	}
}

// draft is an ack on its way to be signed.
type draft struct {
	to     roster.State
	ack    wire.Ack2
	cosign bool
	signed []byte // nil: it could not be
}

// draft returns an ack that is not signed yet.
func (s *Sender) draft(r commit.Reply, waiting, capacity int) draft {
	ack := r.Ack
	if ack.Window, ack.RetryAfter = s.window(waiting, capacity); r.Hold > 0 {
		ack.Window, ack.RetryAfter = 0, r.Hold
	}
	g := s.o.Roster.Look(r.Gateway)
	format := s.format(g)
	ack.Nonce, ack.Spread = g.View.Nonce, spread(s.o.Roster.Count())
	list := g.Building.List
	ack.List, ack.ListHash, ack.ListEpoch, ack.House = list.Version, list.HashFor(format), list.Epoch, g.Building.House.Version
	ack.Holding = s.o.Roster.Asks(g)
	if s.o.Formats < wire.ContextFormat || !slices.Contains(g.View.Hello.Formats, wire.ContextFormat) {
		ack.Context = nil
	}
	if t := s.trustFor(g.View.Hello); t != nil {
		ack.Trust = t.Trust.Version
	}
	return draft{to: g, ack: ack, cosign: r.Cosign}
}

// signAll signs acks, two signatures each, with all processors: that is most of the work.
func (s *Sender) signAll(drafts []draft) {
	var signing sync.WaitGroup
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), len(drafts)) {
		signing.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(drafts)); i = next.Add(1) - 1 {
				drafts[i].signed = s.signAck(drafts[i])
			}
		})
	}
	signing.Wait()
}

func (s *Sender) signAck(d draft) []byte {
	ack := d.ack
	if d.cosign {
		c := checkpoint.Checkpoint{Address: d.to.Place.Address(), Epoch: ack.Epoch, Size: ack.Next, Root: ack.Root}
		ack.Cosignature = c.Cosign(s.o.Witness, uint64(ack.Time))
	}
	if s.format(d.to) >= 2 {
		return s.sign(d.to.Place, wire.TypeAck, ack)
	}
	return s.sign(d.to.Place, wire.TypeAck, ack.Ack)
}

// widest is the most batches that a gateway may have in flight: enough for a link of 50 ms.
const widest = 32

// window returns how many batches a gateway may have in flight: the more messages wait here, the
// fewer. At 0 retryAfter is a time in s, random so that gateways return at different times.
func (s *Sender) window(waiting, capacity int) (batches, retryAfter uint16) {
	switch used := 100 * waiting / capacity; {
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
