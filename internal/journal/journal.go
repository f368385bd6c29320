// Package journal is the append-only log of a gateway: every entry durable
// before a door relies on it, hashed into an RFC 6962 tree, kept in bbolt files
// of bounded size, and never in the way of the door. docs/journal.md has the
// bytes.
//
// Entries are given to Append or Queue; one goroutine, the writer, commits all
// that wait in one transaction. A sick disk never ends Run and never blocks
// Append for longer than its context: entries wait in a bounded queue, the
// journal says that it is degraded, and it goes on when the disk does.
//
// The package refuses to rewrite an entry, to repair a damaged file (it is set
// aside whole), to delete anything while the clock is not trusted, and to tell
// a reader of an entry that is not durable yet.
package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	bolt "go.etcd.io/bbolt"

	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

var (
	// ErrQueued means that the context ended first: the entry is queued and
	// will be written, but is not durable yet.
	ErrQueued = errors.New("entry is queued, not durable yet")
	// ErrDegraded means that the journal can't make entries durable now and
	// that waiting is of no use. The entry is queued.
	ErrDegraded = errors.New("journal is degraded: entry is queued, not durable")
	// ErrDropped means that there was no room for the entry; a gap entry will
	// count it.
	ErrDropped = errors.New("entry dropped: no room")
	// ErrGone means that the epoch of a position is not in this journal (any more).
	ErrGone = errors.New("no such epoch in the journal")
)

// Stamp is the time of an entry as the gateway knows it.
type Stamp struct {
	BootTime uint64            // CLOCK_BOOTTIME, ns
	Wall     int64             // ms since 1970-01-01T00:00:00Z
	Quality  wire.ClockQuality // where Wall came from
	Trusted  bool              // whether files may be closed or deleted by it
}

// Options of a journal. Dir and Clock are required; the rest has defaults.
type Options struct {
	Dir        string       // made if it is not there
	Clock      func() Stamp // called for each entry, under a lock: quick, and it must not call the journal
	BootID     [16]byte     // the kernel's boot id, for the boot entry
	Log        zerolog.Logger
	MaxEntries uint64        // of a file; 50,000
	MaxAge     time.Duration // of a file, by the trusted clock; 7 days
	MaxBytes   int64         // of the folder, damaged files and tree included; 512 MiB
	Ballast    int64         // bytes kept back for a full disk; 4 MiB, negative for none
	Queue      int           // entries that wait in memory at most; 10,000
	Anchors    AnchorStore   // nil: nobody notices when the whole journal is deleted or set back
	Uplink     bool          // a registry is to have all entries: deleting one that it has not is a gap
	// Verify checks a file before it is used: nil if it is good, an error that
	// wraps durable.ErrDamaged if it is not, any other if it could not be
	// checked. A fault while checking can end the process, so give it one of
	// its own: VerifyBy. Nil checks in this process (for tests).
	Verify func(ctx context.Context, path string) error
	// EraseAfter is how long a file has to be closed, and with Uplink what is in it
	// safe at the registry, before its who parts are erased; 0: 30 days, negative:
	// never. Where the registry has them and never says that they are safe, 30 days
	// more; what it does not have is not erased.
	EraseAfter time.Duration
	// KeepEvery is how often the files are looked after when nothing else is the
	// reason to: missing files, space, age; 1 min.
	KeepEvery time.Duration
	// Sync is called before each commit, by the goroutine that makes it: it may
	// wait, as a slow disk does. Nil: nothing is called.
	Sync func()
}

// Position of an entry: the sequence numbers of each epoch start at 0. The
// zero Position stands before the oldest entry; no epoch is 0.
type Position struct {
	Epoch    uint64
	Sequence uint64
}

