package simulate

import (
	"crypto/ed25519"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/faultnet"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
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

// sitDown makes the broker the enemy's.
func (w *world) sitDown() *enemy {
	if w.enemy != nil {
		return w.enemy
	}
	w.calm = false
	e := &enemy{broker: w.bed.Broker, stop: make(chan struct{}), said: map[string]bool{}, last: map[string]wire.Ack2{}}
	if w.thief != nil {
		e.witness, e.epoch = w.thief.witness, w.thief.epoch[wire.RoleWitness]
	}
	down := strings.Replace(wire.UpFilter, "/"+wire.DirUp+"/", "/"+wire.DirDown+"/", 1)
	e.link = w.bed.Broker.Connect(faultnet.Client{Name: "enemy", Subscribe: []string{wire.UpFilter, down}})
	e.ended.Go(e.run)
	w.enemy = e
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

// answer says what the witness said last, at another time, and cosigns that.
func (e *enemy) answer(p wire.Place, h wire.Hello2, version uint64) {
	k, heard := e.lastOf(p.Gateway)
	if !heard {
		return
	}
	at := time.Now().Add(time.Duration(e.ahead.Load()))
	k.Nonce, k.Time, k.NoTime = h.Nonce, uint32(at.Unix()), false
	c := wire.Checkpoint{Address: p.Address(), Epoch: k.Epoch, Size: k.Next, Root: k.Root}
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

func placeOf(gateway string) wire.Place {
	return wire.Place{District: "d", Town: "t", Building: testbed.Building, Gateway: gateway}
}

// flood lets the broker say nonsense to a gateway, and to the registry in its name, 20
// messages a second for so many minutes.
func (w *world) flood(n [4]int) {
	b, ok := pick(n[0], w.bed.Gateways)
	if !ok {
		return
	}
	e, p := w.sitDown(), placeOf(b.Name)
	w.report.Say("%s and, in its name, the registry are flooded for %d minutes", b.Name, n[1])
	topics := []string{p.Down(wire.TypeAck), p.Down(wire.TypeList), p.Down(wire.TypeTrust), p.House("nobody"), p.Up(wire.TypeHello), p.Up(wire.TypeBatch)}
	until := time.Now().Add(time.Duration(n[1]) * time.Minute)
	e.ended.Go(func() {
		for i := 0; time.Now().Before(until); i++ {
			e.broker.Inject(mqtt.Message{Topic: topics[i%len(topics)], Payload: []byte{0xd2, byte(i), byte(i >> 8)}})
			select {
			case <-e.stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
}

// lieTime lets the thief, as witness, say another time for some minutes.
func (w *world) lieTime(n [4]int) {
	if w.thief == nil || w.thief.void {
		return
	}
	e, by := w.sitDown(), wrongs[n[1]%len(wrongs)]
	e.ahead.Store(int64(by))
	w.report.Say("the thief answers each hello as witness, with a time that is wrong by %v", by)
	for _, b := range w.bed.Running() {
		b.CutLink()
	}
	time.Sleep(time.Duration(2+n[2]%60) * time.Minute)
	e.ahead.Store(0)
	w.look()
}

// walkTime lets whoever has stolen the keys of witness and issuer say that it is so
// many hours later: in every answer to a hello, and in a list that he signs.
func (w *world) walkTime(n [4]int) {
	if w.thief == nil {
		return
	}
	e := w.sitDown()
	ahead := time.Duration(n[0]) * time.Hour
	e.ahead.Store(int64(ahead))
	w.report.Say("the thief says, as witness and as issuer, that it is %d hours later", n[0])
	for _, b := range w.bed.Running() {
		was, err := b.Client.List(w.bed.Ctx)
		if err != nil || len(was.Manifest) == 0 {
			continue
		}
		list, _, err := w.thief.list(was, nil, plan.NextNumber, 0, time.Now().Add(ahead))
		if err != nil {
			w.report.Breach("plan", "the thief can't sign: %v", err)
			return
		}
		e.say(placeOf(b.Name), wire.TypeList, wire.ListPart{Manifest: list.Manifest, Buckets: list.Buckets})
		b.CutLink() // and a hello comes
	}
	time.Sleep(2 * time.Minute)
	w.look()
}
