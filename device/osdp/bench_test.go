package osdp_test

import (
	"context"
	"crypto/aes"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/osdp"
	"gatehouse/device/osdp/osdptest"
	"gatehouse/device/osdp/protocol"
)

// A poll in a session is 14 bytes with its mark one more, the answer 14; two
// characters of silence before each command (SIA OSDP).
const pollBytes = 15 + 14 + 2

// wireLimit is the shortest time in which n readers can be polled once.
func wireLimit(n, baud int) time.Duration {
	return time.Duration(n*pollBytes) * 10 * time.Second / time.Duration(baud)
}

// TestBusCycle: how long one round takes, in exact virtual time, against what
// the bits alone take. Readers answer at once, the bus polls without a pause. What
// else is asked now and then (LSTAT each 10 s) is in the ratio.
func TestBusCycle(t *testing.T) {
	for _, baud := range []int{9600, 115200} {
		for _, n := range []int{1, 4, 16} {
			play(t, n, func(p *plan) {
				p.baud, p.poll = baud, time.Nanosecond
				for i := range p.readers {
					p.readers[i].Turnaround = -1
				}
			}, func(t *testing.T, r *rig) {
				r.settle(20 * time.Second)
				before := r.polls()
				window := time.Minute
				if testing.Short() {
					window = 12 * time.Second
				}
				time.Sleep(window)
				cycle := window * time.Duration(n) / time.Duration(r.polls()-before)
				ratio := float64(cycle) / float64(wireLimit(n, baud))
				t.Logf("%6d baud, %2d readers: a round in %v, of the wire's %v: %.3f", baud, n, cycle, wireLimit(n, baud), ratio)
				if ratio > 1.25 {
					t.Errorf("%d baud, %d readers: a round takes %.2f of what its bits take", baud, n, ratio)
				}
			})
		}
	}
}

// polls is how many polls all readers have answered.
func (r *rig) polls() int {
	n := 0
	for _, x := range r.readers {
		n += x.State().Commands[0x60]
	}
	return n
}

// BenchmarkBusCycle is TestBusCycle in real time, whose timers are late: b.N is
// rounds. Wire/op is what the bits alone take.
func BenchmarkBusCycle(b *testing.B) {
	for _, baud := range []int{9600, 115200} {
		for _, n := range []int{1, 4, 16} {
			h := newHouse(b, n, baud, true)
			b.Run(fmt.Sprintf("baud=%d/readers=%d", baud, n), func(b *testing.B) {
				start, before := time.Now(), h.polls()
				b.ResetTimer()
				h.wait(b.N * n)
				cycle := time.Since(start) * time.Duration(n) / time.Duration(h.polls()-before)
				limit := wireLimit(n, baud)
				b.ReportMetric(float64(cycle.Microseconds())/1000, "ms/round")
				b.ReportMetric(float64(limit.Microseconds())/1000, "wire-ms/round")
				b.ReportMetric(float64(cycle)/float64(limit), "x-wire")
			})
			h.stop()
		}
	}
}

// BenchmarkBusPoll is what one poll in a session costs the processor, the
// reader's side of it included, against the AES that such a poll needs on both
// sides. The line takes no time; the pause of two characters stays.
func BenchmarkBusPoll(b *testing.B) {
	h := newHouse(b, 4, 115200, false)
	defer h.stop()
	b.Run("readers=4", h.benchmarkPoll)
}

func (h *house) benchmarkPoll(b *testing.B) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, cpu := h.polls(), cpuTime(b)
	b.ResetTimer()
	h.wait(b.N)
	b.StopTimer()
	polls := float64(h.polls() - start)
	used := float64(cpuTime(b) - cpu)
	runtime.ReadMemStats(&after)
	b.ReportMetric(used/polls, "cpu-ns/poll")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/polls, "allocs/poll")
	b.ReportMetric(used/polls/aesLimit(), "x-aes")
	// At 115200 baud a poll takes the wire 2.7 ms: what part of a processor one
	// bus at its limit needs.
	b.ReportMetric(100*used/polls/float64(wireLimit(1, 115200)), "%cpu-at-115200")
}

// aesLimit is the time of the AES blocks in one poll: its MAC and that of the
// answer are one block each, made by one side and checked by the other.
func aesLimit() float64 {
	c, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		return 1
	}
	block := make([]byte, 16)
	const rounds = 1 << 18
	start := time.Now()
	for range rounds {
		c.Encrypt(block, block)
	}
	return 4 * float64(time.Since(start)) / rounds
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// house is a rig in real time.
type house struct {
	readers []*osdptest.Reader
	stop    func()
}

// newHouse returns when all readers are polled and were told and asked what
// there is at the start.
func newHouse(b *testing.B, n, baud int, wireTime bool) *house {
	h := &house{}
	events := make(chan device.Event, 64)
	var panel []osdp.ReaderConfig
	for i := range n {
		key := protocol.NewKey()
		raw := [16]byte(key)
		h.readers = append(h.readers, osdptest.NewReader(osdptest.Config{Address: byte(i), Baud: baud, Key: &raw, Turnaround: -1}))
		panel = append(panel, osdp.ReaderConfig{
			Source: fmt.Sprintf("reader-%d", i), Address: byte(i), Events: events, Keys: &store{keys: osdp.Keys{Current: &key}},
		})
	}
	line := osdptest.NewLine(h.readers...)
	line.WireTime = wireTime
	bus := osdp.New(osdp.BusConfig{Baud: baud, Poll: time.Nanosecond, Readers: panel, Log: zerolog.Nop()},
		func() (device.Port, error) { return line.Open(baud) })
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = line.Run(ctx) })
	running.Go(func() { _ = bus.Run(ctx) })
	running.Go(func() {
		for {
			select {
			case <-events:
			case <-ctx.Done():
				return
			}
		}
	})
	h.stop = func() { cancel(); running.Wait() }
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		ready := 0
		for _, x := range h.readers {
			if s := x.State(); s.Secure && s.Commands[0x60] > 10 && s.Commands[0x64] > 0 {
				ready++
			}
		}
		if ready == n {
			time.Sleep(5 * wireLimit(n, baud))
			return h
		}
		if time.Now().After(end) {
			h.stop()
			b.Fatal("not all readers online within 30 s")
		}
	}
}

func (h *house) polls() int {
	n := 0
	for _, x := range h.readers {
		n += x.State().Commands[0x60]
	}
	return n
}

// wait returns after so many polls more.
func (h *house) wait(polls int) {
	for end := h.polls() + polls; h.polls() < end; {
		time.Sleep(50 * time.Millisecond) // looking costs, too
	}
}
