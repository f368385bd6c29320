// Package erasing takes the who parts out of a journal's closed files when their time is over. They are stored in
// clear, so that the gateway can answer without a network. A closed file is rewritten without them, since deleting
// inside a bbolt file would leave the bytes; their hashes stay, and so does the tree.
//
// It refuses to erase by one clock alone: a file must have been closed for long enough by the wall clock, while that is
// trusted, and by CLOCK_BOOTTIME while the daemon ran. What an order has forgotten goes by no clock. It erases
// nothing that is preserved, as long as it is.
package erasing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/audit"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

const (
	// AgedName is the file in a journal's directory that says how long files have been closed.
	AgedName = "aged"
	agedEach = 4 * time.Hour
	// unsafeMore is how much longer who parts stay where the registry has them and does not say
	// that it can't lose them.
	unsafeMore = 30 * 24 * time.Hour
	// eraseAgain is the pause after a file that could not be rewritten.
	eraseAgain = 24 * time.Hour
	// lookAgain is the pause after a look that left something, as it is preserved.
	lookAgain = time.Hour
)

// After returns for how long a file has been closed when its who parts go, and those that are kept briefly. It is asked each
// round, since a policy may change it. Negative: nothing goes by age.
type After func() (all, brief time.Duration)

// Options are what an eraser needs of its journal. All but Preserved, Brief and Learned are required.
type Options struct {
	Queue  *Queue
	Dir    string
	After  After
	Uplink bool // a registry is to have all entries first
	Clock  func() journaled.Stamp
	Files  func() *catalogue.Catalogue // as they are now
	// Check verifies a closed file.
	Check func(context.Context, catalogue.File) error
	// Rewrite makes a closed file anew without the who parts that erase is true for.
	Rewrite func(ctx context.Context, f catalogue.File, erase func(journaled.Stored) bool) error
	// Append returns nil once the entry is durable.
	Append    func(context.Context, wire.Header) error
	SaveHints func() error // durably: it goes by them
	// Each calls each with all durable entries, also those of the open file.
	Each func(ctx context.Context, each func(journaled.Entry) error) error
	// Turn has the open file closed soon, and Again another round made soon.
	Turn, Again func()
	Copying     func() bool            // whether a new epoch is being made from closed files
	Preserved   func(wire.Header) bool // whether an entry is kept from erasing; nil: none is
	Brief       func(wire.Who) bool    // whether a who part is kept for a shorter time; nil: none is
	Learned     func() uint64          // counts how often Brief has come to know more; nil: it never does
	Log         zerolog.Logger
}

// closedFor is how long a file has been closed.
type closedFor struct {
	ran    time.Duration // by CLOCK_BOOTTIME, while the daemon ran
	since  int64         // ms, by the trusted clock that first saw it closed; 0: none yet
	erased bool          // nothing is left to erase
	brief  bool          // of what is kept briefly nothing is left; found out once a run
	look   uint64        // CLOCK_BOOTTIME before which it is not looked at, since what is left has to stay for now
}

// isOlder reports whether a file has been closed for so long, by both clocks.
func (c closedFor) isOlder(than time.Duration, stamp journaled.Stamp) bool {
	return stamp.Trusted && c.since != 0 && c.ran >= than && stamp.Wall-c.since >= than.Milliseconds()
}

// Eraser erases the who parts of closed files when their time is over. For one goroutine.
type Eraser struct {
	o      Options
	closed map[string]closedFor // by the name of the file; nil before the first round
	boot   uint64               // CLOCK_BOOTTIME of the last round, ns
	saved  uint64               // CLOCK_BOOTTIME when closed was written
	again  uint64               // no erasing before this
	learnt uint64               // Learned, when it was found out of which files nothing brief is left
	asked  look                 // of Queue
}

// New makes the eraser of a journal. It touches nothing yet.
func New(o Options) *Eraser { return &Eraser{o: o} }

// Stop saves the ages for the next run.
func (e *Eraser) Stop() error {
	if e.boot <= e.saved {
		return nil
	}
	return e.save(true)
}

