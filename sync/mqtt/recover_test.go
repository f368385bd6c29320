package mqtt_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/rs/zerolog"

	"gatehouse/sync/mqtt"
)

// network is brokers in memory, and the line to them.
type network struct {
	mu      sync.Mutex
	up      map[string]bool // addresses where one listens; others refuse
	dark    bool            // new connections find nobody, and wait
	dead    int             // connections up to this one swallow everything
	conns   int
	ends    []net.Conn
	dialled []string
	at      []time.Time
}

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dialled, n.at = append(n.dialled, address), append(n.at, time.Now())
	up, dark := n.up[address], n.dark
	n.mu.Unlock()
	if dark {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if !up {
		return nil, errors.New("refused")
	}
	ours, theirs := net.Pipe()
	n.mu.Lock()
	n.conns++
	id := n.conns
	n.ends = append(n.ends, theirs)
	n.mu.Unlock()
	go n.serve(theirs, id)
	return ours, nil
}

// serve is a broker that answers what a link sends.
func (n *network) serve(c net.Conn, id int) {
	defer c.Close()
	for {
		in, err := packets.ReadPacket(c)
		if err != nil {
			return
		}
		n.mu.Lock()
		dead := id <= n.dead
		n.mu.Unlock()
		var out packets.ControlPacket
		switch p := in.(type) {
		case *packets.ConnectPacket:
			out = packets.NewControlPacket(packets.Connack)
		case *packets.SubscribePacket:
			ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			ack.MessageID, ack.ReturnCodes = p.MessageID, make([]byte, len(p.Topics))
			out = ack
		case *packets.PingreqPacket:
			out = packets.NewControlPacket(packets.Pingresp)
		}
		if out != nil && !dead && out.Write(c) != nil {
			return
		}
	}
}

// lose ends all connections as a broker does that stops.
func (n *network) lose() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.ends {
		c.Close()
	}
	n.ends = nil
}

func (n *network) set(change func(*network)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n)
}

// took waits until the link is up, and returns how long that took.
func took(t *testing.T, l *mqtt.Link) time.Duration {
	t.Helper()
	began := time.Now()
	for time.Since(began) < 24*time.Hour {
		if up, changed := l.State(); up {
			return time.Since(began)
		} else {
			select {
			case <-changed:
			case <-time.After(time.Minute):
			}
		}
	}
	t.Fatalf("not up within a day: %+v", l.Status())
	return 0
}

// play runs a link on brokers in memory.
func play(t *testing.T, others func() []string, f func(n *network, l *mqtt.Link)) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{up: map[string]bool{"127.0.0.1:1883": true}}
		l, err := mqtt.New(mqtt.Config{Broker: "mqtt://127.0.0.1", Subscribe: []string{"x"}, Others: others, Dial: n.dial, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { _ = l.Run(ctx) })
		f(n, l)
		cancel()
		running.Wait()
		n.lose()
		synctest.Wait()
	})
}

// settle is enough for a connection to count as one that held.
const held = time.Hour

// TestBackSoon: whatever the line does, once it is good again the link is back
// within 80 s: ten more are left for the list.
func TestBackSoon(t *testing.T) {
	const most = 80 * time.Second
	for name, c := range map[string]struct {
		fault func(*network)
		lasts time.Duration
		mend  func(*network)
	}{
		"a router forgets the connection": {func(n *network) { n.dead = n.conns }, 0, func(*network) {}},
		"the broker ends it":              {func(*network) {}, 0, func(n *network) {}},
		"the broker is away for an hour":  {func(n *network) { n.up["127.0.0.1:1883"] = false }, time.Hour, func(n *network) { n.up["127.0.0.1:1883"] = true }},
		"a dark line for an hour":         {func(n *network) { n.dark, n.dead = true, n.conns }, time.Hour, func(n *network) { n.dark = false }},
		"a dark line for a minute":        {func(n *network) { n.dark, n.dead = true, n.conns }, time.Minute, func(n *network) { n.dark = false }},
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				play(t, nil, func(n *network, l *mqtt.Link) {
					took(t, l)
					time.Sleep(held)
					n.set(c.fault)
					if name == "the broker ends it" || name == "the broker is away for an hour" {
						n.lose()
					}
					time.Sleep(c.lasts)
					synctest.Wait()
					n.set(c.mend)
					mended := time.Now()
					before := l.Status().Connects
					for l.Status().Connects == before {
						if time.Since(mended) > most {
							t.Fatalf("not back after %v: %+v", most, l.Status())
						}
						time.Sleep(100 * time.Millisecond)
					}
				})
			}
		})
	}
}

