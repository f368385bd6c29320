package building

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
