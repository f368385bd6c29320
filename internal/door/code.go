package door

import (
	"context"
	"crypto/sha256"
	"time"

	"gatehouse/device"
	"gatehouse/sync/wire"
)

// scan is the last code at a reader, by its hash: scanners repeat what is held
// before them.
type scan struct {
	reader string
	sum    [sha256.Size]byte
	at     time.Time
}

// refusals counts codes that opened nothing.
type refusals struct {
	since time.Time
	n     int
}

// mostRefused is how many codes a second are judged that open nothing: a
// signature takes milliseconds on a small board, in which an exit button waits.
const mostRefused = 10

// code decides on a scanned code: a pass lets its tenancy in, once.
func (d *Door) code(ctx context.Context, e device.Event) {
	reader, ok := d.atReader(ctx, e)
	if !ok {
		return
	}
	last := d.scanned
	d.scanned = scan{reader: e.Source, sum: sha256.Sum256([]byte(e.Code.Text())), at: time.Now()}
	if last.reader == e.Source && last.sum == d.scanned.sum && d.scanned.at.Sub(last.at) < d.cfg.Hold {
		return
	}
	pass := d.judge(e.Code)
	head := d.denied(reader, pass.Reason)
	switch {
	case reader.Direction == wire.DirectionOut:
		d.left(head, pass.Who)
	case pass.Reason == wire.ReasonGranted && !d.p.Passes.Use(pass):
		head.Reason = wire.ReasonReplayed // another door was faster
		d.deny(head, pass.Who)
	case pass.Reason == wire.ReasonGranted:
		head.Detail = pass.ID[:] // after a restart the log tells which passes are used
		d.grant(ctx, head, pass.Who, pass.Doubtful)
	default:
		d.deny(head, pass.Who)
	}
}

// judge decides on a code, unless too many of this second were none.
func (d *Door) judge(c device.Code) Pass {
	if time.Since(d.refused.since) >= time.Second {
		d.refused = refusals{since: time.Now()}
	}
	switch {
	case d.p.Passes == nil:
		return Pass{Reason: wire.ReasonNotReady}
	case d.refused.n == mostRefused:
		return Pass{Reason: wire.ReasonBadCode}
	}
	pass := d.p.Passes.Decide(c, d.cfg.ID, d.p.Clock())
	if pass.Reason != wire.ReasonGranted {
		d.refused.n++
	}
	return pass
}
