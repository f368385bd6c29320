package journal

import (
	"context"
	"crypto/sha512"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/backoff"
	"gatehouse/sync/wire"
)

// place is a position.
func place(epoch, sequence uint64) Position {
	return Position{Epoch: epoch, Sequence: sequence}
}

// testClock is a clock that ticks by itself and can be set.
type testClock struct {
	wall      atomic.Int64
	boot      atomic.Uint64
	untrusted atomic.Bool
}

func (c *testClock) stamp() Stamp {
	return Stamp{
		BootTime: c.boot.Add(1000), Wall: c.wall.Add(1), Quality: wire.ClockNTP, Trusted: !c.untrusted.Load(),
	}
}

func newClock() *testClock {
	c := &testClock{}
	c.wall.Store(1_795_392_000_000)
	return c
}

// rig is a journal in a directory that can be started and stopped.
type rig struct {
	t    *testing.T
	o    Options
	j    *Journal
	stop func()

	ahead    int64 // bytes of the write-ahead file, -1 for none; 0: as many as a journal has
	realDisk bool  // its space is looked at; else there is always room, as no machine promises

	hook atomic.Pointer[func(string) error] // faults of the disk
}

// fault sets what the disk does wrong from now on, also while the journal runs.
func (r *rig) fault(f func(point string) error) { r.hook.Store(&f) }

func newRig(t *testing.T, change func(*Options)) *rig {
	o := Options{Dir: filepath.Join(t.TempDir(), "journal"), Clock: newClock().stamp, Ballast: -1, Log: zerolog.Nop()}
	if testing.Verbose() {
		o.Log = zerolog.New(zerolog.NewTestWriter(t))
	}
	if change != nil {
		change(&o)
	}
	return &rig{t: t, o: o}
}

// open makes the journal without running it.
func (r *rig) open() *Journal {
	r.t.Helper()
	j, err := Open(r.o)
	if err != nil {
		r.t.Fatal(err)
	}
	j.retry = backoff.New(5*time.Millisecond, 20*time.Millisecond)
	if !r.realDisk {
		j.space.free = roomy
	}
	if r.ahead != 0 {
		j.files.ahead = max(r.ahead, 0)
	}
	r.hook.Store(nil)
	j.files.fault = func(point string) error {
		if f := r.hook.Load(); f != nil {
			return (*f)(point)
		}
		return nil
	}
	r.j = j
	return j
}

// roomy is the space of a disk that is nearly empty.
func roomy(string) (free int64, percent int, err error) { return 1 << 40, 1, nil }

func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	j := r.j
	running.Go(func() {
		if err := j.Run(ctx); err != nil {
			r.t.Errorf("Run: %v", err)
		}
	})
	r.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	r.t.Cleanup(r.stop)
}

func (r *rig) start() *Journal {
	r.t.Helper()
	r.open()
	r.run()
	return r.j
}

// looked waits until the running journal has measured its space: the next
// measure comes with the next minute.
func (r *rig) looked() {
	r.t.Helper()
	eventually(r.t, "first look after space", func() bool {
		return r.j.Status().Bytes > 0
	})
}

// rounds lets the keeper of the running journal go two rounds, so that one is whole.
func (r *rig) rounds() {
	r.t.Helper()
	for range 2 {
		r.j.space.mu.Lock()
		r.j.space.now.Bytes = 0
		r.j.space.mu.Unlock()
		poke(r.j.files.work) // what the minute's tick does
		r.looked()
	}
}

func (r *rig) append(h wire.Header, who wire.Who) wire.Ref {
	r.t.Helper()
	ref, err := r.j.Append(context.Background(), h, who)
	if err != nil {
		r.t.Fatal(err)
	}
	return ref
}

// all reads every entry.
func (r *rig) all() []Entry {
	r.t.Helper()
	var list []Entry
	var at Position
	for {
		more, next, err := r.j.Entries(context.Background(), at, 300)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(more) == 0 {
			return list
		}
		list, at = append(list, more...), next
	}
}

func (r *rig) headers() []wire.Header {
	r.t.Helper()
	var list []wire.Header
	for _, e := range r.all() {
		h, err := wire.DecodeHeader(e.Header)
		if err != nil {
			r.t.Fatal(err)
		}
		list = append(list, h)
	}
	return list
}

// eventually waits for a condition that the journal's goroutines bring about; the
// keeper, if something was in its way, when it looks again after a minute.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func granted() wire.Header {
	return wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: "front", Source: "street", Direction: wire.DirectionIn}
}

func denied() wire.Header {
	return wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeDenied, Reason: wire.ReasonUnknown, Door: "front", Source: "street"}
}

// somebody has ids of which no byte of a file tells by chance.
func somebody(n byte) wire.Who {
	sum := sha512.Sum512([]byte{n})
	credential, grant, tenancy := wire.CredentialID(sum[:17]), wire.ID(sum[17:33]), wire.ID(sum[33:49])
	return wire.Who{Credential: &credential, Grant: &grant, Tenancy: &tenancy}
}

func kinds(list []wire.Header) []wire.Kind {
	var k []wire.Kind
	for _, h := range list {
		k = append(k, h.Kind)
	}
	return k
}

