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

// code decides on a scanned code: a pass lets its tenancy in, once.
func (d *Door) code(ctx context.Context, e device.Event) {
	reader, ok := d.atReader(ctx, e)
	if !ok {
		return
	}
	last := d.scanned
	d.scanned = scan{e.Source, sha256.Sum256([]byte(e.Code.Text())), time.Now()}
	if last.reader == e.Source && last.sum == d.scanned.sum && d.scanned.at.Sub(last.at) < d.cfg.Hold {
		return
	}
	pass := Pass{Reason: wire.ReasonNotReady}
	if d.p.Passes != nil {
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
