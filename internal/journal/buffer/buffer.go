// Package buffer is what the journal's writer has before its entry file. Entries become durable in
// the write-ahead file, by one write and one sync, and go into the entry file many at a time: before
// the next that has no room, before the entry file is left, and when the oldest is half a day old, so
// that a who part is not for long anywhere but in its entry file.
//
// It refuses to empty the write-ahead file of what no entry file has, and gives no entry another
// sequence number: what is in doubt is written again as it was.
package buffer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"gatehouse/internal/durable"
	"gatehouse/internal/durable/frames"
	"gatehouse/internal/journal/ahead"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/tree"
)

const (
	oldest    = 12 * time.Hour // by CLOCK_BOOTTIME, that an entry stands in the write-ahead file at most
	makeAgain = time.Minute    // between attempts to make it
)

// ErrRemoved means that the entry file was moved or deleted: what is written to it is lost with this process.
var ErrRemoved = errors.New("the entry file was removed")

// Options are what a buffer needs of its journal. All are required.
type Options struct {
	Path     string                       // of the write-ahead file
	Size     int64                        // bytes it has; 0, for tests: there is none
	SkipSync bool                         // for tests that must lose entries
	BootTime func() uint64                // CLOCK_BOOTTIME, ns
	Before   func(point string) error     // called before each write and after it; an error is that of the write
	Report   func(what string, err error) // what went wrong and keeps nobody from going on
}

// Buffer is the write-ahead file with what it has. For one goroutine, which holds the journal's lock.
type Buffer struct {
	o      Options
	file   *frames.Log // nil: there is none, and entries go into the entry file at once
	buf    []byte      // to be used again
	tail   ahead.Frame // all that is in it and not in the entry file
	filled tree.Range  // what the entry file has: the tree before the tail
	since  uint64      // CLOCK_BOOTTIME of the oldest in it
	again  time.Time   // no attempt to make it before this

	read  bool          // what an earlier run left was read
	found []ahead.Frame // that, as long as it is not known where it belongs
	lost  error         // a frame between those, or behind, is lost
}

// New makes the buffer of a journal. It touches nothing yet.
func New(o Options) *Buffer { return &Buffer{o: o} }

// Tail returns the entries that no entry file has. It is not changed any more.
func (b *Buffer) Tail() ahead.Frame { return b.tail }

// Filled returns the tree of what the entry file has: that before the tail.
func (b *Buffer) Filled() tree.Range { return b.filled }

// Begin takes another entry file, which has all.
func (b *Buffer) Begin(filled tree.Range) { b.tail, b.filled = ahead.Frame{}, filled }

// Store makes entries of an epoch durable: in the write-ahead file, else in the entry file. They follow
// a tree and make it that at end. After an error they may be there or not. Only where Tail is empty then
// is it in doubt whether the entry file has them; but for ErrRemoved, after which it has not.
func (b *Buffer) Store(file *segment.Writer, epoch uint64, stored [][]byte, now, end tree.Range) error {
	if b.file != nil && b.file.Removed() {
		b.o.Report("go on with the write-ahead file", fmt.Errorf("it was removed: %w", fs.ErrNotExist))
		b.Close()
	}
	frame := ahead.Frame{Epoch: epoch, First: now.Size(), Stored: stored}
	b.buf = frame.Append(b.buf[:0])
	if b.file == nil || !b.file.Fits(len(b.buf)) {
		if err := b.Fill(file, now); err != nil {
			return err
		}
		b.o.Report("make the write-ahead file, going on without", b.make())
		b.o.Report("empty the write-ahead file", b.Empty())
	}
	if b.file != nil && b.file.Fits(len(b.buf)) {
		err := b.write(frame)
		if err == nil {
			return nil
		}
		// What it has is still there; only what was written now is in doubt. It is written again, under the
		// same sequence numbers.
		b.o.Report("write ahead, going on without", err)
		if err := b.Fill(file, now); err != nil {
			return err
		}
		b.o.Report("remove the write-ahead file", b.remove())
	}
	err := b.commit(file, now.Size(), stored, end)
	if err == nil {
		b.filled = end
	}
	return err
}

