package osdp

import (
	"context"
	"errors"
	"os"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/internal/backoff"
)

const (
	minBackoff = 250 * time.Millisecond // until the port is opened again
	maxBackoff = 10 * time.Second
	probeEvery = time.Second            // a reader that is not there
	probeShare = 4                      // of the line's time is for readers that are, when others are not
	atOnce     = 2                      // repetitions for a reader that was there: a late answer spoils the first
	mostSleep  = 250 * time.Millisecond // between two looks at windows and events that wait
)

// Bus is the panel of one RS-485 line.
type Bus struct {
	cfg     BusConfig
	open    func() (device.Port, error)
	readers []*Reader
	wake    chan struct{}
	timer   *time.Timer

	line   line
	opened time.Time
	lull   time.Time // until then nobody who was silent is asked
}

// New makes a Bus that opens its port with open, and again whenever it is missing
// or pulled out. It starts nothing.
func New(c BusConfig, open func() (device.Port, error)) *Bus {
	if c.Poll == 0 {
		c.Poll = defaultPoll
	}
	b := &Bus{cfg: c, open: open, wake: make(chan struct{}, 1)}
	b.line.baud = c.Baud
	for _, r := range c.Readers {
		b.readers = append(b.readers, newReader(r, c.Log, b.wake))
	}
	return b
}

// Readers returns the readers in the order of the configuration.
func (b *Bus) Readers() []*Reader { return b.readers }

// Run polls until ctx ends and returns ctx.Err(); for a wrong configuration it
// returns an error at once. A port that can't be opened is tried again after
// 250 ms, then ever longer up to 10 s. It never waits for room in a channel of
// events: a card that found none within two seconds becomes fault.Stale. For one
// goroutine, once.
func (b *Bus) Run(ctx context.Context) error {
	if err := b.cfg.Validate(); err != nil {
		return err
	}
	b.timer = time.NewTimer(0)
	defer b.timer.Stop()
	for retry := backoff.New(minBackoff, maxBackoff); ; {
		err := b.session(ctx)
		if ctx.Err() != nil {
			b.ended()
			return ctx.Err()
		}
		now := time.Now()
		if !b.opened.IsZero() && now.Sub(b.opened) >= settled {
			retry.Reset()
		}
		b.failed(err, now)
		b.opened = time.Time{}
		for end := now.Add(retry.Next()); ctx.Err() == nil && time.Now().Before(end); {
			b.rest(ctx, min(mostSleep, time.Until(end)))
			b.keep(time.Now())
		}
	}
}

// session opens the port and polls until it fails or ctx ends.
func (b *Bus) session(ctx context.Context) error {
	port, err := b.open()
	if err != nil {
		return err
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		_ = port.Close() // frees the blocked Read
	})
	defer func() {
		if stop() {
			_ = port.Close()
			return
		}
		<-closed
	}()
	b.opened = time.Now()
	b.line.port = port
	for _, r := range b.readers {
		r.reset()
		r.due = b.opened
	}
	for ctx.Err() == nil {
		now := time.Now()
		b.keep(now)
		r, due := b.next(now)
		if due.After(now) {
			b.rest(ctx, min(mostSleep, due.Sub(now)))
			continue
		}
		if err := b.turn(r, now); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// keep looks after windows, events that wait and readers that are gone.
func (b *Bus) keep(now time.Time) {
	for _, r := range b.readers {
		r.gone(now)
		r.watch(now)
		r.out.flush(now)
	}
}

// next returns the reader whose turn comes first, and when.
func (b *Bus) next(now time.Time) (first *Reader, due time.Time) {
	for _, r := range b.readers {
		at := r.due
		switch {
		case r.absent || r.missed > atOnce:
			if at.Before(b.lull) {
				at = b.lull
			}
		case r.presence == here && at.After(now) && r.urgent():
			at = now
		}
		if first == nil || at.Before(due) {
			first, due = r, at
		}
	}
	return first, due
}

// urgent says that somebody asked for something.
func (r *Reader) urgent() bool {
	if r.link.waiting() || r.errands >= mostErrands || r.step != stepRun {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked.showLasting || r.asked.showPassing || r.asked.configure != nil || r.asked.rekey || r.show.next < 2+len(r.show.what.Text) {
		return true
	}
	for i := range r.asked.outputs {
		if r.asked.outputs[i].due {
			return true
		}
	}
	return false
}

// turn sends one command to a reader and takes its answer.
func (b *Bus) turn(r *Reader, now time.Time) error {
	r.due = now.Add(b.cfg.Poll)
	if !r.prepare(now) {
		return nil
	}
	got, f, err := b.line.exchange(r.link.command(), b.patience(r))
	if found := device.PortFault(err); found != fault.None {
		b.disturbed(found, err, now)
	} else if err != nil {
		return err
	}
	cost := time.Since(now)
	now = now.Add(cost)
	switch got {
	case answered:
		r.answer(f, now)
	case busy:
		r.later(now)
	default:
		b.silent(r, got, now, cost)
	}
	return nil
}

// disturbed tells all doors what another program does to the port, which goes on:
// the command is repeated.
func (b *Bus) disturbed(found fault.Code, err error, now time.Time) {
	b.cfg.Log.Warn().Err(err).Msg("another program at the port of the OSDP bus")
	for _, r := range b.readers {
		r.fault(found, busFaults, now)
	}
}

// patience is how long a reader may take. One that is not there costs those who
// are as little as possible; every fourth time it gets all the same what the
// standard gives it.
func (b *Bus) patience(r *Reader) time.Duration {
	if !r.absent || !b.anybody() {
		return replyTime
	}
	r.probes++
	if r.probes%4 == 0 {
		return replyTime
	}
	return probeTime
}

// anybody says that some reader can be used.
func (b *Bus) anybody() bool {
	for _, r := range b.readers {
		if r.presence == here && r.missed == 0 {
			return true
		}
	}
	return false
}

// silent is a turn without answer. The first repetitions come at once, in the next
// rounds; all others, of all readers together, have a fifth of the line's time.
func (b *Bus) silent(r *Reader, got answer, now time.Time, cost time.Duration) {
	r.due = now.Add(time.Duration(min(r.missed, 10)) * noiseGap)
	r.unanswered(got, now)
	if r.absent && r.due.Before(now.Add(probeEvery)) {
		r.due = now.Add(probeEvery)
	}
	if (r.absent || r.missed > atOnce) && b.anybody() {
		b.lull = now.Add(probeShare * cost)
	}
}

// rest sleeps until something is asked for.
func (b *Bus) rest(ctx context.Context, d time.Duration) {
	b.timer.Reset(d)
	select {
	case <-b.timer.C:
	case <-b.wake:
	case <-ctx.Done():
	}
}

// failed tells all doors that the port is gone.
func (b *Bus) failed(err error, now time.Time) {
	found := fault.IO
	switch unplugged := errors.Is(err, device.ErrUnplugged); {
	case unplugged && !b.opened.IsZero():
		found = fault.Unplugged
	case unplugged, errors.Is(err, os.ErrNotExist):
		found = fault.Missing
	case errors.Is(err, device.ErrPortBusy):
		found = fault.PortBusy
	}
	for _, r := range b.readers {
		if r.presence != away || r.cause != fault.Unplugged || found != fault.Missing {
			r.goAway(found, now)
		}
		r.forget()
		r.missed = 0
	}
	b.cfg.Log.Warn().Err(err).Msg("OSDP bus has no port")
}

// ended answers whoever still waits.
func (b *Bus) ended() {
	for _, r := range b.readers {
		r.endSetting(ErrOffline)
	}
}
