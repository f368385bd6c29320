package idcard

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/device/idcard/idcardtest"
)

// desk is a module with its fake, in memory and in the time of a bubble.
type desk struct {
	fake   *idcardtest.Module
	port   device.Port
	module *Module
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	fake := idcardtest.NewModule(1)
	port, err := fake.Open()
	if err != nil {
		t.Fatal(err)
	}
	return &desk{fake, port, New(port)}
}

// read waits up to a minute.
func (d *desk) read(limit time.Duration) (Record, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return d.module.Read(ctx)
}

// reads wants a card to be read.
func (d *desk) reads(t testing.TB, what string, c idcardtest.Card) {
	t.Helper()
	r, err := d.read(time.Minute)
	if err == nil {
		err = same(r, c)
	}
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func TestRead(t *testing.T) {
	for _, c := range invented {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(t)
			d.fake.Place(c)
			d.reads(t, "a card", c)
			if want := [][2]byte{{0x20, 1}, {0x20, 2}, {0x30, 1}}; !slices.Equal(d.fake.Commands(), want) {
				t.Errorf("asked for %X: no fingers, no address", d.fake.Commands())
			}
			if d.module.framer != (framer{}) || d.module.chunk != ([256]byte{}) {
				t.Error("something of the card is still in memory")
			}
		})
	}
}

// TestMishaps: whatever passes is waited for, and the card is read right.
func TestMishaps(t *testing.T) {
	card := invented[1]
	for name, f := range map[string]idcardtest.Faults{
		"split":               {Split: true},
		"slow":                {Delay: 900 * time.Millisecond},
		"noise":               {Noise: 40},
		"wrong checksums":     {WrongCheck: 5},
		"over-long":           {LongLength: 5},
		"all together":        {Split: true, Noise: 9, WrongCheck: 3, LongLength: 2, Delay: 200 * time.Millisecond},
		"starts again":        {Reboot: 2 * time.Second},
		"starts again slowly": {Reboot: 7 * time.Second},
		"wrong checksum of the read": {Mangle: once(0x30, func(b []byte) []byte {
			b[400] ^= 1
			return b
		})},
		"a reply and one nobody asked for": {Mangle: func(_ [2]byte, b []byte) []byte { return append(b, b...) }},
		"half a frame in front": {Mangle: once(0x20, func(b []byte) []byte {
			return append([]byte{0xAA, 0xAA, 0xAA, 0x96, 0x69, 5, 8, 0}, b...)
		})},
		"echo of the command": {Mangle: once(0x20, func(b []byte) []byte { return append(Find.AppendTo(nil), b...) })},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				d.fake.Misbehave(f)
				d.fake.Place(card)
				d.reads(t, name, card)
			})
		})
	}
}

// once changes the first reply to commands of a kind.
func once(cmd byte, change func([]byte) []byte) func([2]byte, []byte) []byte {
	done := false
	return func(c [2]byte, reply []byte) []byte {
		if c[0] != cmd || done {
			return reply
		}
		done = true
		return change(reply)
	}
}

// TestPulledAtAnyByte: a card that is taken off too early is read when it is
// laid on again, and never another's half.
func TestPulledAtAnyByte(t *testing.T) {
	step := 37
	if testing.Short() {
		step = 211
	}
	for at := 1; at < 1295; at += step {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(t)
			d.fake.Place(invented[0])
			d.fake.Misbehave(idcardtest.Faults{PullAt: at, Split: at%2 == 0})
			if _, err := d.read(12 * time.Second); err == nil || errors.Is(err, ErrNoCard) {
				t.Fatalf("pulled at byte %d: %v", at, err)
			}
			d.fake.Place(invented[2])
			d.reads(t, "laid on another", invented[2])
		})
	}
}

// TestDamagedReads: each flipped bit and each cut of the answer to the first
// read, in all of its header and here and there behind it.
func TestDamagedReads(t *testing.T) {
	card := invented[0]
	damage := func(what string, at int, change func([]byte) []byte) {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(t)
			d.fake.Place(card)
			d.fake.Misbehave(idcardtest.Faults{Mangle: once(0x30, change)})
			if r, err := d.read(time.Minute); err != nil || same(r, card) != nil {
				t.Errorf("%s at %d: %v", what, at, err)
			}
		})
	}
	for at := 0; at < 1295; at++ {
		if at > 20 && at%61 != 0 && at < 1290 {
			continue
		}
		damage("cut", at, func(b []byte) []byte { return b[:at] })
		damage("begun late", at, func(b []byte) []byte { return b[at+1:] })
		for bit := range 8 {
			damage("bit", at, func(b []byte) []byte {
				b[at] ^= 1 << bit
				return b
			})
		}
	}
}

