package journal

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/audit"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/hints"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
)

// Who parts are stored in clear in the entry files, so that the gateway can answer without a
// network. When their time is over a closed file is rewritten without them, since deleting inside a
// bbolt file would leave the bytes; their hashes stay, and so does the tree.
//
// Nothing is erased by one clock alone: a file must have been closed for long enough by the wall
// clock, while that is trusted, and by CLOCK_BOOTTIME while the daemon ran.

const (
	agedName = "aged" // how long files have been closed
	agedEach = 4 * time.Hour
	// unsafeMore is how much longer who parts stay where the registry has them and does not say
	// that it can't lose them.
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

// isOlder reports whether a file has been closed for so long, by both clocks.
func (c closedFor) isOlder(than time.Duration, stamp Stamp) bool {
	return stamp.Trusted && c.since != 0 && c.ran >= than && stamp.Wall-c.since >= than.Milliseconds()
}

// eraser erases the who parts of closed files when their time is over. For one goroutine.
type eraser struct {
	files  *archive
	hints  *hints.File
	closed map[string]closedFor // by the name of the file; nil before the first round
	boot   uint64               // CLOCK_BOOTTIME of the last round, ns
	saved  uint64               // CLOCK_BOOTTIME when closed was written
	again  uint64               // no erasing before this
}

// stop saves the ages for the next run.
func (e *eraser) stop() error {
	if e.boot <= e.saved {
		return nil
	}
	return e.save(true)
}

// age adds the time since the last round to every closed file.
func (e *eraser) age(stamp Stamp, closed []catalogue.File) {
	if e.closed == nil {
		e.closed = readAged(e.files.path(agedName))
		e.boot, e.saved = stamp.BootTime, stamp.BootTime
	}
	passed := time.Duration(max(stamp.BootTime, e.boot) - e.boot)
	e.boot = stamp.BootTime
	next := make(map[string]closedFor, len(closed))
	for _, f := range closed {
		name := filepath.Base(f.Path)
		c, known := e.closed[name]
		if known {
			c.ran += passed
		}
		if stamp.Trusted && (c.since == 0 || stamp.Wall < c.since) { // the clock was ahead when the file was closed
			c.since = stamp.Wall - c.ran.Milliseconds()
		}
		next[name] = c
	}
	e.closed = next
}

// round erases the who parts of at most one file.
func (e *eraser) round(ctx context.Context) error {
	now, o := e.files.cat.Load(), e.files.o
	if o.EraseAfter < 0 || now.Open == nil {
		return nil
	}
	acked, safe := now.WholeBefore(now.Acked), now.WholeBefore(now.Safe)
	stamp := o.Clock()
	e.age(stamp, now.Closed())
	for i, f := range now.Closed() {
		name := filepath.Base(f.Path)
		c := e.closed[name]
		after := o.EraseAfter
		switch {
		case o.Uplink && i >= acked:
			continue // nobody else has these who parts
		case o.Uplink && i >= safe:
			after += unsafeMore
		}
		if c.erased || stamp.BootTime < e.again || !c.isOlder(after, stamp) {
			continue
		}
		if err := e.erase(ctx, f); err != nil {
			e.again = stamp.BootTime + uint64(eraseAgain)
			return err
		}
		c.erased = true
		e.closed[name] = c
		return e.save(true)
	}
	return e.save(false)
}

// erase rewrites a closed file without its who parts. The entry about it is durable first.
func (e *eraser) erase(ctx context.Context, f catalogue.File) error {
	if err := e.files.checkClosed(ctx, f); err != nil {
		return err
	}
	n, end, err := segment.CountWhos(f.Path)
	if err != nil || n == 0 {
		return err
	}
	if err := e.hints.Save(); err != nil { // it goes by them
		return err
	}
	h := wire.Header{Kind: wire.KindSpace, Reason: wire.ReasonWhosErased, Count: uint64(n), Detail: audit.Numbers(f.Epoch, f.First, end)}
	if _, err := e.files.in.Append(ctx, h, wire.Who{}); err != nil {
		return fmt.Errorf("journal the erasing in %s: %w", f.Path, err)
	}
	e.files.upkeep.Lock()
	defer e.files.upkeep.Unlock()
	if err := e.files.rewrite(ctx, f, true); err != nil {
		return err
	}
	e.files.o.Log.Info().Str("file", filepath.Base(f.Path)).Int("entries", n).Msg("journal: who parts erased")
	return nil
}

// save writes the ages every few hours, or now; nothing where nothing is left to erase. Lost ages
// only make the files stay longer.
func (e *eraser) save(now bool) error {
	waits := false
	for _, c := range e.closed {
		waits = waits || !c.erased
	}
	if !now && (!waits || e.boot-e.saved < uint64(agedEach)) {
		return nil
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(e.closed)) {
		c := e.closed[name]
		fmt.Fprintf(&b, "%s %d %d %t\n", name, c.ran.Milliseconds(), c.since, c.erased)
	}
	if err := durable.WriteFile(e.files.path(agedName), []byte(b.String()), 0o600); err != nil {
		return err
	}
	e.saved = e.boot
	return nil
}

// readAged reads what it can.
func readAged(path string) map[string]closedFor {
	all := map[string]closedFor{}
	b, _ := os.ReadFile(path)
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
