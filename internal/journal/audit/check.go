// Package audit compares a journal with what is known of it elsewhere: what its files say of each other, the
// anchors in the grants' files, and the checkpoint that a registry has signed.
//
// It decides whether all that these name is there, and says what of a whole directory is missing, damaged, or
// vouched for by nobody but the gateway. It changes nothing, and reads no file that was not verified before.
package audit

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/ahead"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire/journaled"
)

// Level says what follows from a finding.
type Level int

// Levels, the worst last.
const (
	Note      Level = iota // nothing is wrong
	Unchecked              // something could not be checked
	Damage                 // something is missing, damaged or changed
	Absent                 // there is no log, and nothing that knows of one
)

// Finding is one thing that a check found. Its words are those of the key "journal."+Key in internal/web/text.
type Finding struct {
	Level Level
	Key   string
	Args  []any
}

// Check is a check of a whole journal, for one goroutine and one use.
type Check struct {
	Dir     string   // the journal's directory
	Anchors [][]byte // what the grants' files say that it must have
	Witness Witness  // whose checkpoints are believed
	// Verify verifies one file, in a process of its own: segment.ReportBy.
	Verify func(ctx context.Context, path string) (segment.Report, error)
	Tell   func(Finding)
	Read   func(done, all int64) // bytes of entry files so far; nil: nobody waits

	worst  Level
	files  []catalogue.File
	good   []segment.Report // of files; zero where one is not good
	frames []ahead.Frame
}

// Run checks the journal, tells of what it finds, and returns the worst of it. The file that a running daemon
// writes to can't be read beside it: that is Unchecked. So is what is left when ctx ends.
func (c *Check) Run(ctx context.Context) Level {
	if c.open(ctx) {
		c.joints()
		c.anchor(Newest(c.Anchors))
		c.cosigned()
	}
	return c.worst
}

// Dump calls each with all entries that count, oldest first, of files that were found good, and of the write-ahead
// file. It tells of the files, and returns the worst of that. An error is one of each, or of the disk.
func (c *Check) Dump(ctx context.Context, each func(journaled.Position, journaled.Stored) error) (Level, error) {
	var err error
	if c.open(ctx) {
		err = c.entries(each)
	}
	return c.worst, err
}

// open verifies the files; false: there is no journal to look at.
func (c *Check) open(ctx context.Context) bool {
	d, err := catalogue.Scan(c.Dir)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist): // what is known of one that is gone tells
		c.tell(Unchecked, "unreadable", c.Dir, err)
		return false
	case len(d.Files) == 0 && d.Newest() == 0 && len(c.Anchors) == 0 && !d.Bad:
		c.tell(Absent, "none", c.Dir)
		return false
	}
	c.names(d)
	c.verifyAll(ctx, d.Files)
	c.ahead(filepath.Join(c.Dir, ahead.Name))
	return true
}

func (c *Check) tell(level Level, key string, args ...any) {
	c.worst = max(c.worst, level)
	c.Tell(Finding{level, key, args})
}

// names tells of files that should be there and are not.
func (c *Check) names(d catalogue.Directory) {
	if d.Bad {
		c.tell(Damage, "epochs_bad", catalogue.EpochsName)
	}
	for _, name := range d.Missing() {
		c.tell(Damage, "missing", name)
	}
	for _, name := range d.Aside {
		c.tell(Damage, "aside", name)
	}
}

// verifyAll verifies the files, and remembers the reports of those that are good.
func (c *Check) verifyAll(ctx context.Context, files []catalogue.File) {
	var done, all int64
	for _, f := range files {
		all += size(f.Path)
	}
	c.files, c.good = files, make([]segment.Report, len(files))
	for i, f := range files {
		if c.Read != nil {
			c.Read(done, all)
		}
		c.good[i] = c.verify(ctx, f)
		done += size(f.Path)
	}
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0 // gone: its verification says so
	}
	return info.Size()
}

// verify verifies one file, and returns its report if it is good, else none.
func (c *Check) verify(ctx context.Context, f catalogue.File) segment.Report {
	name := filepath.Base(f.Path)
	if segment.InUse(f.Path) {
		c.tell(Unchecked, "in_use", name)
		return segment.Report{}
	}
	r, err := c.Verify(ctx, f.Path)
	switch {
	case errors.Is(err, segment.ErrOneMeta):
		c.tell(Damage, "one_meta", name)
	case errors.Is(err, durable.ErrDamaged):
		c.tell(Damage, "damaged", name, err)
	case err != nil:
		c.tell(Unchecked, "unreadable", name, err)
	case f.End != segment.NoEnd && r.Next < f.End && f.End > f.First:
		c.tell(Damage, "short", name, r.Next, f.End)
	default:
		c.tell(Note, "file", name, r.First, r.Next, r.Erased)
		return r
	}
	return segment.Report{}
}

// end is the end of the newest good file.
func (c *Check) end() (p journaled.Position) {
	for _, r := range c.good {
		if r.Epoch != 0 {
			p = journaled.Position{Epoch: r.Epoch, Sequence: r.Next}
		}
	}
	return p
}

// ahead reads the write-ahead file. Where the newest entry file could not be read, as beside a daemon that writes to
// both, nothing can be said against it.
func (c *Check) ahead(path string) {
	frames, err := ahead.Read(path)
	torn, _ := ahead.Torn(path) // an error is that of Read
	known := len(c.good) == 0 || c.good[len(c.good)-1].Epoch != 0
	at := c.end()
	end := at.Sequence
	hole := errors.Is(err, durable.ErrDamaged) && len(frames) == 0
	for _, f := range frames {
		if f.Epoch == at.Epoch {
			hole = hole || f.First > end
			end = max(end, f.End())
		}
	}
	c.frames = frames
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil && !errors.Is(err, durable.ErrDamaged):
		c.tell(Unchecked, "unreadable", ahead.Name, err)
	case known && hole:
		c.tell(Damage, "ahead_bad", ahead.Name)
	case known && end > at.Sequence:
		c.tell(Note, "ahead", ahead.Name, at.Sequence, end)
	}
	if known && torn {
		c.tell(Note, "ahead_torn", ahead.Name)
	}
}
