package issuer

import (
	"cmp"
	"fmt"
	"slices"

	"gatehouse/sync/wire"
)

// A gateway begins a new line of records whenever its disk was set back. All
// lines count and are kept; a list names those that were used last. A record of a
// line that is not named stays unsettled at the gateways that hold it, so that it
// is brought again, and that names its line.
const (
	maxLines = 32  // of one gateway that a list names
	maxSeen  = 256 // of all: with as many buckets and door sets as there may be, they fit into one message
)

// useLine keeps how far a line has come, as the one that was used last.
func (c *change) useLine(b *building, key lineKey, s lineState) error {
	b.uses++
	s.used = b.uses
	b.seen[key] = s
	_, err := c.Exec(`INSERT INTO seen (building, gateway, line, number, at, used) VALUES (?,?,?,?,?,?)
		ON CONFLICT (building, gateway, line) DO UPDATE SET number = excluded.number, at = excluded.at, used = excluded.used`,
		b.id, key.gateway, blob(key.line), int64(s.number), s.at, int64(s.used))
	if err != nil {
		return fmt.Errorf("keep seen: %w", err)
	}
	return nil
}

// nameLine brings a line of which a record came again back into the list.
func (c *change) nameLine(b *building, key lineKey) error {
	newest := b.list.manifest.Seen
	if b.held != nil {
		newest = b.held.manifest.Seen
	}
	if _, named := slices.BinarySearchFunc(newest, wire.Seen{Gateway: key.gateway, Line: key.line}, wire.Seen.Compare); named {
		return nil
	}
	c.touched[b.id] = true
	return c.useLine(b, key, b.seen[key])
}

// seenList is what a list says of the records that it was made with: the lines of
// each gateway that were used last, those of gateways of the building first.
func (b *building) seenList() []wire.Seen {
	type line struct {
		wire.Seen
		used   uint64
		former bool // its gateway is not of the building any more
		rank   int  // among the lines of its gateway: 0 was used last
	}
	lines := make([]line, 0, len(b.seen))
	for k, s := range b.seen {
		lines = append(lines, line{wire.Seen{Gateway: k.gateway, Line: k.line, Number: s.number}, s.used, b.house.Gateway(k.gateway) == nil, 0})
	}
	slices.SortFunc(lines, func(l, o line) int { return cmp.Or(cmp.Compare(o.used, l.used), l.Seen.Compare(o.Seen)) })
	ranks := make(map[string]int)
	for i := range lines {
		lines[i].rank = ranks[lines[i].Gateway]
		ranks[lines[i].Gateway]++
	}
	lines = slices.DeleteFunc(lines, func(l line) bool { return l.rank >= maxLines })
	if len(lines) > maxSeen {
		slices.SortStableFunc(lines, func(l, o line) int {
			if l.former != o.former {
				return map[bool]int{false: -1, true: 1}[l.former]
			}
			return cmp.Compare(l.rank, o.rank)
		})
		lines = lines[:maxSeen]
	}
	all := make([]wire.Seen, len(lines))
	for i, l := range lines {
		all[i] = l.Seen
	}
	slices.SortFunc(all, wire.Seen.Compare)
	return all
}
