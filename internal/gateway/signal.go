package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/desk"
	"gatehouse/internal/journal"
	"gatehouse/sync/wire"
)

// pattern is a sequence of on and off times, beginning with on.
type pattern []time.Duration

// Patterns of a buzzer, and of a lamp that is dark while the door is secured.
var (
	beeps = map[device.Feedback]pattern{
		device.FeedbackGranted:  {short},
		device.FeedbackDenied:   {short, short, short, short, short},
		device.FeedbackEnterPIN: {short, short, short},
		device.FeedbackHeld:     {long, long, long, long, long},
		device.FeedbackNotice:   {long, short, short, short, long},
	}
	lights = map[device.Feedback]pattern{
		device.FeedbackGranted:  {5 * long},
		device.FeedbackDenied:   {short, short, short, short, short},
		device.FeedbackEnterPIN: blinks(pinLight, 2*short),
		device.FeedbackHeld:     blinks(heldLight, long),
		device.FeedbackNotice:   {5 * long, short, short, short, long},
	}
)

const (
	short = 120 * time.Millisecond
	long  = 600 * time.Millisecond
	// pinLight and heldLight are the blinks of a lamp: about 10 s and a minute.
	pinLight  = 20
	heldLight = 50
)

func blinks(n int, each time.Duration) (p pattern) {
	for range 2*n - 1 {
		p = append(p, each)
	}
	return p
}

// signal shows people at a door the answer to their card, by a buzzer or a lamp. It works beside
// the door's path: one that can't be driven, or that is busy, changes nothing else.
type signal struct {
	cfg      device.OutputConfig
	patterns map[device.Feedback]pattern
	open     func(device.OutputConfig) (device.Output, error)
	log      zerolog.Logger
	next     chan pattern
}

// Show plays the pattern of a feedback, in place of the current one.
func (s *signal) Show(f device.Feedback) {
	for {
		select {
		case s.next <- s.patterns[f]:
			return
		default:
		}
		select {
		case <-s.next: // the newest counts
		default:
		}
	}
}

// run plays until ctx ends, and leaves the line de-energised.
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
			for pattern != nil && out != nil {
				var err error
				if pattern, err = s.play(ctx, out, pattern); err != nil {
					_ = out.Close() // the line is requested again
					out = nil
				}
			}
		}
	}
	if out != nil {
		_ = errors.Join(out.Set(false), out.Close()) // nobody is left to tell
	}
}

// play plays a pattern, and returns the one that came meanwhile; nil: none.
func (s *signal) play(ctx context.Context, out device.Output, p pattern) (pattern, error) {
	for i, d := range p {
		if err := out.Set(i%2 == 0); err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(d):
		case next := <-s.next:
			if next == nil { // dark
				next = pattern{}
			}
			return next, out.Set(false)
		}
	}
	return nil, out.Set(false)
}

// teller passes the grants of one door to the desk, and to the reader what the tenant should know.
type teller struct {
	desk   *desk.Doors
	show   func(reader string, f device.Feedback)
	told   bool        // the door can show a notice
	tested func() bool // somebody sees that people come in, not who
}

// tell shows a grant. The entry that a tenant was told something has the signal as its source;
// without a signal it says that the card was seen while there was something to tell.
func (t teller) tell(h wire.Header, who wire.Who, ref wire.Ref, err error) {
	f := device.FeedbackGranted
	if t.desk.Tells(who) || t.tested() {
		f = device.FeedbackNotice
	}
	t.show(h.Source, f)
	if h.Source = ""; t.told {
		h.Source = "signal"
	}
	t.desk.Saw(h, who, ref, !errors.Is(err, journal.ErrDropped))
}
