package journal

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"gatehouse/internal/disk"
	"gatehouse/internal/durable"
	"gatehouse/internal/journal/ahead"
	"gatehouse/internal/journal/audit"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/hints"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
)

const (
	warnLow    = 80 // percent of the cap, or of the disk
	warnHigh   = 95
	hysteresis = 5 // percent below a threshold before it counts again
	spareTimes = 3 // free space, in ballasts, before the ballast is made again
)

// space measures the directory and the disk, warns, deletes what the cap demands,
// and keeps the ballast. Safe for concurrent use; round is the keeper's.
type space struct {
	files   *archive
	anchors *anchors
	hints   *hints.File
	free    func(dir string) (free int64, percent int, err error)
	level   int // highest threshold that was recorded

	mu  sync.Mutex
	now Usage
}

// Usage is the space that is in use.
type Usage struct {
	Bytes int64 // of the directory, without the ballast and the write-ahead file
	Disk  int   // percent of the file system in use
	Spent bool  // the ballast was given up, and there is no space to make it again
}

func (s *space) usage() Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// round measures the space, and acts on it.
func (s *space) round(ctx context.Context) error {
	dir := s.files.o.Dir
	free, disk, err := s.free(dir)
	if err != nil {
		return err
	}
	used, err := usedBytes(dir)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.now.Bytes, s.now.Disk = used, disk
	s.mu.Unlock()
	// At our own limit the oldest file is deleted, so only a full disk is tight.
	s.files.in.Tight(disk >= warnHigh)
	if len(s.files.cat.Load().Files) == 0 {
		return nil
	}
	s.warn(int(min(used*100/s.files.o.MaxBytes, math.MaxInt32)), disk)
	if err := s.prune(ctx, used); err != nil {
		return err
	}
	return s.keepBallast(free)
}

// warn records that a threshold was crossed, once a crossing.
func (s *space) warn(percent, disk int) {
	reason, now := wire.ReasonDiskFull, disk
	if percent >= disk {
		reason, now = wire.ReasonNone, percent // our own limit, not the disk
	}
	if threshold(now) > s.level {
		s.files.in.Note(wire.Header{Kind: wire.KindSpace, Reason: reason, Count: uint64(now)})
	}
	s.level = max(threshold(now), min(s.level, threshold(now+hysteresis)))
}

// threshold returns the highest threshold that is reached; 0: none.
func threshold(percent int) int {
	switch {
	case percent >= warnHigh:
		return warnHigh
	case percent >= warnLow:
		return warnLow
	}
	return 0
}

// prune deletes closed files while the directory is over its limit, as catalogue.Victim chooses.
// The entry about it is durable before.
func (s *space) prune(ctx context.Context, used int64) error {
	for used > s.files.o.MaxBytes && s.files.o.Clock().Trusted {
		f, lacks, ok := s.files.cat.Load().Victim(s.files.o.Uplink)
		if !ok {
			return nil
		}
		end := s.sizeOf(ctx, f)
		h := wire.Header{Kind: wire.KindSpace, Reason: wire.ReasonPruned, Detail: audit.Numbers(f.Epoch, f.First, end)}
		if lacks < end {
			h.Kind, h.Count = wire.KindGap, end-lacks
		}
		if _, err := s.files.in.Append(ctx, h, wire.Who{}); err != nil {
			return fmt.Errorf("journal the deletion of %s: %w", f.Path, err)
		}
		if err := s.hints.Save(); err != nil { // it goes by them
			return err
		}
		used -= disk.Bytes(f.Path)
		s.anchors.soon() // it must not name what goes
		s.files.report("keep an anchor", s.anchors.keep(ctx))
		if err := s.files.remove(f.Path); err != nil {
			return err
		}
	}
	return nil
}

// sizeOf returns the first sequence after the counting entries of a closed file; its own first
// where it can't be read.
func (s *space) sizeOf(ctx context.Context, f catalogue.File) uint64 {
	if f.End != segment.NoEnd {
		return max(f.End, f.First)
	}
	end := f.First
	_ = s.files.view(ctx, f, func(t segment.Tx) error { // a damaged file goes all the same
		in, err := t.Segment()
		end = max(end, in.Size)
		return err
	})
	return end
}

// roomFor refuses a copy of files that could take the space that the doors need.
func (s *space) roomFor(files []catalogue.File) error {
	need := spareTimes * max(s.files.o.Ballast, 0)
	for _, f := range files {
		need += disk.Bytes(f.Path)
	}
	free, _, err := s.free(s.files.o.Dir)
	if err == nil && free < need {
		return fmt.Errorf("%d bytes free, %d needed: %w", free, need, syscall.ENOSPC)
	}
	return err
}

// keepBallast makes the ballast again when there is space for it and more.
func (s *space) keepBallast(free int64) error {
	size := s.files.o.Ballast
	if size < 0 {
		return nil
	}
	s.files.upkeep.Lock()
	defer s.files.upkeep.Unlock()
	path := s.files.path(ballastName)
	info, err := os.Stat(path)
	whole := err == nil && info.Size() == size
	spent := !whole && free < spareTimes*size
	s.setSpent(spent)
	if whole || spent {
		return nil
	}
	return durable.WriteFile(path, make([]byte, size), 0o600)
}

// dropBallast gives the reserve up for entries.
func (s *space) dropBallast() {
	if err := os.Remove(s.files.path(ballastName)); err == nil {
		s.files.o.Log.Warn().Msg("journal: disk is full, ballast given up")
		s.setSpent(true)
		s.files.in.Note(wire.Header{Kind: wire.KindSpace, Reason: wire.ReasonDiskFull, Count: 100})
	}
}

func (s *space) setSpent(spent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Spent = spent
}

// usedBytes returns what the directory takes on the disk, without the two files that have always the same size.
func usedBytes(dir string) (int64, error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, n := range names {
		if n.Name() != ballastName && n.Name() != ahead.Name {
			sum += disk.Bytes(filepath.Join(dir, n.Name()))
		}
	}
	return sum, nil
}
