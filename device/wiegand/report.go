package wiegand

import (
	"context"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// faultEvery is how often the same fault is told at most.
const faultEvery = time.Second

// reporter tells the door what a reader reads, and how it is. For one goroutine.
type reporter struct {
	source string
	events chan<- device.Event
	status device.EventKind // the last of WentOffline and CameOnline that was told
	told   map[fault.Code]time.Time
}

// change tells once that the reader went away or came back.
func (r *reporter) change(ctx context.Context, e device.Event) {
	if r.status != e.Kind {
		r.status = e.Kind
		r.send(ctx, e)
	}
}

// fault tells a fault, unless the same was told within the last second.
func (r *reporter) fault(ctx context.Context, f fault.Code, at time.Duration) {
	now := time.Now()
	if last, ok := r.told[f]; ok && now.Sub(last) < faultEvery {
		return
	}
	r.told[f] = now
	r.send(ctx, device.Event{Kind: device.FaultSeen, Fault: f, At: at})
}

// send waits for room in events, or until ctx ends.
func (r *reporter) send(ctx context.Context, e device.Event) {
	e.Source = r.source
	select {
	case r.events <- e:
	case <-ctx.Done():
	}
}
