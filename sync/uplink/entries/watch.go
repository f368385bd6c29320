package entries

import (
	"context"
	"time"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// Sighting is a new entry that Watch found in the journal.
type Sighting struct {
	Alarm   *journaled.Entry // an alarm
	Tenancy bool             // a record was made at the desk
}

// Watch follows the end of the journal, ahead of the backlog, until ctx ends.
func Watch(ctx context.Context, j Journal, out chan<- Sighting) {
	at := j.Head().Position
	for ctx.Err() == nil {
		changed := j.Changed()
		if at.Epoch == 0 {
			at = j.Head().Position // it opens after us; older entries come with the backlog
		}
		var list []journaled.Entry
		wait := time.Hour // for changed
		if at.Epoch != 0 {
			var err error
			if list, at, err = j.Entries(ctx, at, 256); err != nil {
				at, changed, wait = j.Head().Position, nil, time.Second // new epoch, or a sick disk: go on at the end
			}
		}
		if !sift(ctx, list, out) {
			return
		}
		if len(list) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-time.After(wait):
		}
	}
}

func sift(ctx context.Context, list []journaled.Entry, out chan<- Sighting) bool {
	for _, e := range list {
		h, err := wire.DecodeHeader(e.Header)
		if err != nil {
			continue
		}
		var s Sighting
		switch {
		case h.Kind == wire.KindTenancy:
			s.Tenancy = true
		case h.Alarm():
			s.Alarm = &e
		default:
			continue
		}
		select {
		case out <- s:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