// TestAfterALoss: the first try comes after 1 to 5 s, or within what the other
// end wishes, and is not put off by earlier losses of connections that held.
func TestAfterALoss(t *testing.T) {
	for _, c := range []struct{ wish, least, most time.Duration }{
		{0, time.Second, 5 * time.Second}, {30 * time.Second, time.Second, 30 * time.Second},
		{18 * time.Hour, time.Second, time.Minute}, {time.Millisecond, 0, time.Second},
	} {
		var waits []time.Duration
		play(t, nil, func(n *network, l *mqtt.Link) {
			took(t, l)
			for range 40 {
				l.Spread(c.wish)
				time.Sleep(held)
				n.lose()
				synctest.Wait()
				waits = append(waits, took(t, l))
			}
		})
		if low, high := slices.Min(waits), slices.Max(waits); low < c.least || high > c.most || high < c.most/2 && c.most > time.Second {
			t.Errorf("a wish of %v: waits of %v to %v, want %v to %v", c.wish, low, high, c.least, c.most)
		}
	}
}

// TestAgain: a link that is down tries at once when it is asked to; one that is
// up does not mind, nor does the next loss.
func TestAgain(t *testing.T) {
	play(t, nil, func(n *network, l *mqtt.Link) {
		n.set(func(n *network) { n.up["127.0.0.1:1883"] = false })
		time.Sleep(time.Hour)
		n.set(func(n *network) { n.up["127.0.0.1:1883"] = true })
		synctest.Wait()
		l.Again()
		if d := took(t, l); d > 0 {
			t.Errorf("asked to try, it waits %v", d)
		}
		l.Again()
		time.Sleep(held)
		n.lose()
		synctest.Wait()
		if d := took(t, l); d < time.Second {
			t.Errorf("after a loss it waits only %v", d)
		}
	})
}

// TestMove: a registry that moves is found under the address that was added,
// soon; one that goes back to the old address is found within the hour.
func TestMove(t *testing.T) {
	var mu sync.Mutex
	var others []string
	added := func() []string { mu.Lock(); defer mu.Unlock(); return others }
	play(t, added, func(n *network, l *mqtt.Link) {
		took(t, l)
		mu.Lock()
		others = []string{"mqtt://127.0.0.2", "no address"}
		mu.Unlock()
		time.Sleep(held)
		if got := l.Status(); got.Address != "127.0.0.1:1883" || got.Connects != 1 {
			t.Errorf("a good connection is given up: %+v", got)
		}
		n.set(func(n *network) { n.up = map[string]bool{"127.0.0.2:1883": true} })
		n.lose()
		synctest.Wait()
		if d := took(t, l); d > time.Minute || l.Status().Address != "127.0.0.2:1883" {
			t.Errorf("at %s after %v", l.Status().Address, d)
		}
		time.Sleep(held)
		n.set(func(n *network) { n.up = map[string]bool{}; n.dialled = nil })
		n.lose()
		time.Sleep(30 * 24 * time.Hour)
		synctest.Wait()
		n.mu.Lock()
		old, current := 0, 0
		for _, a := range n.dialled {
			if a == "127.0.0.1:1883" {
				old++
			} else {
				current++
			}
		}
		n.up = map[string]bool{"127.0.0.1:1883": true}
		n.mu.Unlock()
		if old < 30*23 || old > 30*25 || current < 100*old/2 {
			t.Errorf("in thirty days the old address was tried %d times, the other one %d times", old, current)
		}
		if d := took(t, l); d > 61*time.Minute || l.Status().Address != "127.0.0.1:1883" {
			t.Errorf("back at the old address only after %v, now at %s", d, l.Status().Address)
		}
	})
}
