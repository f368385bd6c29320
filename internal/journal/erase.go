package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
)

// Who parts lie in clear in the entry files, so that the gateway can answer without
// a network. When their time is over a closed file is rewritten without them. Their
// hashes stay, so the tree does; deleting inside a bbolt file would leave the bytes.
//
// Nothing is erased by one clock alone: a file must have been closed for so long by
// the wall clock, while that is trusted, and by CLOCK_BOOTTIME while the daemon ran.
// The one can leap, the other stands still while power is off; together they err
// only to the later side.

const (
	agedName = "aged" // how long files have been closed
	agedEach = 4 * time.Hour
	// unsafeMore is how much longer who parts stay where the registry has them and
	// does not say that it can't lose them.
	unsafeMore = 30 * 24 * time.Hour
	// eraseAgain is the pause after a file that could not be rewritten.
	eraseAgain = 24 * time.Hour
)

// closedFor is how long a file has been closed.
type closedFor struct {
	ran    time.Duration // by CLOCK_BOOTTIME, while the daemon ran
	since  int64         // ms, by the trusted clock that first saw it closed; 0: none yet
	erased bool          // nothing is left to erase
}

// aging is what the keeper knows of the age of closed files, by name. It is written
// every few hours: what is lost of it only makes the files stay longer.
type aging struct {
	read  bool
	files map[string]closedFor
	boot  uint64 // CLOCK_BOOTTIME of the last round, ns
	saved uint64 // and when it was written
	again uint64 // no erasing before
}

// age counts the time since the last round for every closed file.
func (a *aging) age(dir string, stamp Stamp, closed []file) {
	if !a.read {
		a.read, a.files = true, readAged(dir)
		a.boot, a.saved = stamp.BootTime, stamp.BootTime
	}
	passed := time.Duration(0)
	if stamp.BootTime > a.boot {
		passed = time.Duration(stamp.BootTime - a.boot)
	}
	a.boot = stamp.BootTime
	next := make(map[string]closedFor, len(closed))
	for _, f := range closed {
		name := filepath.Base(f.path)
		c, known := a.files[name]
		if known {
			c.ran += passed
		}
		switch {
		case !stamp.Trusted:
		case c.since == 0:
			c.since = stamp.Wall - c.ran.Milliseconds()
		case stamp.Wall < c.since: // it was ahead when the file was closed
			c.since = stamp.Wall - c.ran.Milliseconds()
		}
		next[name] = c
	}
	a.files = next
}

// isOlder reports whether a file has been closed for so long, by both clocks.
func (c closedFor) isOlder(than time.Duration, stamp Stamp) bool {
	return stamp.Trusted && c.since != 0 && c.ran >= than && stamp.Wall-c.since >= than.Milliseconds()
}

// save writes the ages every few hours, or now; nothing where nothing is left to
// erase.
func (a *aging) save(dir string, now bool) error {
	names, waits := make([]string, 0, len(a.files)), false
	for name, c := range a.files {
		names = append(names, name)
		waits = waits || !c.erased
	}
	if !now && (!waits || a.boot-a.saved < uint64(agedEach)) {
		return nil
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		c := a.files[name]
		fmt.Fprintf(&b, "%s %d %d %t\n", name, c.ran.Milliseconds(), c.since, c.erased)
	}
	if err := durable.WriteFile(filepath.Join(dir, agedName), []byte(b.String()), 0o600); err != nil {
		return err
	}
	a.saved = a.boot
	return nil
}

// readAged reads what it can.
func readAged(dir string) map[string]closedFor {
	all := map[string]closedFor{}
	b, err := os.ReadFile(filepath.Join(dir, agedName))
	if err != nil {
		return all
	}
	for line := range strings.Lines(string(b)) {
		var name string
		var ran int64
		var c closedFor
		if _, err := fmt.Sscanf(line, "%s %d %d %t\n", &name, &ran, &c.since, &c.erased); err == nil && ran >= 0 {
			c.ran = time.Duration(ran) * time.Millisecond
			all[name] = c
		}
	}
	return all
}