// Journal is the log. All methods are safe for concurrent use, also before Run
// and after it.
type Journal struct {
	o        Options
	boot     uint64
	wake     chan struct{} // to the writer: something is queued or suspect
	work     chan struct{} // to the keeper
	index    sync.Mutex    // held while the epochs file is read or changed
	upkeep   sync.Mutex    // held while closed files are moved, rewritten or deleted
	moving   sync.Mutex    // held by NewEpoch
	retryMin time.Duration // between attempts on a sick disk, doubling from here
	retryMax time.Duration
	noSync   bool                     // only for tests that must lose entries
	fault    func(point string) error // only for tests: errors of a disk
	room     func(dir string) (free int64, percent int, err error)

	anchors   anchors
	indexTold atomic.Bool // that the epochs file is bad was told

	mu       sync.Mutex
	counter  uint64
	queue    queue
	inflight []*item // taken by the writer, not yet durable
	degraded bool
	reason   wire.Reason
	problem  string
	dropped  uint64
	files    []file     // oldest first; while cur is open, the last is cur's
	cur      *bolt.DB   // of the writer; nil while no file is open
	next     uint64     // the first sequence not durable, in the epoch of the last file
	tree     tree.Range // of that epoch at size next
	suspect  bool       // a reader found the current file damaged
	move     *move      // a copied tail that waits for the writer
	copying  uint64     // epoch that NewEpoch makes; its files do not count yet
	tight    bool       // space is short: denials get at most half
	low, all uint64     // written since it is
	bytes    int64
	percent  int  // of MaxBytes
	disk     int  // percent of the file system in use
	spent    bool // see Status
	acked    Position
	safe     Position // the registry can't lose what is before it
	changed  chan struct{}
}

// Open makes the journal of a folder and gives this run its boot number. It
// starts nothing, and a sick disk is no error: if the little file with the
// number of the last run can't be read or written, the number is a random one
// above 2^32, so that it can't meet an earlier one. An error is a mistake in o.
func Open(o Options) (*Journal, error) {
	if o.Dir == "" || o.Clock == nil {
		return nil, errors.New("open journal: no folder or no clock")
	}
	o = o.withDefaults()
	j := &Journal{
		o: o, wake: make(chan struct{}, 1), work: make(chan struct{}, 1), changed: make(chan struct{}),
		retryMin: 100 * time.Millisecond, retryMax: 30 * time.Second,
		queue: queue{limit: o.Queue}, room: diskSpace,
	}
	var err error
	if j.boot, err = nextBoot(o.Dir); err != nil {
		j.o.Log.Error().Err(err).Uint64("boot", j.boot).Msg("journal: boot number is a random one")
	}
	if j.acked, err = readPosition(j.path(ackedName)); err != nil {
		j.o.Log.Error().Err(err).Msg("journal: cursor of the uplink starts again")
	}
	if j.safe, err = readPosition(j.path(safeName)); err != nil {
		j.o.Log.Error().Err(err).Msg("journal: what the registry can't lose is not known")
	}
	j.anchors.load(o.Anchors)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.note(wire.Header{Kind: wire.KindBoot, Detail: o.BootID[:]})
	return j, nil
}

func (o Options) withDefaults() Options {
	if o.MaxEntries == 0 {
		o.MaxEntries = 50_000
	}
	if o.KeepEvery <= 0 {
		o.KeepEvery = keepEvery
	}
	if o.MaxAge == 0 {
		o.MaxAge = 7 * 24 * time.Hour
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 512 << 20
	}
	if o.Ballast == 0 {
		o.Ballast = 4 << 20
	}
	if o.Queue == 0 {
		o.Queue = 10_000
	}
	if o.EraseAfter == 0 {
		o.EraseAfter = 30 * 24 * time.Hour
	}
	if o.Verify == nil {
		o.Verify = func(_ context.Context, path string) error {
			_, err := Verify(path)
			return err
		}
	}
	return o
}

// Append writes one entry; boot number, counter and times of h are filled in.
// Nil means durable. If ctx ends first the entry stays queued (ErrQueued), and
// if that was its deadline the journal is degraded until a commit succeeds:
// then Append returns at once with ErrDegraded. The Ref names the entry in all
// these cases. Other errors: a malformed entry, or ErrDropped; nothing is
// queued then.
func (j *Journal) Append(ctx context.Context, h wire.Header, who wire.Who) (wire.Ref, error) {
	it := &item{header: h}
	err := j.append(ctx, it, who)
	return it.ref, err
}

func (j *Journal) append(ctx context.Context, it *item, who wire.Who) error {
	done := make(chan error, 1)
	it.done = done
	if err := j.enqueue(it, who); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done: // both at once: it is durable
		return err
	default:
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		j.mu.Lock()
		j.degrade(wire.ReasonSlowDisk, ctx.Err())
		j.mu.Unlock()
	}
	return fmt.Errorf("%w: %w", ErrQueued, ctx.Err())
}