// TestSameCard: a card that was read and left there is not read again, and the
// next one is not taken for it.
func TestSameCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.fake.Place(invented[0])
		d.reads(t, "first", invented[0])
		if _, err := d.read(5 * time.Second); !errors.Is(err, ErrNoCard) {
			t.Errorf("left there: %v", err)
		}
		d.fake.Remove()
		if _, err := d.read(5 * time.Second); !errors.Is(err, ErrNoCard) {
			t.Errorf("nothing there: %v", err)
		}
		d.fake.Place(invented[3])
		d.reads(t, "second", invented[3])
		d.fake.Place(invented[0])
		d.reads(t, "first again", invented[0])
	})
}

// TestNeverAnother: cards come and go while a module misbehaves and its answers
// come late. What is read is a card that lay there during that read.
func TestNeverAnother(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		delays := []time.Duration{0, 0, 100 * time.Millisecond, 950 * time.Millisecond, 1100 * time.Millisecond, 2900 * time.Millisecond, 3300 * time.Millisecond}
		type step struct {
			faults idcardtest.Faults
			cards  []int // -1: taken off
			pauses []time.Duration
		}
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) (s step) {
			s.faults = idcardtest.Faults{Split: rapid.Bool().Draw(t, "split"), Delay: rapid.SampledFrom(delays).Draw(t, "delay"),
				Noise: rapid.IntRange(0, 12).Draw(t, "noise"), WrongCheck: rapid.IntRange(0, 3).Draw(t, "check"),
				LongLength: rapid.IntRange(0, 2).Draw(t, "long"), PullAt: rapid.SampledFrom([]int{0, 0, 1, 300, 1294}).Draw(t, "pull"),
				Reboot: rapid.SampledFrom([]time.Duration{0, 0, 2 * time.Second}).Draw(t, "reboot")}
			s.cards = rapid.SliceOfN(rapid.IntRange(-1, len(invented)-1), 1, 4).Draw(t, "cards")
			for range s.cards {
				s.pauses = append(s.pauses, time.Duration(rapid.IntRange(0, 4000).Draw(t, "pause"))*time.Millisecond)
			}
			return s
		}), 1, 4).Draw(rt, "steps")
		synctest.Test(t, func(t *testing.T) {
			d, on := newDesk(t), -1
			var mu sync.Mutex
			for _, s := range steps {
				there := []int{on}
				d.fake.Misbehave(s.faults)
				moved := make(chan struct{})
				go func() {
					defer close(moved)
					for i, c := range s.cards {
						time.Sleep(s.pauses[i])
						mu.Lock()
						if there = append(there, c); c < 0 {
							d.fake.Remove()
						} else {
							d.fake.Place(invented[c])
						}
						mu.Unlock()
					}
				}()
				r, err := d.read(8 * time.Second)
				mu.Lock()
				seen := slices.Clone(there)
				mu.Unlock()
				<-moved
				on = there[len(there)-1]
				if err == nil && !slices.ContainsFunc(seen, func(c int) bool { return c >= 0 && same(r, invented[c]) == nil }) {
					t.Errorf("a card that did not lie there: %v", r.Kind())
				}
			}
			time.Sleep(time.Minute) // for what is still on its way
		})
	})
}

// TestUnplugAtAnyByte: the cable goes at any byte that the module sends.
func TestUnplugAtAnyByte(t *testing.T) {
	step := 17
	if testing.Short() {
		step = 131
	}
	for limit := 1; limit < 15+19+1295; limit += step {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(t)
			d.fake.Misbehave(idcardtest.Faults{UnplugAt: limit})
			d.fake.Place(invented[0])
			if _, err := d.read(time.Minute); !errors.Is(err, device.ErrUnplugged) {
				t.Fatalf("after %d bytes: %v", limit, err)
			}
		})
	}
}

// TestRefusals: each status a manual has, and one that none has.
func TestRefusals(t *testing.T) {
	for s := range 256 {
		s := Status(s)
		if s == StatusOK || s == StatusFound || s == 0 { // 0 is no fault of the fake
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(t)
			d.fake.Place(invented[0])
			d.fake.Misbehave(idcardtest.Faults{Status: byte(s)})
			start := time.Now()
			_, err := d.read(20 * time.Second)
			if s == statusNoCard { // to a read, it means nothing else than to a find
				if !errors.Is(err, ErrNoCard) {
					t.Errorf("%02X: %v", byte(s), err)
				}
				return
			}
			if !errors.Is(err, s) || !strings.Contains(err.Error(), "SW3") {
				t.Errorf("%02X: %v", byte(s), err)
			}
			if again := time.Since(start) > 10*time.Second; again != statuses[s].again {
				t.Errorf("%02X: tried again: %v", byte(s), again)
			}
			if _, known := statuses[s]; known == strings.Contains(s.String(), "no manual") {
				t.Errorf("%02X is called %s", byte(s), s)
			}
		})
	}
}

