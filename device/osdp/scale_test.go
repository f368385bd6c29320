package osdp

import (
	"crypto/aes"
	"fmt"
	"os"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/osdp/protocol"
)

// TestManyReaders: 4 and 16 readers on one line, some of them dead: each card of
// the others is read, and soon.
func TestManyReaders(t *testing.T) {
	for _, c := range []struct{ readers, dead int }{{1, 0}, {4, 0}, {4, 1}, {16, 0}, {16, 1}, {16, 8}, {16, 15}} {
		bubble(t, fmt.Sprintf("%d readers, %d dead", c.readers, c.dead), func(t *testing.T) { manyReaders(t, c.readers, c.dead) })
	}
}

func manyReaders(t *testing.T, readers, dead int) {
	var all []pair
	for n := range readers {
		p := keyed(byte(n + 1))
		if n%2 == 1 {
			p = bare(byte(n + 1))
		}
		all = append(all, p)
	}
	g := build(t, all...)
	for n := range dead {
		g.peers[n].SetDead(true)
	}
	g.run()
	defer g.stop()
	time.Sleep(30 * time.Second)
	heard := map[string]int{}
	for _, h := range g.heard() {
		heard[h]++
	}
	if heard["online"] != readers-dead || heard["offline no_answer"] != dead || len(heard) > 2 {
		t.Fatalf("heard %v", heard)
	}
	var worst time.Duration
	for n := range rounds(50, 6) {
		g.peers[dead+n%(readers-dead)].Present(testCard(n))
		begin := time.Now()
		for cards(g.heard()) == 0 {
			time.Sleep(time.Millisecond)
			if time.Since(begin) > 3*time.Second {
				t.Fatal("a card is not read")
			}
		}
		worst = max(worst, time.Since(begin))
		time.Sleep(time.Duration(137*n) * time.Millisecond)
	}
	if worst > 1200*time.Millisecond {
		t.Errorf("a card took %v", worst)
	}
	polls := g.peers[readers-1].State().Commands[protocol.CmdPoll]
	time.Sleep(time.Minute)
	polls = g.peers[readers-1].State().Commands[protocol.CmdPoll] - polls
	t.Logf("worst card %v, a poll each %v", worst, time.Minute/time.Duration(polls))
}

// TestOneDies: while a reader dies and is given up, the others are polled on.
func TestOneDies(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		var all []pair
		for n := range 4 {
			all = append(all, keyed(byte(n+1)))
		}
		g := build(t, all...).run()
		defer g.stop()
		time.Sleep(5 * time.Second)
		g.heard()
		g.peers[0].SetDead(true)
		for n := range 60 {
			g.peers[1+n%3].Present(testCard(n))
			time.Sleep(500 * time.Millisecond)
			if got := cards(g.heard()); got != 1 {
				t.Errorf("after %d half seconds: %d cards", n, got)
			}
		}
	})
}

var errTimeout = fmt.Errorf("read: %w", os.ErrDeadlineExceeded)

// quick is a port in memory whose far end answers each POLL by a secured ACK, or
// by one in the clear, without a byte of heap.
type quick struct {
	s       *protocol.Session
	in, out []byte
	scratch [16]byte
}

func (q *quick) SetReadTimeout(time.Duration) error { return nil }
func (q *quick) Close() error                       { return nil }

func (q *quick) Read(b []byte) (int, error) {
	if len(q.in) == 0 {
		return 0, errTimeout
	}
	n := copy(b, q.in)
	q.in = q.in[n:]
	return n, nil
}

func (q *quick) Write(b []byte) (int, error) {
	f, err := protocol.Parse(b[1:])
	if err != nil {
		return 0, err
	}
	reply := protocol.Frame{Address: f.Address, Reply: true, Sequence: f.Sequence, CRC: true, Code: protocol.ReplyAck}
	if q.s == nil {
		q.in, err = reply.Append(q.out[:0])
		return len(b), err
	}
	if _, err := q.s.Open(&f); err != nil {
		return 0, err
	}
	q.in, err = q.s.Seal(q.out[:0], reply, q.scratch[:])
	return len(b), err
}

