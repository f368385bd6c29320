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
	burst  int // codes that were none within a second, without this one
}

// mostCodes is how many codes a second are judged once one of them was none: a
// signature takes milliseconds on a small board, in which an exit button waits.
const mostCodes = 10

// code decides on a scanned code: a pass lets its tenancy in, once.
func (d *Door) code(ctx context.Context, e device.Event) {
	reader, ok := d.atReader(ctx, e)
	if !ok {
		return
	}
	last := d.scanned
	d.scanned = scan{reader: e.Source, sum: sha256.Sum256([]byte(e.Code.Text())), at: time.Now()}
	away := d.scanned.at.Sub(last.at)
	if last.reader == e.Source && last.sum == d.scanned.sum && away < d.cfg.Hold {
		return
	}
	if away < time.Second/mostCodes {
		d.scanned.burst = last.burst + 1
	}
	pass := Pass{Reason: wire.ReasonBadCode}
	switch {
	case d.p.Passes == nil:
		pass.Reason = wire.ReasonNotReady
	case d.scanned.burst < mostCodes:
		pass = d.p.Passes.Decide(e.Code, d.cfg.ID, d.p.Clock())
	}
	head := d.denied(reader, pass.Reason)
	switch {
	case reader.Direction == wire.DirectionOut:
		d.left(head, pass.Who)
	case pass.Reason == wire.ReasonGranted && !d.p.Passes.Use(pass):
		head.Reason = wire.ReasonReplayed // another door was faster
		d.deny(head, pass.Who)
	case pass.Reason == wire.ReasonGranted:
		head.Detail = pass.ID[:] // after a restart the log tells which passes are used
		d.grant(ctx, head, pass.Who)
	default:
		d.deny(head, pass.Who)
	}
}