// Queue writes one entry without waiting for it. A malformed entry is logged
// and counts as nothing: its Ref is zero, as is that of a dropped one.
func (j *Journal) Queue(h wire.Header, who wire.Who) wire.Ref {
	it := &item{header: h}
	if err := j.enqueue(it, who); err != nil && !errors.Is(err, ErrDegraded) {
		if !errors.Is(err, ErrDropped) {
			j.o.Log.Error().Err(err).Str("kind", h.Kind.String()).Msg("journal: entry refused")
		}
		return wire.Ref{}
	}
	return it.ref
}

func (j *Journal) enqueue(it *item, who wire.Who) error {
	var err error
	if it.who, err = who.Encode(); err != nil {
		return fmt.Errorf("append to journal: %w", err)
	}
	if it.who != nil {
		rand.Read(it.salt[:]) // never fails: it ends the program instead
	}
	it.low = lowClass(it.header)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.overShare(it.low) {
		j.drop(&item{}, wire.ReasonDiskFull)
		return ErrDropped
	}
	stamp := j.o.Clock()
	h := &it.header
	h.Boot, h.Counter = j.boot, j.counter
	h.BootTime, h.Wall, h.Clock = stamp.BootTime, stamp.Wall, stamp.Quality
	if err := it.seal(); err != nil {
		return fmt.Errorf("append to journal: %w", err)
	}
	j.counter++
	it.ref = wire.Ref{Boot: h.Boot, Counter: h.Counter}
	victim := j.queue.push(it)
	if victim != nil {
		j.drop(victim, wire.ReasonQueueFull)
	}
	poke(j.wake)
	switch {
	case victim == it:
		it.ref = wire.Ref{}
		return ErrDropped
	case j.degraded:
		it.done = nil // nobody waits
		return ErrDegraded
	}
	return nil
}

// note queues an entry of the journal about itself. The caller holds mu.
func (j *Journal) note(h wire.Header) {
	stamp := j.o.Clock()
	h.Boot, h.Counter = j.boot, j.counter
	h.BootTime, h.Wall, h.Clock = stamp.BootTime, stamp.Wall, stamp.Quality
	j.counter++
	it := &item{header: h, ref: wire.Ref{Boot: h.Boot, Counter: h.Counter}}
	if h.Kind == wire.KindGap {
		j.queue.gap = it
		j.queue.high = append(j.queue.high, it) // may stand above the limit: there is one
	} else if victim := j.queue.push(it); victim != nil {
		j.drop(victim, wire.ReasonQueueFull)
	}
	poke(j.wake)
}

// drop counts an entry that had no room in the gap entry of this run of drops.
// The caller holds mu.
func (j *Journal) drop(victim *item, reason wire.Reason) {
	n := uint64(1)
	if victim.header.Kind == wire.KindGap {
		n = victim.header.Count
		if j.queue.gap == victim {
			j.queue.gap = nil
		}
	} else {
		j.dropped++
	}
	if j.queue.gap == nil || j.queue.gap.header.Reason != reason {
		j.note(wire.Header{Kind: wire.KindGap, Reason: reason})
	}
	j.queue.gap.header.Count += n
	victim.finish(ErrDropped)
}

// overShare says whether a denial or fault would take more than half of what
// is written while space is short. The caller holds mu.
func (j *Journal) overShare(low bool) bool {
	const head = 8 // the first few always pass
	if !j.tight {
		return false
	}
	if low && 2*(j.low+1) > j.all+1+head {
		return true
	}
	j.all++
	if low {
		j.low++
	}
	return false
}

// degrade ends all waiting until a commit succeeds. The caller holds mu.
func (j *Journal) degrade(reason wire.Reason, err error) {
	j.problem = err.Error()
	if j.degraded {
		return
	}
	j.degraded, j.reason = true, reason
	j.o.Log.Error().Err(err).Str("reason", reason.String()).Msg("journal: degraded")
	for _, list := range [][]*item{j.inflight, j.queue.low, j.queue.high} {
		for _, it := range list {
			it.finish(ErrDegraded)
		}
	}
	j.note(wire.Header{Kind: wire.KindJournal, Outcome: wire.OutcomeActive, Reason: reason})
}

// recovered is called after each commit. The caller holds mu.
func (j *Journal) recovered() {
	if !j.degraded {
		return
	}
	reason := j.reason
	j.degraded, j.reason, j.problem = false, wire.ReasonNone, ""
	j.o.Log.Info().Msg("journal: entries are durable again")
	j.note(wire.Header{Kind: wire.KindJournal, Outcome: wire.OutcomeIdle, Reason: reason})
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (j *Journal) path(name string) string { return filepath.Join(j.o.Dir, name) }
