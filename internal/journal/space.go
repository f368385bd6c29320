package journal

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"syscall"

	bolt "go.etcd.io/bbolt"

	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
)

const (
	warnLow    = 80 // percent of the cap, or of the disk
	warnHigh   = 95
	hysteresis = 5 // percent below a threshold before it counts again
	spareTimes = 3 // free space, in ballasts, before the ballast is made again
)

// space measures the folder and the disk, warns, deletes what the cap demands,
// and makes the ballast again.
func (k *keeper) space(ctx context.Context) error {
	free, disk, err := k.room(k.o.Dir)
	if err != nil {
		return err
	}
	used, err := usedBytes(k.o.Dir)
	if err != nil {
		return err
	}
	percent := int(min(used*100/k.o.MaxBytes, math.MaxInt32))
	k.mu.Lock()
	k.bytes, k.percent, k.disk = used, percent, disk
	// At our own cap the oldest file goes, so only a full disk is tight.
	tight := disk >= warnHigh
	if tight && !k.tight {
		k.low, k.all = 0, 0
	}
	k.tight = tight
	started := len(k.files) > 0
	k.mu.Unlock()
	if !started {
		return nil
	}
	k.warn(percent, disk)
	if err := k.prune(ctx, used); err != nil {
		return err
	}
	return k.keepBallast(free)
}

// warn journals that a threshold was crossed, once a crossing.
func (k *keeper) warn(percent, disk int) {
	reason, now := wire.ReasonDiskFull, disk
	if percent >= disk {
		reason, now = wire.ReasonNone, percent // our own cap, not the disk
	}
	switch {
	case now >= warnHigh && k.level < warnHigh:
		k.level = warnHigh
	case now >= warnLow && k.level < warnLow:
		k.level = warnLow
	case now < warnLow-hysteresis:
		k.level = 0
		return
	case now < warnHigh-hysteresis && k.level == warnHigh:
		k.level = warnLow
		return
	default:
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.note(wire.Header{Kind: wire.KindSpace, Reason: reason, Count: uint64(now)})
}

// prune deletes closed files while the folder is over its cap: the oldest that
// the registry has or that stands again in a later epoch; only if there is none
// the oldest of all. What goes is in the journal, durably, before it goes.
func (k *keeper) prune(ctx context.Context, used int64) error {
	for used > k.o.MaxBytes && k.o.Clock().Trusted {
		k.mu.Lock()
		f, lacks, ok := k.victim()
		k.mu.Unlock()
		if !ok {
			return nil
		}
		end := k.sizeOf(ctx, f)
		h := wire.Header{Kind: wire.KindSpace, Reason: wire.ReasonPruned, Detail: span(f.epoch, f.first, end)}
		if lacks < end {
			h.Kind, h.Count = wire.KindGap, end-lacks
		}
		if _, err := k.Append(ctx, h, wire.Who{}); err != nil {
			return fmt.Errorf("journal the deletion of %s: %w", f.path, err)
		}
		used -= fileBytes(f.path)
		k.anchors.soon() // it must not name what goes
		if err := k.keepAnchor(ctx); err != nil {
			k.log("keep an anchor", err)
		}
		if err := k.remove(f.path); err != nil {
			return err
		}
	}
	return nil
}

// victim returns the closed file that goes next, and its first entry that the
// registry should have and has not; noEnd for none. The caller holds mu.
func (j *Journal) victim() (f file, lacks uint64, ok bool) {
	if j.cur == nil || len(j.files) < 2 {
		return f, noEnd, false
	}
	closed := j.files[:len(j.files)-1]
	if !j.o.Uplink || j.wholeBefore(j.acked) > 0 {
		return closed[0], noEnd, true
	}
	for _, f := range closed {
		if f.end <= f.first {
			return f, noEnd, true
		}
	}
	lacks = closed[0].first
	if closed[0].epoch == j.acked.Epoch {
		lacks = max(lacks, j.acked.Sequence)
	}
	return closed[0], lacks, true
}

// sizeOf returns the first sequence after the entries of a closed file that
// count; its own first where nobody can tell.
func (j *Journal) sizeOf(ctx context.Context, f file) uint64 {
	if f.end != noEnd {
		return max(f.end, f.first)
	}
	end := f.first
	_ = j.viewFile(ctx, f, func(tx *bolt.Tx) error { // a damaged file goes all the same
		s, err := readSegment(tx)
		end = max(end, s.size)
		return err
	})
	return end
}

func span(epoch, first, end uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, epoch)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, first), end)
}

func (k *keeper) remove(path string) error {
	// A file that is named and not there was taken away.
	k.log("name a file no more", k.nameFiles(func(name string) naming {
		if name == filepath.Base(path) {
			return unnamed
		}
		return named
	}))
	k.upkeep.Lock()
	defer k.upkeep.Unlock()
	k.mu.Lock()
	k.forget(path)
	k.mu.Unlock()
	return os.Remove(path)
}

// keepBallast makes the ballast again when there is room for it and more.
func (k *keeper) keepBallast(free int64) error {
	if k.o.Ballast < 0 {
		return nil
	}
	k.upkeep.Lock()
	defer k.upkeep.Unlock()
	path := k.path(ballastName)
	info, err := os.Stat(path)
	whole := err == nil && info.Size() == k.o.Ballast
	k.mu.Lock()
	k.spent = !whole && free < spareTimes*k.o.Ballast
	spent := k.spent
	k.mu.Unlock()
	if whole || spent {
		return nil
	}
	return durable.WriteFile(path, make([]byte, k.o.Ballast), 0o600)
}

// dropBallast gives the reserve to the entries.
func (j *Journal) dropBallast() {
	if err := os.Remove(j.path(ballastName)); err == nil {
		j.o.Log.Warn().Msg("journal: disk is full, ballast given up")
		j.mu.Lock()
		defer j.mu.Unlock()
		j.spent = true
		j.note(wire.Header{Kind: wire.KindSpace, Reason: wire.ReasonDiskFull, Count: 100})
	}
}

// diskSpace returns the bytes that are free for us, and the percent in use as df
// tells it: what is reserved for others is neither free nor in use.
func diskSpace(dir string) (free int64, percent int, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, fmt.Errorf("space of %s: %w", dir, err)
	}
	if s.Blocks == 0 {
		return math.MaxInt64, 0, nil // a file system that doesn't say
	}
	left, used := uint64(s.Bavail), uint64(s.Blocks)-uint64(s.Bfree)
	if left == 0 {
		return 0, 100, nil
	}
	return int64(left) * int64(s.Bsize), int((used*100 + left + used - 1) / (left + used)), nil
}

// usedBytes returns what the folder takes on the disk, without the ballast.
func usedBytes(dir string) (int64, error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, n := range names {
		if n.Name() != ballastName {
			sum += fileBytes(filepath.Join(dir, n.Name()))
		}
	}
	return sum, nil
}

// fileBytes counts whole blocks of 512 bytes, as the disk does.
func fileBytes(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Blocks * 512
	}
	return info.Size()
}
