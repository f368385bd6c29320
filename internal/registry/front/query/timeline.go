package query

import (
	"context"
	"fmt"
	"math"
	"time"

	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// The clock of an entry may have been unset or wrong. A query for a day must find
// the entry all the same, by bounds of its time: it was made after the previous entry
// and before the next one, and before it was stored here; and with an entry of the same run of
// the daemon that has a good clock, the times since boot give the time between the two.

// never is a time without a bound, ms since 1970.
const never = math.MinInt64 / 4

// span is the range of an entry's time, ms since 1970, both inclusive.
type span struct {
	from, to int64
	unsure   bool // not from its own clock
}

// within reports whether the entry may be from [from, to); a zero time is no bound.
func (s span) within(from, to time.Time) bool {
	return (from.IsZero() || s.to >= from.UnixMilli()) && (to.IsZero() || s.from < to.UnixMilli())
}

// sighting is an entry with a good clock, or none.
type sighting struct {
	known    bool
	sequence uint64
	wall     int64  // ms
	run      uint64 // of the daemon
	boot     uint64 // ns since boot
}

// good reports whether the clock of an entry was right. It was not if it is later than the entry
// was stored.
func good(h wire.Header, stored time.Time) bool {
	return h.Clock >= wire.ClockRTC && h.Wall <= stored.Add(store.Ahead).UnixMilli()
}

// timeline finds out when entries were made. It serves one query and remembers where ranges without
// a good clock end.
type timeline struct {
	store *store.Store
	seen  map[direction]stretch // the last one
}

// direction is a direction of search in an epoch.
type direction struct {
	gateway int64
	epoch   uint64
	back    bool
}

// stretch is a range of entries without a good clock, [from, to), and the entry at its end.
type stretch struct {
	from, to uint64
	end      sighting
}

func newTimeline(s *store.Store) *timeline {
	return &timeline{store: s, seen: map[direction]stretch{}}
}

// of returns when the i-th entry of a stored batch was made.
func (t *timeline) of(ctx context.Context, row store.Batch, b wire.Batch, i int, h wire.Header) (span, error) {
	if good(h, row.Stored) {
		return span{from: h.Wall, to: h.Wall}, nil
	}
	earlier, err := t.beside(ctx, row, b, i, true)
	if err != nil {
		return span{}, err
	}
	later, err := t.beside(ctx, row, b, i, false)
	if err != nil {
		return span{}, err
	}
	s := span{from: never, to: row.Stored.UnixMilli(), unsure: true}
	if later.known {
		s.to = min(s.to, later.wall)
	}
	if earlier.known {
		s.from = min(earlier.wall, s.to)
	}
	for _, pin := range []sighting{later, earlier} {
		if at, slack, ok := pin.tells(h); ok {
			s.from, s.to = max(s.from, min(at-slack, s.to)), min(s.to, max(at+slack, s.from))
			break
		}
	}
	return s, nil
}

// tells computes when an entry of the same run was made, by the time since boot: within a second,
// and one more for each hour between the two.
func (p sighting) tells(h wire.Header) (at, slack int64, ok bool) {
	if !p.known || p.run != h.Boot {
		return 0, 0, false
	}
	between := (int64(p.boot) - int64(h.BootTime)) / int64(time.Millisecond)
	return p.wall - between, 1000 + max(between, -between)/3600, true
}

// beside returns the nearest entry before or after the i-th with a good clock, in the same epoch.
func (t *timeline) beside(ctx context.Context, row store.Batch, b wire.Batch, i int, back bool) (sighting, error) {
	seq, key := b.First+uint64(i), direction{row.Gateway, b.Epoch, back}
	if s := t.seen[key]; seq >= s.from && seq < s.to {
		return s.end, nil
	}
	found, last := look(row, b, i, back)
	var err error
	if !found.known {
		found, last, err = t.lookFurther(ctx, row, back, last)
	}
	s := stretch{from: seq, to: last + 1, end: found}
	if back {
		s.from, s.to = last, seq+1
	}
	t.seen[key] = s
	return found, err
}

// look searches a batch for a good clock, from an entry on. It also returns the sequence number of
// the last entry without one.
func look(row store.Batch, b wire.Batch, i int, back bool) (sighting, uint64) {
	step, last := 1, b.First+uint64(i)
	if back {
		step = -1
	}
	for i += step; i >= int(row.First-b.First) && i < min(len(b.Headers), int(row.Next-b.First)); i += step {
		h, err := wire.DecodeHeader(b.Headers[i])
		if err == nil && good(h, row.Stored) {
			return sighting{true, b.First + uint64(i), h.Wall, h.Boot, h.BootTime}, last
		}
		last = b.First + uint64(i)
	}
	return sighting{}, last
}

// lookFurther continues the search in the batches before or after.
func (t *timeline) lookFurther(ctx context.Context, row store.Batch, back bool, last uint64) (found sighting, _ uint64, _ error) {
	edge := row.Next
	if back {
		edge = row.First
	}
	for next, err := range t.store.Around(ctx, row.Gateway, row.Epoch, edge, back) {
		if err != nil {
			return found, last, err
		}
		var b wire.Batch
		if err := wire.Decode(next.Body, &b); err != nil {
			return found, last, fmt.Errorf("stored batch: %w", err)
		}
		start := int(next.First-b.First) - 1
		if back {
			start = int(next.Next - b.First)
		}
		if found, _ = look(next, b, start, back); found.known {
			break
		}
		if last = next.Next - 1; back {
			last = next.First
		}
	}
	return found, last, nil
}