// steady is a bus with one reader that is being polled.
func steady(t testing.TB, secure bool) (*Bus, *quick) {
	events := make(chan device.Event, 100)
	q := &quick{out: make([]byte, 0, 64)}
	c := ReaderConfig{Source: "a", Address: 1, ClearText: true, Events: events}
	if secure {
		c.ClearText, c.Keys = false, &store{}
	}
	b := New(BusConfig{Baud: 115200, Readers: []ReaderConfig{c}}, nil)
	b.line.port = q
	r := b.contacts[0]
	r.equipment.known, r.presence.absent = true, false
	r.reset()
	if secure {
		q.s, r.channel.session = opened(t), opened(t)
		r.step, r.channel.began = stepRun, time.Now()
	}
	r.link.next = 1
	for range 10 {
		_ = b.turn(r, time.Now())
	}
	return b, q
}

// opened is a session by the key of zeros and numbers of zeros; both ends have it.
func opened(t testing.TB) *protocol.Session {
	aes := func(key, block [16]byte) [16]byte {
		c, err := aes.NewCipher(key[:])
		if err != nil {
			t.Fatal(err)
		}
		c.Encrypt(block[:], block[:])
		return block
	}
	enc, mac1, mac2 := aes([16]byte{}, [16]byte{1, 0x82}), aes([16]byte{}, [16]byte{1, 1}), aes([16]byte{}, [16]byte{1, 2})
	cryptogram := aes(enc, [16]byte{})
	firstMAC := aes(mac2, aes(mac1, cryptogram))
	challenged := protocol.Frame{Reply: true, Code: 0x76, Block: protocol.Block{Type: 0x12, Data: []byte{1}}, Data: append(make([]byte, 16), cryptogram[:]...)}
	response, err := challenged.Response()
	if err != nil {
		t.Fatal(err)
	}
	h, ok := response.Prove(protocol.Key{}, [8]byte{})
	if !ok {
		t.Fatal("wrong cryptogram")
	}
	s, err := h.Start(protocol.Frame{Reply: true, Code: 0x78, Block: protocol.Block{Type: 0x14, Data: []byte{1}}, Data: firstMAC[:]})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPollAllocates: polling needs no heap. In a bubble no time passes meanwhile: a
// machine that stops between a command and its answer is no reader that is silent.
func TestPollAllocates(t *testing.T) {
	for name, secure := range map[string]bool{"clear": false, "secure": true} {
		bubble(t, name, func(t *testing.T) {
			b, _ := steady(t, secure)
			if !b.contacts[0].reader.Status().Online {
				t.Fatal("not polled")
			}
			n := testing.AllocsPerRun(1000, func() {
				now := time.Now()
				b.keep(now)
				r, _ := b.next(now)
				if err := b.turn(r, now); err != nil {
					t.Fatal(err)
				}
			})
			if n > 0 {
				t.Errorf("%v allocations a poll", n)
			}
			if s := b.contacts[0].reader.Status(); s.Commands < 1000 || s.Retries > 0 {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// BenchmarkPoll: the CPU time of one poll and its answer, without a wire, beside
// what the wire takes at 115200 baud.
func BenchmarkPoll(b *testing.B) {
	for _, name := range []string{"clear", "secure"} {
		secure := name == "secure"
		b.Run(name, func(b *testing.B) {
			bus, _ := steady(b, secure)
			r := bus.contacts[0]
			b.ReportAllocs()
			for b.Loop() {
				_ = bus.turn(r, time.Now())
			}
			wire := bus.line.wire(1 + 8 + 8)
			if secure {
				wire = bus.line.wire(1 + 14 + 14)
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(wire), "of-wire")
		})
	}
}
