package gateway

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/internal/control"
	"gatehouse/internal/journal"
	"gatehouse/sync/wire"
)

// testsPerDay is for how long a door may be tested within a day: what an
// installer needs, and no way to watch a door.
const testsPerDay = time.Hour

// doorTest bounds the tests of one door.
type doorTest struct {
	mu      sync.Mutex
	running bool
	past    []testSpan
}

// testSpan is one test, by the monotonic clock.
type testSpan struct {
	began time.Time
	took  time.Duration
}

// begin allows a test of so long, or returns why not. The returned function ends it.
func (t *doorTest) begin(length time.Duration, now time.Time) (end func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.past = slices.DeleteFunc(t.past, func(s testSpan) bool { return now.Sub(s.began) > 24*time.Hour })
	total := length
	for _, s := range t.past {
		total += s.took
	}
	switch {
	case t.running:
		return nil, fail(http.StatusConflict, "wait until it ends", "this door is being tested already")
	case total > testsPerDay:
		return nil, fail(http.StatusTooManyRequests, "try again tomorrow; faults are in gatehouse log at all times",
			"this door has been tested for long enough today: a test is no way to watch a door (refusal N7)")
	}
	t.running, t.past = true, append(t.past, testSpan{now, length})
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.running = false
		t.past[len(t.past)-1].took = time.Since(now)
	}, nil
}

func (t *doorTest) runs() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.running
}

// streamTest writes what happens at a door while the test runs. It begins and ends
// with an entry, and whoever comes in meanwhile is told at the reader.
func (g *Gateway) streamTest(w http.ResponseWriter, r *http.Request) {
	d, err := g.door(r.PathValue("door"))
	if err != nil {
		writeError(w, err)
		return
	}
	in, err := read[control.DoorTest](r)
	if err == nil && (in.Minutes < 1 || in.Minutes > control.MostTest) {
		err = fail(http.StatusUnprocessableEntity, "1 to 15 minutes", "a test of %d minutes", in.Minutes)
	}
	if err != nil {
		writeError(w, err)
		return
	}
	length := time.Duration(in.Minutes) * time.Minute
	end, err := d.test.begin(length, time.Now())
	if err != nil {
		writeError(w, err)
		return
	}
	defer end()
	ctx, cancel := context.WithTimeout(r.Context(), length)
	defer cancel()
	head := wire.Header{Kind: wire.KindCommand, Outcome: wire.OutcomeActive, Reason: wire.ReasonDoorTest, Door: d.cfg.ID}
	from := g.journal.Status().Position
	if _, err := g.journal.Append(ctx, head, wire.Who{}); err != nil {
		writeError(w, fail(http.StatusServiceUnavailable, "gatehouse status tells whether the disk is well", "a test that is not journaled is none: %v", err))
		return
	}
	head.Outcome = wire.OutcomeIdle
	defer g.journal.Queue(head, wire.Who{})
	d.show("", device.FeedbackNotice)
	started := false
	g.stream(ctx, w, from, true, func(h wire.Header) bool {
		started = started || h.Kind == wire.KindCommand && h.Reason == wire.ReasonDoorTest
		return started && h.Door == d.cfg.ID && passageKinds[h.Kind]
	})
}

// stream writes the entries that a view shows as one JSON object a line, from a
// place in the journal on, with follow until ctx ends.
func (g *Gateway) stream(ctx context.Context, w http.ResponseWriter, at journal.Position, follow bool, shows func(wire.Header) bool) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := newLines(w, g.zone())
	for {
		changed := g.journal.Changed()
		entries, next, err := g.journal.Entries(ctx, at, logBatch)
		list, bad := pick(entries, shows)
		if bad != nil || out.write(list) != nil {
			panic(http.ErrAbortHandler) // half a log must not look like a whole one
		}
		at = next
		if err != nil && ctx.Err() == nil {
			g.o.Log.Error().Err(err).Msg("log can't be read")
			panic(http.ErrAbortHandler)
		}
		if err != nil || len(entries) == 0 && !follow {
			return
		}
		if len(entries) > 0 {
			continue
		}
		out.flush()
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}
