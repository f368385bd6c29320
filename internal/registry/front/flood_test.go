package front

import (
	"crypto/tls"
	"fmt"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"gatehouse/sync/wire"
)

// keepers fill the broker with all that it keeps by MQTT, by one gateway's
// certificate: sessions that last with subscriptions of QoS 1 and 2, messages
// for them that nobody fetches, messages of QoS 2 that are never released,
// retained ones. It returns how many messages the broker confirmed.
func (r *rig) keepers(broker string, cert tls.Certificate, p wire.Place, sessions, messages int) (confirmed int) {
	payload := make([]byte, 60<<10)
	for s := range sessions {
		c := r.raw(broker, fmt.Sprintf("keep-%d", s), cert, false, nil)
		c.Subscribe(p.House("+"), byte(1+s%2), nil).WaitTimeout(timeout)
		c.Disconnect(0)
		c = r.raw(broker, fmt.Sprintf("fill-%d", s), cert, false, nil)
		tokens := make([]paho.Token, 0, messages)
		for i := range messages {
			tokens = append(tokens, c.Publish(p.House(p.Gateway), byte(1+i%2), i%10 == 0, payload))
		}
		for _, t := range tokens {
			if !settled(t) {
				return confirmed
			}
			confirmed++
		}
		c.Disconnect(0)
	}
	return confirmed
}

// TestFullBroker: one gateway's certificate fills all stores of the broker, and
// the others don't feel it: they stay, they can come back, and what they send
// with QoS 1 and as a last will arrives.
func TestFullBroker(t *testing.T) {
	if testing.Short() {
		t.Skip("sends more than the broker may keep")
	}
	r, f, w := twoGateways(t)
	began := time.Now()
	n := r.keepers(f.broker, r.client(w[0].model, w[0].place), w[0].place, 10, 600)
	t.Logf("%d messages of 60 KiB were confirmed within %v", n, time.Since(began))
	if n < 6000 { // the stores must give way, not stop
		t.Errorf("%d messages were taken and then no more", n)
	}
	answers := func(g *wired) func(wire.Ack) bool { return func(a wire.Ack) bool { return a.Nonce == g.nonce } }
	w[1].ask(wire.TypeHello, w[1].hello(), answers(w[1]))
	w[1].stop()
	late := r.wire(w[1].model, f.broker, r.client(w[1].model, w[1].place))
	if !late.up(timeout) {
		t.Fatalf("another gateway can't connect any more: %v", late.link.Status().Err)
	}
	late.nonce[15]++
	late.ask(wire.TypeHello, late.hello(), answers(late)) // it came back
	c := r.raw(f.broker, "honest", r.client(w[1].model, w[1].place), true, make(chan string, 16))
	topic, payload := late.say(wire.TypeHello, late.hello())
	if !settled(c.Publish(topic, 1, false, payload)) {
		t.Error("QoS 1 is not confirmed")
	}
	if _, err := late.next(late.place.Down(wire.TypeAck), timeout); err != nil {
		t.Errorf("QoS 1: %v", err)
	}
}