// write appends a frame, encoded in buf, to the write-ahead file.
func (b *Buffer) write(frame ahead.Frame) error {
	err := b.o.Before("ahead")
	if err == nil {
		err = b.file.Append(b.buf)
	}
	if err == nil {
		err = b.o.Before("written ahead")
	}
	if err != nil {
		return err
	}
	if len(b.tail.Stored) == 0 {
		b.tail, b.since = ahead.Frame{Epoch: frame.Epoch, First: frame.First}, b.o.BootTime()
	}
	b.tail.Stored = append(b.tail.Stored, frame.Stored...) // whoever reads it looks no further than it was
	return nil
}

// commit adds entries to the entry file. After an error they may be there or not.
func (b *Buffer) commit(file *segment.Writer, first uint64, stored [][]byte, end tree.Range) error {
	if file.Removed() {
		return ErrRemoved
	}
	err := b.o.Before("commit")
	if err == nil {
		err = file.Append(first, stored, end)
	}
	if err == nil {
		err = b.o.Before("committed")
	}
	return err
}

// Fill brings into the entry file what only the write-ahead file has, up to the tree end.
func (b *Buffer) Fill(file *segment.Writer, end tree.Range) error {
	if len(b.tail.Stored) == 0 {
		return nil
	}
	if err := b.commit(file, b.tail.First, b.tail.Stored, end); err != nil {
		return err
	}
	// Once more, with nothing new: one of bbolt's two meta pages would name the state before all these.
	if err := b.commit(file, end.Size(), nil, end); err != nil {
		return err
	}
	b.Begin(end)
	return nil
}

// Empty overwrites the write-ahead file, all of which is in an entry file; one that can't be written
// is removed. It does nothing while some of it is nowhere else.
func (b *Buffer) Empty() error {
	if len(b.tail.Stored) > 0 {
		return errors.New("the write-ahead file has entries that no entry file has")
	}
	if b.file == nil {
		return durable.Remove(b.o.Path) // left where that failed before
	}
	err := b.o.Before("clear")
	if err == nil {
		err = b.file.Clear()
	}
	if err == nil {
		return nil
	}
	b.o.Report("empty the write-ahead file, making it anew", err)
	return b.remove()
}

// Close leaves the write-ahead file as it is.
func (b *Buffer) Close() {
	if b.file != nil {
		b.file.Close()
	}
	b.file = nil
}

// remove deletes the write-ahead file, of which nothing is needed any more.
func (b *Buffer) remove() error {
	b.Close()
	b.again = time.Now().Add(makeAgain)
	return durable.Remove(b.o.Path)
}

// make makes the write-ahead file where there is none. Nothing is needed of one that is there.
func (b *Buffer) make() error {
	if b.file != nil || b.o.Size == 0 || time.Now().Before(b.again) {
		return nil
	}
	err := b.tryMake()
	if err != nil {
		b.again = time.Now().Add(makeAgain)
	}
	return err
}

func (b *Buffer) tryMake() error {
	if err := b.o.Before("make"); err != nil {
		return err
	}
	if info, err := os.Stat(b.o.Path); err == nil && info.Size() != b.o.Size {
		if err := os.Remove(b.o.Path); err != nil {
			return err
		}
	}
	if err := frames.Create(b.o.Path, int(b.o.Size)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	file, _, err := frames.Read(b.o.Path, frames.NewLap())
	if err == nil {
		err = file.KeepOpen()
	}
	if err != nil {
		return err
	}
	if b.file = file; b.o.SkipSync {
		file.SkipSync()
	}
	return nil
}

// Ripe reports whether the write-ahead file should be emptied when nothing else is to be done.
func (b *Buffer) Ripe() bool {
	if b.file == nil || len(b.tail.Stored) == 0 {
		return false
	}
	return b.file.Used() > b.file.Size()/2 || b.o.BootTime()-b.since >= uint64(oldest)
}