// eraseOld erases the who parts of at most one file whose time is over.
func (k *keeper) eraseOld(ctx context.Context) error {
	if k.o.EraseAfter < 0 {
		return nil
	}
	k.mu.Lock()
	open := k.cur != nil
	closed := slices.Clone(k.files)
	acked, safe := k.wholeBefore(k.acked), k.wholeBefore(k.safe)
	k.mu.Unlock()
	if !open {
		return nil
	}
	closed = closed[:len(closed)-1]
	stamp := k.o.Clock()
	a := &k.aging
	a.age(k.o.Dir, stamp, closed)
	for i, f := range closed {
		name := filepath.Base(f.path)
		c := a.files[name]
		after := k.o.EraseAfter
		switch {
		case k.o.Uplink && i >= acked:
			continue // nobody else has them
		case k.o.Uplink && i >= safe:
			after += unsafeMore
		}
		if c.erased || stamp.BootTime < a.again || !c.isOlder(after, stamp) {
			continue
		}
		if err := k.eraseFile(ctx, f); err != nil {
			a.again = stamp.BootTime + uint64(eraseAgain)
			return err
		}
		c.erased = true
		a.files[name] = c
		return a.save(k.o.Dir, true)
	}
	return a.save(k.o.Dir, false)
}

// eraseFile rewrites a closed file without its who parts. The entry that says so is
// durable first.
func (k *keeper) eraseFile(ctx context.Context, f file) error {
	if err := k.check(ctx, f); err != nil {
		if errors.Is(err, durable.ErrDamaged) {
			k.isDamaged(f, false)
		}
		return err
	}
	n, end, err := countWhos(f.path)
	if err != nil || n == 0 {
		return err
	}
	h := wire.Header{Kind: wire.KindSpace, Reason: wire.ReasonWhosErased, Count: uint64(n), Detail: span(f.epoch, f.first, end)}
	if _, err := k.Append(ctx, h, wire.Who{}); err != nil {
		return fmt.Errorf("journal the erasing in %s: %w", f.path, err)
	}
	k.upkeep.Lock()
	defer k.upkeep.Unlock()
	if err := rewrite(f, true, func(path string) error { return k.o.Verify(ctx, path) }); err != nil {
		return err
	}
	k.o.Log.Info().Str("file", filepath.Base(f.path)).Int("entries", n).Msg("journal: who parts erased")
	return nil
}

// countWhos returns how many entries of a file name somebody, and the first
// sequence after them.
func countWhos(path string) (n int, end uint64, err error) {
	err = view(path, func(tx *bolt.Tx) error {
		s, err := readSegment(tx)
		if err != nil {
			return err
		}
		end = s.size
		return eachEntry(tx, s.start.Size(), s.size, int(s.size-s.start.Size()), func(seq uint64, stored []byte) error {
			e, err := wire.SplitStored(stored)
			if len(e.Who) > 0 {
				n++
			}
			return err
		})
	})
	return n, end, err
}

// wholeBefore returns how many of the oldest files lie before a position whole. The
// caller holds mu.
func (j *Journal) wholeBefore(p Position) (n int) {
	for i, f := range j.files {
		switch {
		case f.epoch != p.Epoch:
		case f.end <= p.Sequence:
			n = i + 1
		default:
			return max(n, i)
		}
	}
	return n
}

// Safe takes the registry's word that it can't lose what is before p any more. It
// moves forward only, and is durable when it returns.
func (j *Journal) Safe(p Position) error {
	j.upkeep.Lock()
	defer j.upkeep.Unlock()
	j.mu.Lock()
	before, moves := j.safe, j.endOf(p.Epoch) > 0
	if moves && p.Epoch == before.Epoch {
		moves = p.Sequence > before.Sequence
	} else if moves {
		moves = j.wholeBefore(p) >= j.wholeBefore(before)
	}
	j.mu.Unlock()
	if !moves {
		return nil
	}
	if err := writePosition(j.path(safeName), p); err != nil {
		return fmt.Errorf("keep what the registry can't lose: %w", err)
	}
	j.mu.Lock()
	j.safe = p
	j.mu.Unlock()
	return nil
}

// firstTrusted returns the time of the first entry of a file whose clock was good,
// ms; 0 if there is none among the first. A file that was made before the clock was
// has no other.
func firstTrusted(tx *bolt.Tx, s segment) (wall int64) {
	const look = 2000
	_ = eachEntry(tx, s.start.Size(), s.size, look, func(_ uint64, stored []byte) error {
		e, err := wire.DecodeStored(stored)
		if err != nil {
			return err
		}
		h, err := wire.DecodeHeader(e.Header)
		if err == nil && wall == 0 && h.Clock >= wire.ClockNTP {
			wall = h.Wall
		}
		return err
	})
	return wall
}
