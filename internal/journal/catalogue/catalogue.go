package catalogue

import (
	"errors"
	"fmt"
	"slices"

	"gatehouse/internal/journal/ahead"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire/journaled"
)

var (
	errBack    = errors.New("it would go back")
	errNotOpen = errors.New("the journal is not open yet")
)

// File is one entry file of the journal.
type File struct {
	Epoch, First uint64
	End          uint64 // entries from here on do not count; segment.NoEnd: all do
	Path         string
	Made         int64 // ms since 1970, by a trusted clock; 0 while there was none, or not read in this run
	Checked      bool  // written or verified in this run
	Packed       bool  // rewritten without slack, or not worth rewriting
	Spoilt       bool  // one of its meta pages is damaged: to be rewritten anyway
	Suspect      bool  // a reader found it damaged while it was being written
}

// Position returns that of its first entry.
func (f File) Position() journaled.Position {
	return journaled.Position{Epoch: f.Epoch, Sequence: f.First}
}

// Catalogue is the set of files of a journal at one moment. It is immutable: a change makes another
// one. Only Mark, Forget, Adopt and SetEnds change it, within Current.Change.
type Catalogue struct {
	Files   []File          // oldest first
	Open    *segment.Writer // of the last file; nil while no file is open
	Tree    tree.Range      // over what is durable of the last file's epoch
	Ahead   ahead.Frame     // the end of that: in the write-ahead file, and not yet in an entry file
	Hints                   // not durable yet, or durable
	Changed chan struct{}   // closed when more is durable
}

// Hints are what the uplink has heard of the registry. Losing them costs a batch that is sent again.
type Hints struct {
	Acked    journaled.Position // all before it is at the registry
	Safe     journaled.Position // the registry can't lose what is before it
	Cosigned string             // the newest checkpoint that a witness cosigned, a signed note
}

func indexOf(files []File, path string) int {
	return slices.IndexFunc(files, func(f File) bool { return f.Path == path })
}

// Mark changes the data of one file.
func (c *Catalogue) Mark(path string, change func(*File)) {
	c.Files = slices.Clone(c.Files)
	if i := indexOf(c.Files, path); i >= 0 {
		change(&c.Files[i])
	}
}

// Forget removes a file, but not the one that is written to: that is the writer's.
func (c *Catalogue) Forget(path string) {
	if c.Open != nil && c.Last().Path == path {
		return
	}
	c.Files = slices.DeleteFunc(slices.Clone(c.Files), func(f File) bool { return f.Path == path })
}

// Adopt takes the closed files found on the disk, with what this run knows of them. The newest of
// them may still have slack.
func (c *Catalogue) Adopt(found []File) {
	found = slices.Clone(found)
	for i, f := range found {
		if at := indexOf(c.Files, f.Path); at >= 0 {
			found[i].Checked, found[i].Packed = c.Files[at].Checked, c.Files[at].Packed
		}
	}
	if n := len(found); n > 0 && !found[n-1].Checked {
		found[n-1].Packed = false
	}
	c.Files = found
}

// SetEnds sets where the counting entries of the found files end.
func (c *Catalogue) SetEnds(found []File) {
	c.Files = slices.Clone(c.Files)
	for i, f := range c.Files {
		if at := indexOf(found, f.Path); at >= 0 {
			c.Files[i].End = found[at].End
		}
	}
}

// Closed returns the files that nobody writes to.
func (c *Catalogue) Closed() []File {
	if c.Open != nil {
		return c.Files[:len(c.Files)-1]
	}
	return c.Files
}

// Last returns the newest file; its zero value where there is none.
func (c *Catalogue) Last() (f File) {
	if n := len(c.Files); n > 0 {
		f = c.Files[n-1]
	}
	return f
}

// grows reports whether the end of the last file is that of the tree.
func (c *Catalogue) grows() bool { return c.Open != nil || len(c.Ahead.Stored) > 0 }

// Next returns the position of the next entry; zero before the files are open.
func (c *Catalogue) Next() journaled.Position {
	if len(c.Files) == 0 {
		return journaled.Position{}
	}
	return journaled.Position{Epoch: c.Last().Epoch, Sequence: c.Tree.Size()}
}

// Oldest returns the first position that counts; zero before the files are open.
func (c *Catalogue) Oldest() journaled.Position {
	for _, f := range c.Files {
		if f.First < f.End {
			return f.Position()
		}
	}
	return c.Next()
}

// Before returns the end of the entries before an epoch; ok: there are some.
func (c *Catalogue) Before(epoch uint64) (end journaled.Position, ok bool) {
	first, _ := c.span(epoch)
	for i := first - 1; i >= 0; i-- {
		if f := c.Files[i]; f.First < f.End {
			return journaled.Position{Epoch: f.Epoch, Sequence: f.End}, true
		}
	}
	return end, false
}

// span returns the indexes of the first and the last file of an epoch; -1: none.
func (c *Catalogue) span(epoch uint64) (first, last int) {
	first = slices.IndexFunc(c.Files, func(f File) bool { return f.Epoch == epoch })
	last = first
	for last >= 0 && last+1 < len(c.Files) && c.Files[last+1].Epoch == epoch {
		last++
	}
	return first, last
}

// Settle moves a position at or behind the end of its epoch to the equivalent one: the start of the
// next epoch that has entries.
func (c *Catalogue) Settle(p journaled.Position) journaled.Position {
	_, last := c.span(p.Epoch)
	if last < 0 || p.Sequence < c.Files[last].End {
		return p
	}
	for _, f := range c.Files[last+1:] {
		if f.First < f.End {
			return f.Position()
		}
	}
	return p
}

