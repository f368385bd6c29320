package pass_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/door"
	"gatehouse/internal/pass"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// page keeps the decisions of a door, and how often its lock was released.
type page struct {
	mu       sync.Mutex
	reasons  []string
	whose    []wire.ID
	released int
}

func (p *page) Record(h wire.Header, w wire.Who, written chan<- journaled.Written) (wire.Ref, error) {
	ref := p.Queue(h, w)
	written <- journaled.Written{Ref: ref}
	return ref, nil
}

func (p *page) Late(wire.Ref) bool { return false }

func (p *page) Queue(h wire.Header, w wire.Who) wire.Ref {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.Kind == wire.KindAccess {
		p.reasons = append(p.reasons, h.Reason.String())
		if w.Tenancy != nil {
			p.whose = append(p.whose, *w.Tenancy)
		}
	}
	return wire.Ref{Boot: 1}
}

func (p *page) Release() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.released++
	return nil
}

func (p *page) Secure() error { return nil }

// strangers is a keyring for a door at which no card is shown.
type strangers struct{ door.Keys }

func (strangers) Grants() *access.Grants { return nil }

// TestAtADoor: a phone that is held before the scanner lets in once and is one
// entry; shown again later it is a replay, with the tenant's name in the log and
// no release; without a trusted clock it opens nothing.
func TestAtADoor(t *testing.T) {
	h := newHouse(t, 3)
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().Unix()
		begun := time.Now()
		doubt := int64(0)
		p, events := &page{}, make(chan device.Event)
		clock := func() access.Time {
			t := access.At(now + int64(time.Since(begun)/time.Second))
			t.Hi += doubt
			return t
		}
		d := door.New(door.Config{ID: "front", Rules: door.Rules{ReleaseTime: 3 * time.Second}, Budget: time.Second, Hold: 1500 * time.Millisecond,
			Readers: []door.Reader{{ID: "scanner", Direction: wire.DirectionIn}}},
			door.Parts{Lock: p, Recorder: p, Keys: strangers{}, Clock: clock, Events: events, Passes: pass.New(h.keys), Log: zerolog.Nop(),
				Watch: func(door.Seen) bool { return false }, Typed: func(door.Typed) bool { return false }, Show: func(string, device.Feedback) {}, Granted: func(wire.Header, wire.Who, wire.Ref, error) {}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		scan := func(code device.Code) {
			events <- device.Event{Kind: device.CodeRead, Source: "scanner", Code: code}
			synctest.Wait()
		}
		wants := func(what string, released int, reasons ...string) {
			t.Helper()
			p.mu.Lock()
			defer p.mu.Unlock()
			if !slices.Equal(p.reasons, reasons) || p.released != released {
				t.Fatalf("%s: %q, released %d times; want %q, %d", what, p.reasons, p.released, reasons, released)
			}
		}
		time.Sleep(2 * time.Minute) // the minute after the start, in which nobody knows what was used
		code := h.pass(t, 1, h.whose[1], clock().Lo)
		for range 10 {
			scan(code)
			time.Sleep(300 * time.Millisecond)
		}
		wants("held", 1, "granted")
		time.Sleep(10 * time.Second)
		scan(code)
		wants("shown again", 1, "granted", "replayed")
		doubt = 3600
		scan(h.pass(t, 2, h.whose[2], clock().Lo))
		wants("no clock", 1, "granted", "replayed", "clock_untrusted")
		if !slices.Equal(p.whose, []wire.ID{h.whose[1], h.whose[1], h.whose[2]}) {
			t.Errorf("names %v", p.whose)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
