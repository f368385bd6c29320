// Package hostile has those who mean harm: a thief of the registry's keys, a stranger with the
// card of a gateway, and an enemy at the broker.
package hostile

import (
	"crypto/ed25519"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/faultnet"
	"gatehouse/internal/journal/journaltest"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/world"
	"gatehouse/internal/tree"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/journaled"
)

// enemy sits at the broker, hears all that gateways and registry say, and says at
// once what he likes. What he signs, he signs with keys that he has stolen.
type enemy struct {
	broker *faultnet.Broker
	link   *faultnet.Link
	stop   chan struct{}
	ended  sync.WaitGroup

	witness ed25519.PrivateKey
	epoch   uint64
	ahead   atomic.Int64 // by how much he says that it is later, as time.Duration

	mu   sync.Mutex
	said map[string]bool
	last map[string]wire.Ack2 // by gateway: what the witness itself has said last
}

// sitDown makes a broker the enemy's, who has a witness's key, or none.
func sitDown(broker *faultnet.Broker, witness ed25519.PrivateKey, epoch uint64) *enemy {
	e := &enemy{broker: broker, stop: make(chan struct{}), witness: witness, epoch: epoch, said: map[string]bool{}, last: map[string]wire.Ack2{}}
	down := strings.Replace(wire.UpFilter, "/"+wire.DirUp+"/", "/"+wire.DirDown+"/", 1)
	e.link = broker.Connect(faultnet.Client{Name: "enemy", Subscribe: []string{wire.UpFilter, down}})
	e.ended.Go(e.run)
	return e
}

// goAway ends it.
func (e *enemy) goAway() {
	if e != nil {
		close(e.stop)
		e.ended.Wait()
		e.link.Stop()
	}
}

func (e *enemy) run() {
	for {
		select {
		case <-e.stop:
			return
		case m := <-e.link.Messages():
			e.hear(m)
		}
	}
}

// hear keeps the witness's acks, and answers a hello before the witness does.
func (e *enemy) hear(m mqtt.Message) {
	p, dir, kind, err := wire.ParseTopic(m.Topic)
	if err != nil || e.isMine(m.Payload) {
		return
	}
	payload, err := wire.PayloadOf(m.Payload)
	if err != nil {
		return
	}
	_, signed, _ := wire.Open(m.Payload, wire.Expect{}, nil) // only to learn its version
	switch {
	case dir == wire.DirDown && kind == wire.TypeAck:
		if k, err := wire.DecodeAck(signed.Version, payload); err == nil {
			e.mu.Lock()
			e.last[p.Gateway] = k
			e.mu.Unlock()
		}
	case dir == wire.DirUp && kind == wire.TypeHello && e.ahead.Load() != 0:
		if h, err := wire.DecodeHello(signed.Version, payload); err == nil {
			e.answer(p, h, signed.Version)
		}
	}
}

// lastOf is what the witness itself has said last to a gateway.
func (e *enemy) lastOf(gateway string) (k wire.Ack2, heard bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	k, heard = e.last[gateway]
	return k, heard
}

// isMine reports whether he has said it himself.
func (e *enemy) isMine(payload []byte) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.said[string(payload)]
}

// answer says what the witness said last, at another time, and cosigns that.
func (e *enemy) answer(p wire.Place, h wire.Hello2, version uint64) {
	k, heard := e.lastOf(p.Gateway)
	if !heard {
		return
	}
	at := time.Now().Add(time.Duration(e.ahead.Load()))
	k.Nonce, k.Time, k.NoTime = h.Nonce, uint32(at.Unix()), false
	c := checkpoint.Checkpoint{Address: p.Address(), Epoch: k.Epoch, Size: k.Next, Root: k.Root}
	k.Cosignature = c.Cosign(e.witness, uint64(k.Time))
	if version < 2 {
		e.say(p, wire.TypeAck, k.Ack)
		return
	}
	e.say(p, wire.TypeAck, k)
}

// say signs something as the witness and delivers it.
func (e *enemy) say(p wire.Place, kind string, body wire.Payload) {
	payload, err := wire.Encode(body)
	if err != nil {
		return
	}
	envelope, err := wire.Sign(wire.Protected{Type: kind, Role: wire.RoleWitness, Epoch: e.epoch, Address: p.Address(), Version: wire.VersionOf(body)}, payload, e.witness)
	if err != nil {
		return
	}
	e.mu.Lock()
	e.said[string(envelope)] = true
	e.mu.Unlock()
	e.broker.Inject(mqtt.Message{Topic: p.Down(kind), Payload: envelope})
}

// sayStored acknowledges all that a gateway has entered.
func (e *enemy) sayStored(w *world.World, b *testbed.Gateway) {
	var log tree.Range
	var epoch uint64
	_ = journaltest.ReadCopies(b.Disk.Path("state", "journal"), w.Bed.Dir, func(j journaled.Entry) error {
		if j.Epoch != epoch {
			epoch, log = j.Epoch, tree.Range{}
		}
		log = log.Add(tlog.RecordHash(j.Stored.Leaf()))
		return nil
	})
	k, heard := e.lastOf(b.Name)
	if !heard || log.Size() == 0 {
		return
	}
	k.Time, k.Epoch, k.Next, k.Root = uint32(time.Now().Unix()), epoch, log.Size(), wire.Hash(log.Root())
	k.Safe, k.SafeRecords = k.Next, k.Records
	c := checkpoint.Checkpoint{Address: testbed.PlaceOf(b.Name).Address(), Epoch: k.Epoch, Size: k.Next, Root: k.Root}
	k.Cosignature = c.Cosign(e.witness, uint64(k.Time))
	e.say(testbed.PlaceOf(b.Name), wire.TypeAck, k)
}