// Has reports whether a position is in its epoch, or at its end.
func (c *Catalogue) Has(p journaled.Position) bool {
	if next := c.Next(); p.Epoch == next.Epoch {
		return p.Sequence <= next.Sequence
	}
	_, last := c.span(p.Epoch)
	return last >= 0 && p.Sequence <= c.Files[last].End || p.Sequence == 0
}

// CheckAck returns why the uplink's cursor can't move to a position; nil: it can.
func (c *Catalogue) CheckAck(p journaled.Position) error {
	at, _ := c.span(p.Epoch)
	before, _ := c.span(c.Acked.Epoch)
	switch {
	case at < 0:
		return journaled.ErrGone
	case !c.Has(p):
		return journaled.ErrAhead
	case p.Epoch == c.Acked.Epoch && p.Sequence < c.Acked.Sequence, at < before:
		return errBack
	}
	return nil
}

// MovesSafe reports whether a position is here and ahead of Safe.
func (c *Catalogue) MovesSafe(p journaled.Position) bool {
	if p.Epoch == c.Safe.Epoch && p.Sequence <= c.Safe.Sequence {
		return false
	}
	at, _ := c.span(p.Epoch)
	return at >= 0 && c.WholeBefore(p) >= c.WholeBefore(c.Safe)
}

// WholeBefore returns how many of the oldest files lie entirely before a position.
func (c *Catalogue) WholeBefore(p journaled.Position) (n int) {
	for i, f := range c.Files {
		switch {
		case f.Epoch != p.Epoch:
		case f.End <= p.Sequence:
			n = i + 1
		default:
			return max(n, i)
		}
	}
	return n
}

// Place locates a position.
type Place struct {
	File File               // that has it; zero before the files are open
	From journaled.Position // the position, or the file's first where that is later
	Next journaled.Position // of the file after it
	Last bool               // no file is after it

	Open  *segment.Writer // of the file, if it is written to
	Ahead ahead.Frame     // entries of the file that are not in it yet
}

// Locate returns where a position is; the zero one is in the oldest file. ErrGone:
// its epoch is not here.
func (c *Catalogue) Locate(from journaled.Position) (Place, error) {
	p := Place{From: from, Last: true}
	if len(c.Files) == 0 {
		return p, nil
	}
	if from.Epoch == 0 {
		p.From = c.Files[0].Position()
	}
	at, last := c.span(p.From.Epoch)
	if at < 0 {
		return p, journaled.ErrGone
	}
	for at < last && c.Files[at+1].First <= p.From.Sequence {
		at++
	}
	p.File, p.Last = c.Files[at], at == len(c.Files)-1
	p.From.Sequence = max(p.From.Sequence, p.File.First)
	if !p.Last {
		p.Next = c.Files[at+1].Position()
	} else if c.grows() {
		p.File.End, p.Open, p.Ahead = c.Tree.Size(), c.Open, c.Ahead // bbolt shows a commit before it is durable
	}
	return p, nil
}

// TreeBefore returns the tree from which that of a position grows: that position's own (done), or
// the one at the start of file f, which has its place; f is zero where there is no such file.
// ErrGone: its epoch is not here. ErrAhead: it ends before.
func (c *Catalogue) TreeBefore(p journaled.Position) (r tree.Range, f File, done bool, err error) {
	first, last := c.span(p.Epoch)
	switch {
	case len(c.Files) == 0:
		return r, f, false, errNotOpen
	case first < 0:
		return r, f, false, journaled.ErrGone
	}
	end := c.Files[last].End
	if last == len(c.Files)-1 && c.grows() {
		r, end = c.Tree, c.Tree.Size()
		done = end == p.Sequence
	}
	if end < p.Sequence {
		return r, f, false, fmt.Errorf("%w at %d", journaled.ErrAhead, end)
	}
	for _, g := range c.Files[first : last+1] {
		if g.First <= p.Sequence {
			f = g
		}
	}
	return r, f, done, nil
}

// Tail returns the files that have entries from a position on.
func (c *Catalogue) Tail(from journaled.Position) []File {
	at := slices.IndexFunc(c.Files, func(f File) bool { return f.Epoch == from.Epoch && f.End > from.Sequence })
	if at < 0 {
		return nil
	}
	return c.Files[at:]
}

// Movable returns where the tail that is appended again can begin; the zero position stands for the
// oldest entry. ErrGone and ErrAhead as for Locate and TreeBefore.
func (c *Catalogue) Movable(from journaled.Position) (journaled.Position, error) {
	switch {
	case len(c.Files) == 0:
		return from, errNotOpen
	case from == journaled.Position{}:
		return c.Oldest(), nil
	}
	from = c.Settle(from)
	if at, _ := c.span(from.Epoch); at < 0 || c.Files[at].First > from.Sequence {
		return from, journaled.ErrGone
	}
	if !c.Has(from) {
		return from, journaled.ErrAhead
	}
	return from, nil
}

// Victim returns the closed file to delete when space is short: the oldest that the registry has,
// or that was appended again in a later epoch; if there is none, the oldest of all. lacks is its
// first entry that the registry should have and has not, or segment.NoEnd; without an uplink there
// is none.
func (c *Catalogue) Victim(uplink bool) (f File, lacks uint64, ok bool) {
	if c.Open == nil || len(c.Files) < 2 {
		return f, segment.NoEnd, false
	}
	closed := c.Closed()
	if !uplink || c.WholeBefore(c.Acked) > 0 {
		return closed[0], segment.NoEnd, true
	}
	for _, f := range closed {
		if f.End <= f.First {
			return f, segment.NoEnd, true
		}
	}
	lacks = closed[0].First
	if closed[0].Epoch == c.Acked.Epoch {
		lacks = max(lacks, c.Acked.Sequence)
	}
	return closed[0], lacks, true
}