// age adds the time since the last round to every closed file.
func (e *Eraser) age(stamp journaled.Stamp, closed []catalogue.File) {
	if e.closed == nil {
		e.closed = readAged(e.path())
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

// Round erases the who parts of at most two files: of one what is to be forgotten, of one what is over.
func (e *Eraser) Round(ctx context.Context) error {
	now, stamp := e.o.Files(), e.o.Clock()
	if now.Open == nil {
		return nil
	}
	return errors.Join(e.orders(ctx, now, stamp.BootTime), e.ages(ctx, now, stamp))
}

// ages erases the who parts of at most one file that is over.
func (e *Eraser) ages(ctx context.Context, now *catalogue.Catalogue, stamp journaled.Stamp) error {
	after, briefAfter := e.o.After()
	if after < 0 {
		return nil
	}
	acked, safe := now.WholeBefore(now.Acked), now.WholeBefore(now.Safe)
	e.age(stamp, now.Closed())
	e.learn()
	for i, f := range now.Closed() {
		c := e.closed[filepath.Base(f.Path)]
		var more time.Duration
		switch {
		case e.o.Uplink && i >= acked:
			continue // nobody else has these who parts
		case e.o.Uplink && i >= safe:
			more = unsafeMore
		}
		all := c.isOlder(after+more, stamp)
		some := e.o.Brief != nil && !c.brief && c.isOlder(briefAfter+more, stamp)
		if c.erased || stamp.BootTime < max(e.again, c.look) || !all && !some {
			continue
		}
		if err := e.over(ctx, f, all, stamp.BootTime); err != nil {
			e.again = stamp.BootTime + uint64(eraseAgain)
			return err
		}
		return e.save(true)
	}
	return e.save(false)
}

// learn has all files looked at again when more is known of who is kept briefly.
func (e *Eraser) learn() {
	if e.o.Learned == nil || e.o.Learned() == e.learnt {
		return
	}
	e.learnt = e.o.Learned()
	for name, c := range e.closed {
		c.brief = false
		e.closed[name] = c
	}
}

// over erases what is not preserved of a file that is over: all who parts, or those that are kept briefly.
func (e *Eraser) over(ctx context.Context, f catalogue.File, all bool, boot uint64) error {
	n, kept, err := e.erase(ctx, f, func(s journaled.Stored) bool { return all || e.isBrief(s) })
	if err != nil {
		return err
	}
	name := filepath.Base(f.Path)
	if n > 0 { // of all who came: an order's would be how often one person did
		e.o.Log.Info().Str("file", name).Int("entries", n).Msg("journal: who parts erased")
	}
	c := e.closed[name]
	if c.brief, c.erased = kept == 0, all && kept == 0; kept > 0 {
		c.look = boot + uint64(lookAgain)
	}
	e.closed[name] = c
	return nil
}

// erase rewrites a closed file without the who parts that are due and not preserved, and returns how many of those that
// are due went and how many were kept. The entry about it is durable first.
func (e *Eraser) erase(ctx context.Context, f catalogue.File, due func(journaled.Stored) bool) (n, kept int, err error) {
	if err := e.o.Check(ctx, f); err != nil {
		return 0, 0, err
	}
	end := f.First
	goes := func(s journaled.Stored) bool { return len(s.Who) > 0 && due(s) && !e.preserved(s) }
	err = segment.Walk(f.Path, func(seq uint64, s journaled.Stored) {
		switch end = seq + 1; {
		case goes(s):
			n++
		case len(s.Who) > 0 && due(s):
			kept++
		}
	})
	if err != nil || n == 0 {
		return 0, kept, err
	}
	if err := e.o.SaveHints(); err != nil {
		return 0, kept, err
	}
	h := wire.Header{Kind: wire.KindSpace, Reason: wire.ReasonWhosErased, Count: uint64(n), Detail: audit.Numbers(f.Epoch, f.First, end)}
	if err := e.o.Append(ctx, h); err != nil {
		return 0, kept, fmt.Errorf("journal the erasing in %s: %w", f.Path, err)
	}
	if err := e.o.Rewrite(ctx, f, goes); err != nil {
		return 0, kept, err
	}
	return n, kept, nil
}

// isBrief reports whether an entry's who part is kept for a shorter time.
func (e *Eraser) isBrief(s journaled.Stored) bool {
	w, err := wire.DecodeWho(s.Who)
	return err == nil && e.o.Brief(w)
}

// preserved reports whether an entry is kept from erasing. One that can't be read is not: no order can mean it.
func (e *Eraser) preserved(s journaled.Stored) bool {
	if e.o.Preserved == nil {
		return false
	}
	h, err := wire.DecodeHeader(s.Header)
	return err == nil && e.o.Preserved(h)
}

func (e *Eraser) path() string { return filepath.Join(e.o.Dir, AgedName) }

// save writes the ages every few hours, or now; nothing where nothing is left to erase. Lost ages
// only make the files stay longer.
func (e *Eraser) save(now bool) error {
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
	if err := durable.WriteFile(e.path(), []byte(b.String()), 0o600); err != nil {
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
