package buffer

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/ahead"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire/journaled"
)

// ErrBehind means that the entry file ends before the write-ahead file goes on: it is an older copy.
var ErrBehind = errors.New("the entry file was rolled back")

// Epoch is what a journal knows of the epoch of a frame.
type Epoch int

// What of an epoch that has ended is in the write-ahead file is in the next one's files, too.
const (
	Strange Epoch = iota // nobody knows it: the file is another journal's
	Ended
	Open // or the last that is known of
)

// Read reads what an earlier run left in the write-ahead file, once. strange: some of it is of another
// journal, and the file is to be set aside. With an error it is not known yet what there is.
func (b *Buffer) Read(of func(epoch uint64) Epoch) (strange bool, err error) {
	if b.read {
		return false, nil
	}
	frames, err := ahead.Read(b.o.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b.read = true
		return false, nil
	case err != nil && !errors.Is(err, durable.ErrDamaged) && !errors.Is(err, syscall.EIO):
		return false, err
	}
	for _, frame := range frames {
		switch of(frame.Epoch) {
		case Open:
			b.found = append(b.found, frame)
		case Strange:
			strange = true
		}
	}
	slices.SortStableFunc(b.found, func(a, b ahead.Frame) int { return cmp.Compare(a.First, b.First) })
	if len(frames) == 0 || len(b.found) > 0 {
		b.lost = err
	}
	b.read = true
	return strange, nil
}

// Join takes what was found, as far as it is of this epoch and behind what the entry file has, and
// returns the tree with it. An error: some of it is lost. It may be called again until Joined.
func (b *Buffer) Join(epoch uint64, filled tree.Range) (tree.Range, error) {
	b.Begin(filled)
	if b.lost != nil && len(b.found) == 0 {
		return filled, b.lost
	}
	tail := ahead.Frame{Epoch: epoch, First: filled.Size()}
	var leaves []tlog.Hash
	for _, f := range b.found {
		switch {
		case f.Epoch != epoch || f.End() <= tail.End():
			continue
		case f.First > tail.End():
			return filled, cmp.Or(b.lost, fmt.Errorf("%w: it ends at %d, the write-ahead file goes on at %d", ErrBehind, tail.End(), f.First))
		}
		for _, stored := range f.Stored[tail.End()-f.First:] {
			e, err := journaled.Decode(stored)
			if err != nil {
				return filled, fmt.Errorf("%w: entry %d: %w", durable.ErrDamaged, tail.End(), err)
			}
			tail.Stored, leaves = append(tail.Stored, stored), append(leaves, tlog.RecordHash(e.Leaf()))
		}
	}
	b.tail = tail
	return filled.AddAll(leaves), nil
}

// Joined ends the search for what an earlier run left: the tail has all of it that counts.
func (b *Buffer) Joined() { b.found, b.lost = nil, nil }

// Unfilled returns the entries that only the write-ahead file has, of each epoch those from a sequence
// number on.
func (b *Buffer) Unfilled(from func(epoch uint64) uint64) (list [][]byte) {
	var epoch, next uint64
	for _, f := range append(slices.Clip(b.found), b.tail) {
		if f.Epoch != epoch {
			epoch, next = f.Epoch, from(f.Epoch)
		}
		if f.End() > next {
			list = append(list, f.Stored[max(f.First, next)-f.First:]...)
			next = f.End()
		}
	}
	return list
}

// Drop forgets what the write-ahead file has, because a new epoch has it, which begins with a tree.
// damaged: the file is to be set aside.
func (b *Buffer) Drop(begins tree.Range) (damaged bool) {
	if damaged = b.lost != nil; damaged {
		b.Close()
	}
	b.Joined()
	b.Begin(begins)
	return damaged
}
