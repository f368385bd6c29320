package server

import (
	"context"
	"encoding/json"
	"errors"
	"gatehouse/internal/control/server/takeover"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/amount"
	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/durable"
	"gatehouse/internal/gateway"
	"gatehouse/internal/journal"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// testsPerDay is how long a door may be tested within a day: enough to install it, too little to
// watch it.
const testsPerDay = time.Hour

// doorTests limits the tests of doors; its file keeps the day over a restart.
type doorTests struct {
	path string
	own  func() time.Duration // the gateway's own clock, which goes on over a restart and which nobody can set
	log  zerolog.Logger

	mu      sync.Mutex
	running map[string]bool // by door
	past    []testSpan
}

// testSpan is the time of one test.
type testSpan struct {
	Door  string        `json:"door"`
	Began time.Duration `json:"began_ns"` // of the own clock
	Took  time.Duration `json:"took_ns"`  // while it runs, what it may take
}

// newDoorTests continues from a file. An unreadable file counts as a day in which all doors were
// tested for as long as they may.
func newDoorTests(path string, own func() time.Duration, doors []string, log zerolog.Logger) *doorTests {
	t := &doorTests{path: path, own: own, log: log, running: make(map[string]bool)}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return t
	}
	if err == nil {
		err = json.Unmarshal(b, &t.past)
	}
	if err != nil {
		log.Error().Err(err).Str("file", path).Msg("which doors were tested today can't be read: none is tested for a day")
		t.past = nil
		for _, d := range doors {
			t.past = append(t.past, testSpan{d, own(), testsPerDay})
		}
		if err := t.save(); err != nil {
			log.Error().Err(err).Msg("that day begins anew with each start")
		}
	}
	return t
}

// begin allows a test of some length, or says why not. The returned function ends it.
func (t *doorTests) begin(door string, length time.Duration) (end func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.own()
	t.past = slices.DeleteFunc(t.past, func(s testSpan) bool { return now-s.Began > 24*time.Hour })
	total := length
	for _, s := range t.past {
		if s.Door == door {
			total += s.Took
		}
	}
	switch {
	case t.running[door]:
		return nil, socket.Refused(http.StatusConflict, "wait until it ends", "this door is being tested already")
	case total > testsPerDay:
		return nil, socket.Refused(http.StatusTooManyRequests, "try again tomorrow; faults are in gatehouse log at all times",
			"this door has been tested for long enough today: a test is no way to watch a door (refusal N7)")
	}
	t.past = append(t.past, testSpan{door, now, length})
	if err := t.save(); err != nil {
		t.past = t.past[:len(t.past)-1]
		return nil, socket.Refused(http.StatusServiceUnavailable, "gatehouse status tells whether the disk is well", "a test that is not written down is none: %v", err)
	}
	t.running[door] = true
	return func() { t.ended(door, now) }, nil
}

// ended notes the length of a test.
func (t *doorTests) ended(door string, began time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, door)
	for i := range t.past {
		if s := &t.past[i]; s.Door == door && s.Began == began {
			s.Took = min(t.own()-began, s.Took)
		}
	}
	if err := t.save(); err != nil {
		t.log.Error().Err(err).Msg("a door's test counts in full after a start")
	}
}

// save writes the file. The caller holds mu.
func (t *doorTests) save() error {
	b, err := json.Marshal(t.past)
	if err == nil {
		err = durable.WriteFile(t.path, b, 0o600)
	}
	return err
}

// doorTest shows the events at a door while it is tested.
type doorTest struct {
	logs
	tests *doorTests
}

// run tests a door while do runs, which gets the place in the journal where the test begins. The
// test begins and ends with an entry, and everybody who comes in meanwhile is told at the reader.
func (g doorTest) run(ctx context.Context, d *gateway.Door, length time.Duration, do func(context.Context, journal.Position)) error {
	end, err := g.tests.begin(d.Config.ID, length)
	if err != nil {
		return err
	}
	defer end()
	d.SetTested(true)
	defer d.SetTested(false)
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	head := wire.Header{Kind: wire.KindCommand, Outcome: wire.OutcomeActive, Reason: wire.ReasonDoorTest, Door: d.Config.ID, Source: caller.Of(ctx).String()}
	from := g.Journal.Status().Position
	if _, err := g.Journal.Append(ctx, head, wire.Who{}); err != nil {
		return socket.Refused(http.StatusServiceUnavailable, "gatehouse status tells whether the disk is well", "a test that is not journaled is none: %v", err)
	}
	head.Outcome = wire.OutcomeIdle
	defer g.Journal.Queue(head, wire.Who{})
	d.Show("", device.FeedbackNotice)
	do(ctx, from)
	return nil
}

// streamTest writes the events at a door while the test runs.
func (g doorTest) streamTest(w http.ResponseWriter, r *http.Request, in control.DoorTest) error {
	d, err := doorOf(g.Gateway, r.PathValue("door"))
	if err != nil {
		return err
	}
	if in.Minutes < 1 || in.Minutes > control.MostTest {
		return socket.Refused(http.StatusUnprocessableEntity, "1 to 15 minutes", "a test of %s", amount.Of(in.Minutes, "minute"))
	}
	if err := takeover.Refuse(g.Gateway); err != nil {
		return err
	}
	return g.run(r.Context(), d, time.Duration(in.Minutes)*time.Minute, func(ctx context.Context, from journal.Position) {
		started := false
		g.stream(ctx, w, from, true, func(h wire.Header) bool {
			started = started || h.Kind == wire.KindCommand && h.Reason == wire.ReasonDoorTest
			return started && h.Door == d.Config.ID && passageKinds[h.Kind]
		})
	})
}
