package building

import (
	"cmp"
	"slices"

	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/sync/wire"
)

// A gateway begins a new line of records whenever its disk was set back. All
// lines count and are kept; a list names those that were used last. A record of a
// line that is not named stays unsettled at the gateways that hold it, so that it
// is brought again, and that names its line.
const (
	MaxLines = 32  // of one gateway that a list names
	MaxSeen  = 256 // of all: with as many buckets and door sets as there may be, they fit into one message
)

// Lines are how far the records of a building's gateways were taken in.
type Lines struct {
	Seen    map[Line]Seen
	Covered map[Line]Cover // records that a list has seen which was taken over
	uses    uint64         // of lines so far: the newest has the highest
}

// Line names a line of records.
type Line struct {
	Gateway string
	Number  uint64
}

// Seen is how far a line has been taken in.
type Seen struct {
	Number uint64
	At     uint32 // greatest time so far, unix s
	Used   uint64 // when a record last came, among those of the building: the later, the higher
}

// Cover is what a list has seen of a line which was taken over.
type Cover struct {
	Number uint64
	Events int // that the building had when it was: what these say was compared with the list
}

// Load sets how far a line has come, as it was stored.
func (l *Lines) Load(line Line, s Seen) { l.Seen[line], l.uses = s, max(l.uses, s.Used) }

// Use sets how far a line has come, as the one that was used last.
func (l *Lines) Use(line Line, s Seen) Seen {
	l.uses++
	s.Used = l.uses
	l.Seen[line] = s
	return s
}

// SeenList is what a list says of the records that it was made with: the lines of
// each gateway that were used last, those of gateways of the building first.
func (b *Building) SeenList() []wire.Seen {
	type line struct {
		wire.Seen
		used   uint64
		former int // 1: its gateway is not of the building any more
		rank   int // among the lines of its gateway: 0 was used last
	}
	lines := make([]line, 0, len(b.Lines.Seen))
	for k, s := range b.Lines.Seen {
		l := line{Seen: wire.Seen{Gateway: k.Gateway, Line: k.Number, Number: s.Number}, used: s.Used}
		if b.House.Gateway(k.Gateway) == nil {
			l.former = 1
		}
		lines = append(lines, l)
	}
	slices.SortFunc(lines, func(l, o line) int { return cmp.Or(cmp.Compare(o.used, l.used), l.Seen.Compare(o.Seen)) })
	ranks := make(map[string]int)
	for i := range lines {
		lines[i].rank = ranks[lines[i].Gateway]
		ranks[lines[i].Gateway]++
	}
	lines = slices.DeleteFunc(lines, func(l line) bool { return l.rank >= MaxLines })
	if len(lines) > MaxSeen {
		slices.SortStableFunc(lines, func(l, o line) int { return cmp.Or(cmp.Compare(l.former, o.former), cmp.Compare(l.rank, o.rank)) })
		lines = lines[:MaxSeen]
	}
	all := make([]wire.Seen, len(lines))
	for i, l := range lines {
		all[i] = l.Seen
	}
	slices.SortFunc(all, wire.Seen.Compare)
	return all
}

// ResumedSince reports whether a suspension comes with a record that a list was made with
// which was taken over, and that list has these cards as active: the registry has resumed
// them since, and its word is in no record.
func (b *Building) ResumedSince(e fold.Event) bool {
	read := b.Lines.Covered[Line{e.Source, e.Line}]
	g := b.Tenancies.Grants[e.Change.Grant]
	if e.Change.Op != wire.OpSuspend || e.Number > read.Number || g == nil {
		return false
	}
	for _, id := range e.Change.Credentials {
		i := slices.IndexFunc(g.Cards, func(k fold.Card) bool { return k.ID == id })
		if i < 0 || g.Cards[i].Suspended || g.Cards[i].By.Arrival >= read.Events {
			return false
		}
	}
	return true
}
