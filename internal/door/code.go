package door

import (
	"context"
	"crypto/sha256"
	"sync/atomic"
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

// codes decides on scanned codes, and on those of this gateway. For one goroutine.
type codes struct {
	door   string
	own    Codes // of this gateway
	passes Passes
	clock  func() access.Time
	last   scan
	since  time.Time // start of the current second
	failed int       // codes in it that opened nothing

	looking atomic.Int32 // codes of this gateway that are being judged
}

// mostRefused limits the judged codes a second that open nothing: a signature takes milliseconds on
// a small board, and an exit button waits for as long.
const mostRefused = 10

// mostLooking is how many codes of this gateway a door has looked at together: each takes a
// tenth of a second on a small board, and whoever floods a scanner makes no queue of them.
const mostLooking = 4

// open decides beside the loop on a code that opens without a card; false: too many are
// looked at already.
func (c *codes) open(ctx context.Context, b *beside, to records, reader Reader, typed device.PIN) bool {
	if c.looking.Add(1) > mostLooking {
		c.looking.Add(-1)
		return false
	}
	b.running.Go(func() {
		defer c.looking.Add(-1)
		m := admission{head: denied(reader, 0), a: c.own.Open(c.door, reader.ID, typed, c.clock())}
		select {
		case b.decided <- m:
		case <-ctx.Done():
			to.undone(m)
		}
	})
	return true
}

// code decides on a scanned code: a guest's of this gateway, or a pass that lets its tenancy
// in, once.
func (d *Door) code(ctx context.Context, e device.Event) {
	reader, ok := d.atReader(ctx, e)
	if !ok || d.codes.repeated(e, d.cfg.Hold) {
		return
	}
	if d.codes.own != nil && reader.Direction != wire.DirectionOut {
		if typed, is := d.codes.own.Scanned(e.Code); is {
			if !d.codes.open(ctx, &d.beside, d.records, reader, typed) {
				d.deny(denied(reader, wire.ReasonBadCode), wire.Who{})
			}
			return
		}
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
		d.grant(d.cfg.granting(head, pass.Who, pass.Doubtful))
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
