package front

import (
	"context"
	"crypto/tls"
	"slices"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"gatehouse/sync/wire"
)

// raw connects as no gateway of ours would: with a client id of its choice, a
// session that lasts, QoS 1 and whatever else MQTT has.
func (r *rig) raw(broker, id string, cert tls.Certificate, clean bool, heard chan<- string) paho.Client {
	r.t.Helper()
	config, _ := r.clientTLS(cert)("")
	config.ServerName = "localhost"
	o := paho.NewClientOptions().AddBroker("ssl://" + broker).SetClientID(id).SetTLSConfig(config).SetProtocolVersion(4).
		SetCleanSession(clean).SetAutoReconnect(false).SetConnectRetry(false).SetConnectTimeout(timeout).SetKeepAlive(0).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
			select {
			case heard <- m.Topic():
			default:
			}
		})
	c := paho.NewClient(o)
	t := c.Connect()
	if !settled(t) {
		r.t.Fatalf("connect: %v", t.Error())
	}
	r.t.Cleanup(func() { c.Disconnect(0) })
	return c
}

func settled(c paho.Token) bool { return c.WaitTimeout(timeout) && c.Error() == nil }

// TestTakenClientID: whoever comes with another's client id ends that
// connection, which is why ids are secret; it gets nothing else by it, not
// even the subscriptions of a session that lasts.
func TestTakenClientID(t *testing.T) {
	r, f, w := twoGateways(t)
	heard := make(chan string, 16)
	mine := w[0].place.Down(wire.TypeAck)
	first := r.raw(f.broker, "known", r.client(w[0].model, w[0].place), false, make(chan string, 16))
	if !settled(first.Subscribe(w[0].place.Down("+"), 1, nil)) {
		t.Fatal("a gateway may not hear its own topic")
	}
	thief := r.raw(f.broker, "known", r.client(w[1].model, w[1].place), false, heard)
	for range 5 {
		if err := f.link.Publish(mine, []byte("for g1 only")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	select {
	case topic := <-heard:
		t.Errorf("the thief of a client id hears %s", topic)
	default:
	}
	thief.Disconnect(0)
	if got, err := w[0].next(mine, timeout); err != nil || string(got) != "for g1 only" {
		t.Errorf("the gateway itself heard %q, %v", got, err)
	}
}

// TestRetainedMessages reach whom they could reach anyway, and nobody else.
func TestRetainedMessages(t *testing.T) {
	r, f, w := twoGateways(t)
	c := r.raw(f.broker, "r1", r.client(w[0].model, w[0].place), true, make(chan string, 16))
	mine := w[0].place.House("g1") // the last: when it is kept, the others were judged
	for _, topic := range []string{w[0].place.House("g2"), w[1].place.Down(wire.TypeAck), "gatehouse/v1/d1/t1/b2/house/g1", mine} {
		if !settled(c.Publish(topic, 0, true, "kept")) {
			t.Fatalf("can't say anything on %s", topic)
		}
	}
	heard := make(chan string, 16)
	late := r.raw(f.broker, "r2", r.client(w[1].model, w[1].place), true, heard)
	got := map[string]bool{}
	r.until("the message is kept", func() bool { // the broker takes its time, and sends what it keeps at each subscription
		for _, filter := range []string{w[1].place.Down("+"), w[1].place.House("+")} {
			if !settled(late.Subscribe(filter, 0, nil)) {
				t.Fatalf("may not subscribe to %s", filter)
			}
		}
		for end := time.After(500 * time.Millisecond); ; {
			select {
			case topic := <-heard:
				got[topic] = true
			case <-end:
				return got[mine]
			}
		}
	})
	if len(got) != 1 {
		t.Errorf("retained messages heard: %v", got)
	}
}

// TestOversizedAndQoS: what is too large ends the connection of its sender
// alone; QoS 1 and 2 are confirmed by the broker and prove nothing, but the
// front takes the message.
func TestOversizedAndQoS(t *testing.T) {
	r, f, w := twoGateways(t)
	c := r.raw(f.broker, "big", r.client(w[0].model, w[0].place), true, make(chan string, 16))
	c.Publish(w[0].place.Up(wire.TypeBatch), 0, false, make([]byte, 1<<20)).WaitTimeout(time.Second)
	r.until("who sends 1 MiB is cut off", func() bool { return !c.IsConnected() })
	for _, g := range w {
		if up, _ := g.link.State(); !up {
			t.Error("another connection is gone")
		}
	}
	c = r.raw(f.broker, "qos", r.client(w[0].model, w[0].place), true, make(chan string, 16))
	for qos := range byte(3) {
		topic, payload := w[0].say(wire.TypeHello, w[0].hello())
		if !settled(c.Publish(topic, qos, false, payload)) {
			t.Errorf("QoS %d is not confirmed", qos)
		}
		if _, err := w[0].next(w[0].place.Down(wire.TypeAck), timeout); err != nil {
			t.Errorf("QoS %d: %v", qos, err)
		}
	}
}

// TestManyConnections of one gateway end the oldest: nobody holds more of the
// broker than a few.
func TestManyConnections(t *testing.T) {
	r, f, w := twoGateways(t)
	var all []paho.Client
	for i := range 12 {
		all = append(all, r.raw(f.broker, "many"+string(rune('a'+i)), r.client(w[0].model, w[0].place), true, make(chan string, 1)))
	}
	r.until("no more than four of them stay", func() bool {
		return len(slices.DeleteFunc(slices.Clone(all), func(c paho.Client) bool { return !c.IsConnected() })) <= 4
	})
}

// TestFloodIsBounded: a gateway that sends without end fills neither memory
// nor the queue of the others.
func TestFloodIsBounded(t *testing.T) {
	s := newScene(t)
	other := s.gateway("g2", 9)
	_, err := s.front.client.PutHouse(t.Context(), s.house(2, s.g, other))
	s.must(err)
	s.g.fill(10)
	topic, payload := s.g.say(wire.TypeBatch, s.g.batch(0, 10))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n++ {
			s.link.receive(topic, payload)
		}
		ended <- n
	}()
	s.until("there is more than one may send", func() bool { return s.front.dropped() > 0 })
	most := 0
	for range 20 {
		n, _ := s.front.intake.Waiting()
		most = max(most, n)
		otherTopic, hello := other.say(wire.TypeHello, other.hello())
		s.link.receive(otherTopic, hello)
		if _, err := s.link.next(other.place.Down(wire.TypeAck), timeout); err != nil {
			t.Fatal("the other gateway is not heard beside the flood")
		}
	}
	cancel()
	n := <-ended
	if most > 64+128+2 { // in the queue, opened, and of the other
		t.Errorf("of %d messages %d waited at a time, %d were dropped", n, most, s.front.dropped())
	}
}

// TestShortConnections with a gateway's certificate, one after the other, as a
// tool makes them, cost the gateway nothing.
func TestShortConnections(t *testing.T) {
	r, f, w := twoGateways(t)
	_, changed := w[0].link.State()
	for i := range 12 {
		c := r.raw(f.broker, "short"+string(rune('a'+i)), r.client(w[0].model, w[0].place), true, make(chan string, 1))
		c.Disconnect(100)
	}
	select {
	case <-changed:
		t.Error("the gateway's own connection was ended")
	case <-time.After(300 * time.Millisecond):
	}
}
