package door_test

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/door"
	"gatehouse/sync/wire"
)

// passes knows one code, good once.
type passes struct {
	mu   sync.Mutex
	used bool
}

func (p *passes) Decide(c device.Code, _ string, _ access.Time) door.Pass {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case c.Text() != "pass":
		return door.Pass{Reason: wire.ReasonBadCode}
	case p.used:
		return door.Pass{Reason: wire.ReasonReplayed, Who: wire.Who{Tenancy: &wire.ID{8}}}
	}
	return door.Pass{Reason: wire.ReasonGranted, Who: wire.Who{Tenancy: &wire.ID{8}}}
}

func (p *passes) Use(door.Pass) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.used
	p.used = true
	return !was
}

func (b *bench) code(reader, text string) {
	c, _ := device.NewCode(text)
	b.events <- device.Event{Kind: device.CodeRead, Source: reader, Code: c}
	synctest.Wait()
}

// scan waits until the record of a pass is durable, too.
func (b *bench) scan(reader, text string) {
	b.code(reader, text)
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
}

// TestCodes: a pass opens once; held before the scanner it is one presentation.
func TestCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shown{}
		b := start(t, func(_ *door.Config, p *door.Parts) { p.Passes, p.Show = &passes{}, s.show })
		b.scan("in", "https://example.org")
		if b.lock.isReleased() {
			t.Error("any code opens")
		}
		for range 5 {
			b.scan("in", "pass")
		}
		if !b.lock.isReleased() {
			t.Error("a pass opens nothing")
		}
		time.Sleep(10 * time.Second)
		b.scan("in", "pass")
		if b.lock.isReleased() {
			t.Error("a pass opens twice")
		}
		b.scan("out", "anything")
		if !b.lock.isReleased() {
			t.Error("no way out by a code")
		}
		if want := []string{"bad_code", "granted", "replayed", "exit"}; !slices.Equal(b.reasons(), want) {
			t.Errorf("entries %q, want %q", b.reasons(), want)
		}
		s.wants(t, "in denied", "in denied")
	})
}

// judge refuses all codes but one, for which another door is faster.
type judge struct{ judged int }

func (j *judge) Decide(c device.Code, _ string, _ access.Time) door.Pass {
	j.judged++
	if c.Text() == "pass" {
		return door.Pass{Reason: wire.ReasonGranted, Who: wire.Who{Tenancy: &wire.ID{8}}}
	}
	return door.Pass{Reason: wire.ReasonBadCode}
}

func (j *judge) Use(door.Pass) bool { return false }

// TestPassUsedElsewhere: a pass that another door took in between opens nothing.
func TestPassUsedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(_ *door.Config, p *door.Parts) { p.Passes = &judge{} })
		b.scan("in", "pass")
		if b.lock.isReleased() || !slices.Equal(b.reasons(), []string{"replayed"}) {
			t.Errorf("released %t, entries %q", b.lock.isReleased(), b.reasons())
		}
	})
}

// TestCodeFlood: however codes that are none are sent, ten a second are looked at.
func TestCodeFlood(t *testing.T) {
	for name, pause := range map[string]func(i int) time.Duration{
		"steady":         func(int) time.Duration { return 4 * time.Millisecond },
		"each once more": func(i int) time.Duration { return time.Duration(i%2) * 8 * time.Millisecond },
		"in bursts": func(i int) time.Duration {
			if i%10 == 9 {
				return 110 * time.Millisecond
			}
			return time.Millisecond
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &judge{}
				b := start(t, func(_ *door.Config, p *door.Parts) { p.Passes = j })
				begun := time.Now()
				for i := 0; time.Since(begun) < 10*time.Second; i++ {
					text := strconv.Itoa(i)
					if name == "each once more" {
						text = strconv.Itoa(i / 2)
					}
					b.code("in", text)
					time.Sleep(pause(i))
				}
				if j.judged < 90 || j.judged > 110 {
					t.Errorf("%d codes judged in 10 s, want 10 a second", j.judged)
				}
				time.Sleep(time.Second)
				was := j.judged
				if b.code("in", "pass"); j.judged != was+1 {
					t.Error("a pass after the flood is not looked at")
				}
			})
		})
	}
}

// guests takes every code that a scanner reads for one of this gateway.
type guests struct{ codes }

func (*guests) Scanned(read device.Code) (device.PIN, bool) {
	digits, ok := strings.CutPrefix(read.Text(), "guest ")
	if !ok {
		return device.PIN{}, false
	}
	return device.NewPIN(digits)
}

// TestGuestScanned: a guest's code before a scanner is looked at beside the loop as one that
// is typed; another text is a pass or nothing; on the way out the door is open already; a
// flood of them makes no queue, and a card goes on opening.
func TestGuestScanned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g := &shown{}, &guests{}
		b := start(t, func(cfg *door.Config, p *door.Parts) {
			p.Codes, p.Passes, p.Show = g, &passes{}, s.show
		})
		wants := func(what string, opens bool, reasons ...string) {
			t.Helper()
			time.Sleep(1100 * time.Millisecond)
			synctest.Wait()
			if !slices.Equal(b.reasons(), reasons) || b.lock.isReleased() != opens {
				t.Fatalf("%s: %q, released %t", what, b.reasons(), b.lock.isReleased())
			}
			time.Sleep(time.Minute + time.Second)
		}
		b.code("in", "guest 1234567890")
		if b.lock.isReleased() {
			t.Error("it opens before it was checked")
		}
		wants("a guest", true, "granted")
		b.code("in", "pass")
		wants("a pass", true, "granted", "granted")
		for n := range 1000 {
			b.code("in", "guest "+strconv.Itoa(2_000_000_000+n))
		}
		b.swipe("in", known)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if !b.lock.isReleased() {
			t.Error("a card waits for codes")
		}
		if b.code("out", "guest 1234567890"); g.opened != 1 {
			t.Error("a code is used up by whoever leaves")
		}
		time.Sleep(time.Minute)
	})
}