func files(t *testing.T, dir, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAppendReadRestart(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	first := r.append(granted(), somebody(1))
	r.append(wire.Header{Kind: wire.KindOpened, Door: "front"}, wire.Who{})
	epoch := r.j.Status().Epoch
	r.stop()
	r.start()
	second := r.append(granted(), somebody(2))
	if first.Boot != 1 || second.Boot != 2 || first.Counter != 1 {
		t.Errorf("refs %v and %v, want boots 1 and 2", first, second)
	}
	list := r.all()
	want := []wire.Kind{wire.KindBoot, wire.KindAccess, wire.KindOpened, wire.KindBoot, wire.KindAccess}
	for i, k := range kinds(r.headers()) {
		if k != want[i] || list[i].Position != (place(epoch, uint64(i))) {
			t.Errorf("entry %d is %v at %v, want %v", i, k, list[i].Position, want[i])
		}
	}
	if len(list) != len(want) {
		t.Errorf("%d entries, want %d", len(list), len(want))
	}
	if s := r.j.Status(); s.Sequence != 5 || s.Degraded || s.Queued != 0 {
		t.Errorf("status %+v", s)
	}
}

func TestAppendBeforeRun(t *testing.T) {
	r := newRig(t, nil)
	r.open()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	ref, err := r.j.Append(ctx, granted(), somebody(1))
	if !errors.Is(err, ErrQueued) || !errors.Is(err, context.DeadlineExceeded) || ref.Boot != 1 {
		t.Fatalf("Append before Run: %v, %v", ref, err)
	}
	if s := r.j.Status(); !s.Degraded { // the next Append would wait for ever
		t.Fatalf("after a spent budget: %+v", s)
	}
	if _, err := r.j.Append(context.Background(), granted(), somebody(2)); !errors.Is(err, ErrDegraded) {
		t.Fatalf("Append while degraded: %v, want ErrDegraded", err)
	}
	r.run()
	eventually(t, "recovers", func() bool { return !r.j.Status().Degraded && r.j.Status().Queued == 0 })
	got := kinds(r.headers())
	want := []wire.Kind{wire.KindBoot, wire.KindAccess, wire.KindJournal, wire.KindAccess, wire.KindJournal}
	if len(got) != len(want) {
		t.Fatalf("entries %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("entries %v, want %v", got, want)
		}
	}
}

func TestMalformedEntry(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	if _, err := r.j.Append(context.Background(), wire.Header{Kind: wire.KindAccess, Door: "Not A Name"}, wire.Who{}); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("Append of a bad door id: %v", err)
	}
	if ref := r.j.Queue(wire.Header{}, wire.Who{}); ref != (wire.Ref{}) {
		t.Errorf("Queue of an entry without kind gave %v", ref)
	}
	if ref := r.append(granted(), wire.Who{}); ref.Counter != 1 {
		t.Errorf("a refused entry took a number: %v", ref)
	}
}

func TestRotateAndPack(t *testing.T) {
	r := newRig(t, func(o *Options) { o.MaxEntries = 10 })
	r.start()
	for i := range 35 {
		r.append(granted(), somebody(byte(i)))
	}
	eventually(t, "closed files are packed", func() bool {
		for _, f := range r.j.cat.Load().Files[:len(r.j.cat.Load().Files)-1] {
			if !f.Packed {
				return false
			}
		}
		return len(r.j.cat.Load().Files) == 4
	})
	if n := len(files(t, r.o.Dir, "*.db")); n != 4 {
		t.Errorf("%d entry files, want 4", n)
	}
	for round := range 2 {
		for i, e := range r.all() {
			if e.Sequence != uint64(i) {
				t.Fatalf("round %d: entry %d has sequence %d", round, i, e.Sequence)
			}
		}
		if s := r.j.Status(); s.Sequence != 36+uint64(round) {
			t.Fatalf("round %d: status %+v", round, s)
		}
		r.stop()
		r.start()
		eventually(t, "boot entry", func() bool { return r.j.Status().Sequence == 37+uint64(round) })
	}
}

func TestAck(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	for range 5 {
		r.append(granted(), somebody(1))
	}
	epoch := r.j.Status().Epoch
	if err := r.j.Ack(place(epoch, 3)); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]Position{"back": place(epoch, 2), "ahead": place(epoch, 7), "other epoch": place(epoch+1, 0)} {
		if err := r.j.Ack(p); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	r.stop()
	r.start()
	if got := r.j.Acked(); got != (place(epoch, 3)) {
		t.Errorf("after a restart the cursor is %v", got)
	}
}

func TestIdleWritesNothing(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	r.append(granted(), somebody(1))
	state := func() (s string) {
		for _, f := range files(t, r.o.Dir, "*") {
			info, err := os.Stat(f)
			if err != nil {
				t.Fatal(err)
			}
			s += info.Name() + info.ModTime().String()
		}
		return s
	}
	r.looked()
	before := state()
	for range 5 {
		r.j.in.Poke()
		eventually(t, "the writer has looked", func() bool { return len(r.j.in.Wake()) == 0 })
		r.rounds()
	}
	if after := state(); after != before {
		t.Errorf("an idle journal wrote:\n%s\n%s", before, after)
	}
}
