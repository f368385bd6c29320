package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/desk"
	"gatehouse/internal/door"
	"gatehouse/internal/journal"
	"gatehouse/sync/wire"
)

// Patterns of a signal: on and off in turn, beginning with on.
var (
	signalGranted = []time.Duration{short}
	signalDenied  = []time.Duration{short, short, short, short, short}
	signalNotice  = []time.Duration{long, short, short, short, long}
)

const (
	short = 120 * time.Millisecond
	long  = 600 * time.Millisecond
)

// signal tells people at a door what became of their card, by a buzzer or a
// lamp. It is beside the door's path: one that can't be driven, or that is busy,
// changes nothing else.
type signal struct {
	cfg  device.OutputConfig
	open func(device.OutputConfig) (device.Output, error)
	log  zerolog.Logger
	next chan []time.Duration
}

func newSignal(cfg device.OutputConfig, open func(device.OutputConfig) (device.Output, error), log zerolog.Logger) *signal {
	return &signal{cfg: cfg, open: open, log: log, next: make(chan []time.Duration, 1)}
}

// give plays a pattern; one may wait, what comes beyond is left out. A nil signal gives
// none.
func (s *signal) give(pattern []time.Duration) {
	if s == nil {
		return
	}
	select {
	case s.next <- pattern:
	default:
	}
}

// run plays until ctx ends, and leaves the line without current.
func (s *signal) run(ctx context.Context) {
	var out device.Output
	for ctx.Err() == nil {
		if out == nil {
			var err error
			if out, err = s.open(s.cfg); err != nil {
				s.log.Warn().Err(err).Str("signal", s.cfg.Consumer).Msg("signal can't be had; it is tried again")
				out = nil
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryMost): // where the line could not be had
		case pattern := <-s.next:
			if out != nil && s.play(ctx, out, pattern) != nil {
				_ = out.Close() // ask for the line anew
				out = nil
			}
		}
	}
	if out != nil {
		_ = errors.Join(out.Set(false), out.Close()) // nobody is left to tell
	}
}

func (s *signal) play(ctx context.Context, out device.Output, pattern []time.Duration) error {
	for i, d := range pattern {
		if err := out.Set(i%2 == 0); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
	return out.Set(false)
}

// teller is the journal as one door sees it: the desk hears of every card, and
// the signal of what the tenant should know.
type teller struct {
	journal *journal.Journal
	desk    *desk.Desk
	signal  *signal // nil: none
}

func (t teller) Append(ctx context.Context, h wire.Header, who wire.Who) (wire.Ref, error) {
	ref, err := t.journal.Append(ctx, h, who)
	t.tell(h, who, ref, !errors.Is(err, journal.ErrDropped))
	return ref, err
}

func (t teller) Queue(h wire.Header, who wire.Who) wire.Ref {
	ref := t.journal.Queue(h, who)
	t.tell(h, who, ref, true)
	return ref
}

// tell gives the signal of a grant. The entry that a tenant was told of a notice
// names the signal as its source; without one it says that the card was seen
// while the notice ran.
func (t teller) tell(h wire.Header, who wire.Who, ref wire.Ref, recorded bool) {
	if h.Kind != wire.KindAccess || h.Reason != wire.ReasonGranted {
		return
	}
	source := ""
	if t.signal != nil {
		source = "signal"
	}
	pattern := signalGranted
	if who.Tenancy != nil && t.desk.OnNotice(*who.Tenancy) {
		pattern = signalNotice
	}
	t.signal.give(pattern)
	if recorded {
		h.Source = source
		t.desk.Saw(h, who, ref)
	}
}

// watch hands a door's cards to who waits for them, and signals a denial at
// each presentation, of which the log keeps the first of a minute.
func (g *Gateway) watch(d *servedDoor) func(door.Seen) bool {
	out := map[string]bool{}
	for _, r := range d.cfg.Readers {
		out[r.ID] = r.Direction == "out"
	}
	return func(s door.Seen) bool {
		taken := g.swipes.watch(s)
		if !taken && !s.Held && !out[s.Reader] && s.Reason != wire.ReasonGranted {
			d.signal.give(signalDenied)
		}
		return taken
	}
}

// makeSignal prepares a door's signal, if it has one.
func (g *Gateway) makeSignal(d *servedDoor) {
	c := d.cfg.Signal
	if c == nil {
		return
	}
	d.signal = newSignal(device.OutputConfig{Chip: c.Chip, Offset: *c.Line, ActiveLow: c.Active == "low",
		Consumer: "gatehouse-" + d.cfg.ID + "-signal"}, g.o.Hardware.Output, g.o.Log)
	d.run = append(d.run, d.signal.run)
}
