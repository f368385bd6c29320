package front

import (
	"context"
	"crypto/ed25519"
	"math/rand/v2"
	"time"

	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// reply is what an ack says of the store.
type reply struct {
	g     *gateway
	epoch uint64
	at    tree.Range
	line  uint64
	count uint64
	// What of these a backup has.
	safe, safeRecords uint64
	hold              uint16 // s in which it should send no batches
	// time is what was agreed on at the commit, unix s; cosign, whether the witness may sign the
	// tree at that time.
	time   uint32
	unsure bool // the clock is in doubt: the time says nothing
	cosign bool
}

func (k ownKeys) witnessPublic() ed25519.PublicKey { return k.witness.Public().(ed25519.PublicKey) }

// replyLoop signs and sends acks. Of several that wait for one gateway and
// epoch only the newest is needed.
func (f *Front) replyLoop(ctx context.Context) error {
	for {
		var waiting []reply
		select {
		case <-ctx.Done():
			return nil
		case waiting = <-f.answers:
		}
		for more := true; more; {
			select {
			case next := <-f.answers:
				waiting = append(waiting, next...)
			default:
				more = false
			}
		}
		newest := make(map[ackKey]int, len(waiting))
		for i, r := range waiting {
			newest[ackKey{r.g, r.epoch}] = i
		}
		for i, r := range waiting {
			if newest[ackKey{r.g, r.epoch}] == i {
				f.sendAck(r)
			}
		}
	}
}

func (f *Front) sendAck(r reply) {
	a := f.authority.Load()
	ack := wire.Ack2{Ack: wire.Ack{Time: r.time, Epoch: r.epoch, Next: r.at.Size(), Root: wire.Hash(r.at.Root()),
		Line: r.line, Records: r.count}, Safe: r.safe, SafeRecords: r.safeRecords, NoTime: r.unsure}
	if r.cosign {
		c := wire.Checkpoint{Address: r.g.address, Epoch: r.epoch, Size: ack.Next, Root: ack.Root}
		ack.Cosignature = c.Cosign(f.keys.witness, uint64(ack.Time))
	}
	if ack.Window, ack.RetryAfter = f.window(); r.hold > 0 {
		ack.Window, ack.RetryAfter = 0, r.hold
	}
	f.mu.RLock()
	ack.Nonce = r.g.view.nonce
	ack.Spread = f.spread()
	place, member, format := r.g.place, r.g.member, min(r.g.view.format, f.o.Formats)
	if b := f.buildings[place.Building]; b != nil {
		ack.List, ack.ListHash, ack.House = b.list.Version, b.list.hashFor(format), b.house.Version
		ack.ListEpoch = b.list.epoch
		ack.Holding = f.asks(r.g, b)
	}
	f.mu.RUnlock()
	if a := a.read(format); a != nil {
		ack.Trust = a.trust.Version
	}
	switch {
	case !member:
	case format >= 2:
		f.say(place, wire.TypeAck, ack)
	default:
		f.say(place, wire.TypeAck, ack.Ack)
	}
}

// say signs a message to a gateway as the witness and sends it. It reports
// whether it went out.
func (f *Front) say(p wire.Place, kind string, body wire.Payload) bool {
	a := f.authority.Load()
	if a.witness == nil {
		return false // nobody would believe it; status says so
	}
	payload, err := wire.Encode(body)
	if err != nil {
		f.o.Log.Error().Err(err).Str("gateway", p.Address()).Msg("an answer can't be encoded")
		return false
	}
	envelope, err := wire.Sign(wire.Protected{Type: kind, Role: wire.RoleWitness, Epoch: *a.witness, Address: p.Address(), Version: wire.VersionOf(body)},
		payload, f.keys.witness)
	if err != nil {
		f.o.Log.Error().Err(err).Str("gateway", p.Address()).Str("type", kind).Msg("an answer can't be signed")
		return false
	}
	return f.send(p.Down(kind), envelope)
}

func (f *Front) send(topic string, payload []byte) bool {
	if err := f.link.Publish(topic, payload); err != nil {
		f.o.Log.Debug().Err(err).Str("topic", topic).Msg("not sent")
		return false
	}
	return true
}

// widest is the most batches that a gateway may have in flight: what a link of
// 50 ms needs.
const widest = 32

// window is how many batches a gateway may have in flight: the fewer, the more
// messages wait here. With none left it is told when to try again, not all at
// the same time.
func (f *Front) window() (batches, retryAfter uint16) {
	waiting, room := f.waiting()
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
	return 0, uint16(1 + f.chance(5*time.Second)/time.Second)
}

// chance is a time below limit, by chance.
func (f *Front) chance(limit time.Duration) time.Duration {
	if f.o.Chance == nil {
		return rand.N(limit)
	}
	return f.o.Chance(limit)
}

// waiting returns how many messages wait, and for how many there is room.
func (f *Front) waiting() (n, room int) {
	for _, q := range f.queues {
		n, room = n+len(q), room+cap(q)
	}
	return n + len(f.jobs), room
}
