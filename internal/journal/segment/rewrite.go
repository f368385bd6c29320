package segment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire/journaled"
)

// PackSuffix is that of a rewritten file that is not yet in place.
const PackSuffix = ".pack"

// A rewritten file goes to the disk in parts, so that the entry of a door that comes meanwhile waits behind one part
// and not behind the whole file, and hardly ever behind any.
const (
	partBytes  = 64 << 10 // stored entries of a part
	partPause  = 20       // how many times as long as a part took is the pause after it
	longestGap = time.Second
)

// Rewriting rewrites a closed file without slack, and without the who parts that are to go. The tree must not change.
type Rewriting struct {
	Path  string
	End   uint64                      // where the counting entries end, NoEnd where all count: fewer are damage, more are kept
	Erase func(journaled.Stored) bool // whose who part goes; nil: none
	Held  sync.Locker                 // the caller holds it; it is free during the pauses
	Check func(path string) error     // must find the new file good
}

// Run makes the new file beside the old one and puts it in place when it is complete, synced and found good. A file
// of the usual 50,000 entries takes some seconds, on a slow card minutes. If ctx ends, the old file stays.
func (r Rewriting) Run(ctx context.Context) error {
	temp := r.Path + PackSuffix
	was, err := os.Stat(r.Path)
	if err == nil {
		err = durable.Remove(temp)
	}
	if err == nil {
		err = View(r.Path, func(old Tx) error { return r.copy(ctx, old, temp) })
	}
	if err == nil {
		err = r.replace(temp, was)
	}
	if err != nil {
		os.Remove(temp) // best effort: the next start does it too
		return fmt.Errorf("rewrite %s: %w", r.Path, err)
	}
	return nil
}

// replace puts the new file in place, unless the old one was removed or set aside during a pause.
func (r Rewriting) replace(temp string, was os.FileInfo) error {
	if err := r.Check(temp); err != nil {
		return fmt.Errorf("check the copy: %w", err)
	}
	is, err := os.Stat(r.Path)
	if err == nil && !os.SameFile(is, was) {
		err = errors.New("another file has its name now")
	}
	if err != nil {
		return err
	}
	return durable.Rename(temp, r.Path)
}

func (r Rewriting) copy(ctx context.Context, old Tx, temp string) error {
	s, err := old.Segment()
	if err != nil {
		return err
	}
	if s.Size < r.End && r.End != NoEnd {
		return fmt.Errorf("%w: it ends at %d, not at %d", durable.ErrDamaged, s.Size, r.End)
	}
	s.Packed = true
	if err := Create(temp, s, nil); err != nil {
		return err
	}
	w, err := OpenWriter(temp)
	if err != nil {
		return err
	}
	w.SkipSync() // each part is synced once
	err = r.copyParts(ctx, old, s, w)
	w.Close(err)
	return err
}

func (r Rewriting) copyParts(ctx context.Context, old Tx, s Segment, w *Writer) error {
	p := part{end: s.Start}
	err := old.split(s.Start.Size(), s.Size, func(_ uint64, stored []byte, e journaled.Stored, leaf tlog.Hash) error {
		if r.Erase != nil && r.Erase(e) {
			stored = e.Erase().Encode()
		}
		p.stored, p.leaves, p.bytes = append(p.stored, stored), append(p.leaves, leaf), p.bytes+len(stored)
		if p.bytes < partBytes {
			return nil
		}
		began := time.Now()
		if err := p.write(w); err != nil {
			return err
		}
		return r.pause(ctx, min(partPause*time.Since(began), longestGap))
	})
	if err == nil {
		err = p.write(w)
	}
	if err == nil && p.end.Root() != s.Root {
		err = errOtherRoot
	}
	return err
}

// pause lets others have the disk, and the closed files.
func (r Rewriting) pause(ctx context.Context, d time.Duration) error {
	r.Held.Unlock()
	defer r.Held.Lock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// part is what is written and synced in one go.
type part struct {
	end    tree.Range // after the parts before
	stored [][]byte
	leaves []tlog.Hash
	bytes  int
}

// write appends the part to a file, durably, and begins the next.
func (p *part) write(w *Writer) error {
	first := p.end.Size()
	p.end = p.end.AddAll(p.leaves)
	if err := w.Append(first, p.stored, p.end); err != nil {
		return err
	}
	p.stored, p.leaves, p.bytes = nil, nil, 0
	return w.sync()
}