// TestSilence: a dead module, a cancelled wait, a wait that ends.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.fake.Place(invented[0])
		d.fake.Misbehave(idcardtest.Faults{Silent: true})
		if _, err := d.module.Read(context.Background()); !errors.Is(err, ErrSilent) {
			t.Errorf("dead, no limit: %v", err)
		}
		if _, err := d.read(3 * time.Second); !errors.Is(err, ErrSilent) {
			t.Errorf("dead, three seconds: %v", err)
		}
		if err := d.module.Check(context.Background()); !errors.Is(err, ErrSilent) {
			t.Errorf("check of a dead one: %v", err)
		}
		d.fake.Misbehave(idcardtest.Faults{})
		d.reads(t, "back", invented[0])
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(5*time.Second, cancel)
		if _, err := d.module.Read(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		if _, err := d.module.Number(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before: %v", err)
		}
	})
}

// TestLateAnswer: a module that is silent for a while after a long wait is not
// given up.
func TestLateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		for at, act := range map[time.Duration]func(){
			30 * time.Second: func() { d.fake.Misbehave(idcardtest.Faults{Silent: true}) },
			35 * time.Second: func() { d.fake.Misbehave(idcardtest.Faults{}) },
			40 * time.Second: func() { d.fake.Place(invented[0]) },
		} {
			time.AfterFunc(at, act)
		}
		if r, err := d.module.Read(context.Background()); err != nil || same(r, invented[0]) != nil {
			t.Error(err)
		}
	})
}

// TestFlood: a line that is never quiet is said to be so, and does not keep the
// desk for longer than it wants to wait.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		done := make(chan error, 1)
		go func() {
			_, err := d.module.Read(ctx)
			done <- err
		}()
		for ctx.Err() == nil {
			_ = d.fake.Send([]byte{0xAA, 0xAA, 0xAA, 0x96})
			time.Sleep(time.Millisecond)
		}
		if err := <-done; err == nil || !strings.Contains(err.Error(), "without a question") {
			t.Errorf("%v", err)
		}
		d.fake.Place(invented[0])
		d.reads(t, "quiet again", invented[0])
	})
}

func TestInstaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		ctx := context.Background()
		if err := d.module.Check(ctx); err != nil {
			t.Error(err)
		}
		if n, err := d.module.Number(ctx); err != nil || n != "05.03-20200101-0000000001-0000000002" {
			t.Errorf("%q %v", n, err)
		}
		d.fake.Place(invented[0])
		d.reads(t, "a card", invented[0])
		if err := d.module.Restart(ctx); err != nil {
			t.Error(err)
		}
		d.reads(t, "found again after a reset", invented[0])
		d.fake.Misbehave(idcardtest.Faults{WrongCheck: 2})
		if n, err := d.module.Number(ctx); err != nil || !strings.HasPrefix(n, "05.03") {
			t.Errorf("%q %v", n, err)
		}
		d.fake.Misbehave(idcardtest.Faults{Mangle: func([2]byte, []byte) []byte { return encode(Reply{Status: 0x66}) }})
		var s Status
		if err := d.module.Check(ctx); !errors.As(err, &s) || s != 0x66 || s.Hint() == "" {
			t.Errorf("not authorised: %v", err)
		}
		d.port.Close()
		if err := d.module.Check(ctx); !errors.Is(err, os.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

// BenchmarkRead is find, select and read over a port in memory, with the time
// that their bytes need at 115,200 baud beside it.
func BenchmarkRead(b *testing.B) {
	d := newDesk(b)
	b.ReportAllocs()
	for b.Loop() {
		d.fake.Place(invented[0])
		if _, err := d.module.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	wire := float64(3*10+15+19+1295) * 10 / 115200 * 1e9
	b.ReportMetric(wire/(float64(b.Elapsed().Nanoseconds())/float64(b.N)), "wire/read")
}

// TestSharedPort: that another program has the port open ends no reading.
func TestSharedPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		port := &devicetest.Disturbed{Port: d.port, Errs: []error{device.ErrPortShared, device.ErrPortShared, device.ErrPortShared}}
		d.module = New(port)
		d.fake.Place(invented[0])
		d.reads(t, "a card", invented[0])
		if len(port.Errs) > 0 {
			t.Error("never disturbed")
		}
	})
}
