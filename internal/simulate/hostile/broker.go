package hostile

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"gatehouse/internal/faultnet"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/world"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
)

// Broker is the one between gateways and registry, where an enemy may sit.
type Broker struct {
	w     *world.World
	thief *Thief
	enemy *enemy // nil: nobody sits there
}

// NewBroker is one at which nobody sits. Who does has the keys of a thief.
func NewBroker(w *world.World, thief *Thief) *Broker { return &Broker{w: w, thief: thief} }

// Events are what an enemy does there, by the names that plans have for it.
func (br *Broker) Events() map[string]func(n [4]int) {
	return map[string]func(n [4]int){
		"flood":         br.flood,
		"inject":        br.inject,
		"wrong answers": br.lieTime,
		"walk time":     br.walkTime,
		"false acks":    br.lieStored,
	}
}

// End lets the enemy go away.
func (br *Broker) End() { br.enemy.goAway() }

// sitDown makes the broker the enemy's.
func (br *Broker) sitDown() *enemy {
	if br.enemy != nil {
		return br.enemy
	}
	br.w.Shown.Calm = false
	br.enemy = sitDown(br.w.Bed.Broker, br.thief.witness, br.thief.epoch[wire.RoleWitness])
	return br.enemy
}

// flood lets the broker say nonsense to a gateway, and to the registry in its name, 20
// messages a second for so many minutes.
func (br *Broker) flood(n [4]int) {
	b, ok := world.Pick(n[0], br.w.Bed.Gateways)
	if !ok {
		return
	}
	e, p := br.sitDown(), testbed.PlaceOf(b.Name)
	br.w.Report.Say("%s and, in its name, the registry are flooded for %d minutes", b.Name, n[1])
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

// inject lets the broker replay, elsewhere and broken, what it has heard.
func (br *Broker) inject(n [4]int) {
	br.w.Shown.Calm = false
	dice, old := rand.New(rand.NewPCG(uint64(n[0]), uint64(n[1]))), br.w.Bed.Broker.Seen()
	if len(old) == 0 {
		return
	}
	br.w.Report.Say("the broker says old messages again, on other topics and broken")
	var topics []string
	for _, b := range br.w.Bed.Gateways {
		p := testbed.PlaceOf(b.Name)
		for _, kind := range []string{wire.TypeAck, wire.TypeList, wire.TypeTrust, wire.TypeHouse, "nonsense"} {
			topics = append(topics, p.Down(kind))
		}
		for _, kind := range []string{wire.TypeHello, wire.TypeBatch, wire.TypeNotice, wire.TypeWant, wire.TypeDelivery, wire.TypeHolding} {
			topics = append(topics, p.Up(kind))
		}
		topics = append(topics, p.Status(), p.House(b.Name), p.House("nobody"))
	}
	for range 300 {
		m := old[dice.IntN(len(old))]
		m.Payload = slices.Clone(m.Payload)
		switch dice.IntN(4) {
		case 0:
			m.Topic = topics[dice.IntN(len(topics))]
		case 1:
			if len(m.Payload) > 0 {
				m.Payload[dice.IntN(len(m.Payload))] ^= byte(1 + dice.IntN(255))
			}
		case 2:
			m.Payload = m.Payload[:dice.IntN(len(m.Payload)+1)]
		}
		br.w.Bed.Broker.Inject(m)
		if dice.IntN(10) == 0 {
			time.Sleep(time.Second)
		}
	}
	synctest.Wait()
	br.w.Look()
}

// lieTime lets the thief, as witness, say another time for some minutes.
func (br *Broker) lieTime(n [4]int) {
	if br.w.Keys != world.Stolen {
		return
	}
	e, by := br.sitDown(), plan.Wrongs[n[1]%len(plan.Wrongs)]
	e.ahead.Store(int64(by))
	br.w.Report.Say("the thief answers each hello as witness, with a time that is wrong by %v", by)
	for _, b := range br.w.Bed.Running() {
		b.CutLink()
	}
	time.Sleep(time.Duration(2+n[2]%60) * time.Minute)
	e.ahead.Store(0)
	br.w.Look()
}

// walkTime lets whoever has stolen the keys of witness and issuer say that it is so
// many hours later: in every answer to a hello, and in a list that he signs.
func (br *Broker) walkTime(n [4]int) {
	if br.w.Keys == world.Safe {
		return
	}
	e := br.sitDown()
	ahead := time.Duration(n[0]) * time.Hour
	e.ahead.Store(int64(ahead))
	br.w.Report.Say("the thief says, as witness and as issuer, that it is %d hours later", n[0])
	for _, b := range br.w.Bed.Running() {
		was, err := b.Client.List(br.w.Bed.Ctx)
		if err != nil || len(was.Manifest) == 0 {
			continue
		}
		list, _, err := br.thief.list(was, nil, plan.NextNumber, 0, time.Now().Add(ahead))
		if err != nil {
			br.w.Report.Breach("plan", "the thief can't sign: %v", err)
			return
		}
		e.say(testbed.PlaceOf(b.Name), wire.TypeList, wire.ListPart{Manifest: list.Manifest, Buckets: list.Buckets})
		b.CutLink() // and a hello comes
	}
	time.Sleep(2 * time.Minute)
	br.w.Look()
}

// lieStored lets the thief, as witness, say "stored" of what the registry never got:
// batches are lost at the broker for some minutes, and he acknowledges each.
func (br *Broker) lieStored(n [4]int) {
	if br.w.Keys != world.Stolen {
		return
	}
	e := br.sitDown()
	br.w.Report.Say("the thief, as witness, says of entries that they are stored, and keeps them from the registry")
	br.w.Bed.Broker.Set(faultnet.Misdeeds{Deny: func(_ string, a faultnet.Access, topic string) bool {
		return a == faultnet.Publish && strings.HasSuffix(topic, "/"+wire.DirUp+"/"+wire.TypeBatch)
	}})
	// The access list drops what the enemy would hear: he takes it from the gateways' disks.
	for i := range 3 {
		if b, ok := world.Pick(n[1]+i, br.w.Bed.Running()); ok {
			br.w.SomeoneSwipes(b, n[2]+i)
			e.sayStored(br.w, b)
		}
	}
	time.Sleep(time.Minute)
	br.w.Bed.Broker.Set(faultnet.Misdeeds{})
	br.w.Look()
}
