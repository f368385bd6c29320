package mine

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/inquiry/when"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// Journal is the log; *journal.Journal is one.
type Journal interface {
	Entries(ctx context.Context, from journaled.Position, n int) ([]journaled.Entry, journaled.Position, error)
	Head() journaled.Head
}

// batch is how many entries are read at a time, so that the writer is not held up.
const batch = 500

// owner is whose entries are read: a card, by its forms, while it was of a tenancy.
type owner struct {
	card    []wire.CredentialID
	tenancy wire.ID
}

// found is what a log has of an owner, oldest first: entries that name the card in its tenancy, and what was done about
// the tenancy. What was erased names nobody and is not found.
type found struct{ entries, acts []control.OwnEntry }

// entries walks over a log.
func entries(ctx context.Context, log Journal, of owner, now when.Moment, latest int64, zone *time.Location) (found, error) {
	var all []control.OwnEntry
	times := when.NewTimes()
	for at := (journaled.Position{}); ; {
		some, next, err := log.Entries(ctx, at, batch)
		if err != nil {
			return found{}, fmt.Errorf("read the log: %w", err)
		}
		if len(some) == 0 {
			break
		}
		at = next
		for _, e := range some {
			own, err := of.one(e)
			if err != nil {
				return found{}, fmt.Errorf("read the log: %w", err)
			}
			g, _ := journaled.Glance(e.Header)
			if times.Next(g, own != nil); own != nil {
				all = append(all, *own)
			}
		}
	}
	now.Boot = log.Head().Boot
	times.End(now, latest)
	return sorted(all, times, zone), nil
}

// sorted tells entries from acts, and gives them their times.
func sorted(all []control.OwnEntry, times *when.Times, zone *time.Location) found {
	out := found{[]control.OwnEntry{}, []control.OwnEntry{}}
	for i, e := range all {
		e.Time = e.Time.In(zone)
		if t := times.Of(i); !t.Sure() {
			e.Earliest, e.Latest = t.Bounds(zone)
		}
		if e.Kind == wire.KindTenancy.String() {
			out.acts = append(out.acts, e)
		} else {
			e.By = "" // the reader, of a passage
			out.entries = append(out.entries, e)
		}
	}
	return out
}

// one returns an entry as its resident sees it; nil: it is of somebody else, or names nobody.
func (o owner) one(e journaled.Entry) (*control.OwnEntry, error) {
	if !bytes.Contains(e.Who, o.tenancy[:]) { // most of a log is others', and this is quicker than to read it
		return nil, nil
	}
	who, err := wire.DecodeWho(e.Who)
	if err != nil || who.Tenancy == nil || *who.Tenancy != o.tenancy {
		return nil, err
	}
	h, err := wire.DecodeHeader(e.Header)
	if err != nil || !o.sees(h, who) {
		return nil, err
	}
	return &control.OwnEntry{ID: fmt.Sprintf("%016x:%d", e.Epoch, e.Sequence), Time: h.Time(), Clock: h.Clock.String(), Kind: h.Kind.String(), Outcome: h.Outcome.String(), Reason: h.Reason.String(),
		Door: h.Door, Direction: h.Direction.String(), Method: who.Method.String(), Count: h.Count, By: h.Source}, nil
}

// sees reports whether an entry of the tenancy is for the holder of the card: it names that card, or is an act at a desk
// that names none. Wrong PINs at a door name none either, and may be the partner's.
func (o owner) sees(h wire.Header, who wire.Who) bool {
	if who.Credential != nil {
		return slices.Contains(o.card, *who.Credential)
	}
	return h.Kind == wire.KindTenancy && h.Count == 0
}

// find returns the place of an entry that was shown.
func find(held *control.Mine, id string) (epoch, sequence uint64, ok bool) {
	for _, all := range [][]control.OwnEntry{held.Entries, held.Acts} {
		if slices.ContainsFunc(all, func(e control.OwnEntry) bool { return e.ID == id }) {
			_, err := fmt.Sscanf(id, "%x:%d", &epoch, &sequence)
			return epoch, sequence, err == nil
		}
	}
	return 0, 0, false
}
