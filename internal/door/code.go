package door

import (
	"context"
	"crypto/sha256"
	"time"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/sync/wire"
)

// scan is the last code at a reader, as a hash: scanners repeat what is held before them.
type scan struct {
	reader string
	sum    [sha256.Size]byte
	at     time.Time
}

// codes decides on scanned codes. For one goroutine.
type codes struct {
	door   string
	passes Passes
	clock  func() access.Time
	last   scan
	since  time.Time // start of the current second
	failed int       // codes in it that opened nothing
}

// mostRefused limits the judged codes a second that open nothing: a signature takes milliseconds on
// a small board, and an exit button waits for as long.
const mostRefused = 10

// code decides on a scanned code: a pass lets its tenancy in, once.
func (d *Door) code(ctx context.Context, e device.Event) {
	reader, ok := d.atReader(ctx, e)
	if !ok || d.codes.repeated(e, d.cfg.Hold) {
		return
	}
	pass := d.codes.judge(e.Code)
	head := denied(reader, pass.Reason)
	switch {
	case reader.Direction == wire.DirectionOut:
		d.records.left(head, pass.Who)
	case pass.Reason == wire.ReasonGranted && !d.p.Passes.Use(pass):
		head.Reason = wire.ReasonReplayed // another door was faster
		d.deny(head, pass.Who)
	case pass.Reason == wire.ReasonGranted:
		head.Detail = pass.ID[:] // after a restart the journal shows which passes are used
		d.grant(ctx, head, pass.Who, pass.Doubtful)
	default:
		d.deny(head, pass.Who)
	}
}

// repeated reports whether the same code was scanned within hold.
func (c *codes) repeated(e device.Event, hold time.Duration) bool {
	last := c.last
	c.last = scan{reader: e.Source, sum: sha256.Sum256([]byte(e.Code.Text())), at: time.Now()}
	return last.reader == c.last.reader && last.sum == c.last.sum && c.last.at.Sub(last.at) < hold
}

// judge decides on a code, unless too many of this second opened nothing.
func (c *codes) judge(code device.Code) Pass {
	if time.Since(c.since) >= time.Second {
		c.since, c.failed = time.Now(), 0
	}
	if c.failed == mostRefused {
		return Pass{Reason: wire.ReasonBadCode}
	}
	pass := c.passes.Decide(code, c.door, c.clock())
	if pass.Reason != wire.ReasonGranted {
		c.failed++
	}
	return pass
}
