package osdp

import (
	"context"
	"slices"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/internal/backoff"
)

const (
	minBackoff = 250 * time.Millisecond // until the port is opened again
	maxBackoff = 10 * time.Second
	probeEvery = time.Second            // for a reader that is absent
	probeShare = 4                      // a fraction of the line's time is for absent readers, while others are there
	mostSleep  = 250 * time.Millisecond // between two checks of windows and waiting events
)

// Bus is the panel of one RS-485 line.
type Bus struct {
	cfg      BusConfig
	open     func() (device.Port, error)
	contacts []*contact
	wake     chan struct{}
	timer    *time.Timer

	line    line
	opened  time.Time
	probing time.Time // absent readers are not probed before this time
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
		b.contacts = append(b.contacts, newContact(r, c.Log, b.wake))
	}
	return b
}

// Readers returns the readers in the order of the configuration.
func (b *Bus) Readers() (all []*Reader) {
	for _, c := range b.contacts {
		all = append(all, c.reader)
	}
	return all
}

// Run polls until ctx ends and returns ctx.Err(); for a wrong configuration it
// returns an error at once. A port that can't be opened is tried again after
// 250 ms, then ever longer up to 10 s. It never waits for room in a channel of
// events: a card that found none within two seconds becomes FaultStale. For one
// goroutine, once.
func (b *Bus) Run(ctx context.Context) error {
	if err := b.cfg.Validate(); err != nil {
		return err
	}
	b.timer = time.NewTimer(0)
	defer b.timer.Stop()
	for retry := backoff.New(minBackoff, maxBackoff); ; {
		err := device.Use(ctx, b.open, b.session)
		if ctx.Err() != nil {
			for _, c := range b.contacts {
				c.reader.requests.configured(ErrOffline)
			}
			return ctx.Err()
		}
		now := time.Now()
		if !b.opened.IsZero() && now.Sub(b.opened) >= settled {
			retry.Reset()
		}
		b.failed(err, now)
		b.opened = time.Time{}
		for end := now.Add(retry.Next()); ctx.Err() == nil && time.Now().Before(end); {
			b.sleep(ctx, min(mostSleep, time.Until(end)))
			b.keep(time.Now())
		}
	}
}

// session polls over the open port until it fails or ctx ends.
func (b *Bus) session(ctx context.Context, port device.Port) error {
	b.opened = time.Now()
	b.line.port = port
	for _, c := range b.contacts {
		c.reset()
		c.due = b.opened
	}
	for ctx.Err() == nil {
		now := time.Now()
		b.keep(now)
		c, due := b.next(now)
		if due.After(now) {
			b.sleep(ctx, min(mostSleep, due.Sub(now)))
			continue
		}
		if err := b.turn(c, now); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// keep handles timeouts of each reader.
func (b *Bus) keep(now time.Time) {
	for _, c := range b.contacts {
		c.keep(now)
	}
}

// next returns the reader whose turn comes first, and when.
func (b *Bus) next(now time.Time) (first *contact, due time.Time) {
	for _, c := range b.contacts {
		at := c.due
		switch {
		case c.presence.doubtful():
			if at.Before(b.probing) {
				at = b.probing
			}
		case at.After(now) && c.urgent():
			at = now
		}
		if first == nil || at.Before(due) {
			first, due = c, at
		}
	}
	return first, due
}

// turn sends one command to a reader and takes its answer.
func (b *Bus) turn(c *contact, now time.Time) error {
	c.due = now.Add(b.cfg.Poll)
	if !c.prepare(now) {
		return nil
	}
	got, f, err := b.line.exchange(&c.link.pending, c.presence.timeout(b.anybody()))
	if code := device.PortFault(err); code != fault.None {
		b.disturbed(code, err, now)
	} else if err != nil {
		return err
	}
	cost := time.Since(now)
	now = now.Add(cost)
	switch got {
	case answered:
		c.answer(f, now)
	case busy:
		c.busy(now)
	default:
		b.silent(c, got, now, cost)
	}
	return nil
}

// disturbed reports to all doors what another program does to the port, which stays in use: the
// command is repeated.
func (b *Bus) disturbed(code fault.Code, err error, now time.Time) {
	b.cfg.Log.Warn().Err(err).Msg("another program at the port of the OSDP bus")
	for _, c := range b.contacts {
		c.events.fault(code, busFaults, now)
	}
}

// anybody reports whether any reader can be used.
func (b *Bus) anybody() bool {
	return slices.ContainsFunc(b.contacts, func(c *contact) bool { return c.presence.standing == online && c.presence.missed == 0 })
}

// silent handles a turn without answer. The first repetitions come at once, in the next rounds; all
// others, of all readers together, share a fifth of the line's time.
func (b *Bus) silent(c *contact, got answer, now time.Time, cost time.Duration) {
	p := &c.presence
	c.due = now.Add(time.Duration(min(p.missed, 10)) * noiseGap)
	c.unanswered(got, now)
	if p.absent && c.due.Before(now.Add(probeEvery)) {
		c.due = now.Add(probeEvery)
	}
	if p.doubtful() && b.anybody() {
		b.probing = now.Add(probeShare * cost)
	}
}

// sleep waits for a request, at most for d.
func (b *Bus) sleep(ctx context.Context, d time.Duration) {
	b.timer.Reset(d)
	select {
	case <-b.timer.C:
	case <-b.wake:
	case <-ctx.Done():
	}
}

func (b *Bus) failed(err error, now time.Time) {
	code := device.CauseOf(err, !b.opened.IsZero())
	for _, c := range b.contacts {
		c.portGone(code, now)
	}
	b.cfg.Log.Warn().Err(err).Msg("OSDP bus has no port")
}
