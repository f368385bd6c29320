package retention

import (
	"fmt"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/whos"
)

// cutoff are the times until which entries are over, by class. Late is that for entries whose own clocks
// say otherwise.
type cutoff struct {
	Passages time.Time `json:"passages"`
	Acts     time.Time `json:"acts"`
	Late     time.Time `json:"late"`
}

// cutoffAt returns what is over at a time.
func (p Periods) cutoffAt(now time.Time) cutoff {
	return cutoff{now.Add(-p.Passages), now.Add(-p.Acts), now.Add(-2 * max(p.Passages, p.Acts))}
}

// latest is a time after which nothing is over.
func (c cutoff) latest() time.Time {
	if c.Passages.After(c.Acts) {
		return c.Passages
	}
	return c.Acts
}

// isZero reports whether nothing is over.
func (c cutoff) isZero() bool { return c.latest().IsZero() }

// earliest is a time before which no registry of this kind ran: what was stored before it has a wrong time.
var earliest = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// of returns until when entries of a kind are over. Passages are what a card at a door makes; all else that names
// somebody is an act: at a desk, by a command, by whoever serves the house.
func (c cutoff) of(k wire.Kind) time.Time {
	switch k {
	case wire.KindAccess, wire.KindRepeated, wire.KindReleased, wire.KindReleasedLate, wire.KindSecured, wire.KindOpened,
		wire.KindClosed, wire.KindExit, wire.KindTold:
		return c.Passages
	}
	return c.Acts
}

// isOver reports whether entries of a batch are, when those until a time are. No clock erases alone: the time when
// they were stored counts, which is the registry's, and what their own clocks say, until they are twice as old as
// the longer of the two periods: nobody keeps who parts for ever by setting a clock ahead.
func (c cutoff) isOver(b store.Batch, until time.Time) bool {
	said := time.UnixMilli(b.WallTo)
	late := !b.Stored.After(c.Late) && !b.Stored.Before(earliest)
	return !b.Stored.After(until) && (!said.After(until) || late)
}

// judgement is what is over, less what an order preserves.
type judgement struct {
	cutoff
	holds []api.Hold
}

// left returns what is left of the seals of a batch, and how many who parts go. Seals of the first formats open
// only together, so that all stay until the last is over.
func (c judgement) left(row store.Batch) (rest []byte, erased int, err error) {
	over, err := c.overIn(row)
	if err != nil {
		return nil, 0, fmt.Errorf("stored batch of %s: %w", row.Place.Address(), err)
	}
	if row.Context == 0 {
		if gone := count(over, isOver); gone > 0 && count(over, isKept) == 0 {
			return nil, gone, nil
		}
		return row.Sealed, 0, nil
	}
	all, err := whos.Split(row.Sealed)
	if err != nil {
		return nil, 0, fmt.Errorf("stored batch of %s: %w", row.Place.Address(), err)
	}
	var stay []whos.Sealed
	for _, s := range all {
		if int(s.Index) >= len(over) || over[s.Index] != isOver {
			stay = append(stay, s)
		}
	}
	if len(stay) == 0 {
		return nil, len(all), nil
	}
	return whos.Join(stay), len(all) - len(stay), nil
}

// state is what becomes of the who part of an entry.
type state uint8

const (
	namesNobody state = iota
	isKept
	isOver
)

func count(all []state, one state) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

// overIn returns the states of the entries of a batch.
func (c judgement) overIn(row store.Batch) ([]state, error) {
	var b wire.Batch
	if err := wire.Decode(row.Body, &b); err != nil {
		return nil, err
	}
	all := make([]state, len(b.Headers))
	for i, header := range b.Headers {
		if len(b.Whos[i]) == 0 {
			continue
		}
		until, held := c.Acts, false
		if h, err := wire.DecodeHeader(header); err == nil { // one of a newer program is no passage that we know
			until, held = c.of(h.Kind), holdsEntry(c.holds, row, h)
		}
		if all[i] = isKept; !held && c.isOver(row, until) {
			all[i] = isOver
		}
	}
	return all, nil
}
