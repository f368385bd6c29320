package journal

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/internal/backoff"
	"gatehouse/sync/wire"
)

// model is what a journal must be: a list that only grows, and a place in it up
// to which the registry has it.
type model struct {
	t    *rapid.T
	o    Options
	j    *Journal
	stop func()
	at   atomic.Pointer[func(point string) error] // the fault of the journal, which reads it at any time
	want []wire.Ref                               // told to be durable, in order

	acked int // of want, those before the cursor of the uplink
	sure  int // of those, what no crash takes back
}

func (m *model) start() {
	j, err := Open(m.o)
	if err != nil {
		m.t.Fatal(err)
	}
	j.retry, j.space.free = backoff.New(time.Millisecond, 30*time.Second), roomy
	j.files.fault = func(point string) error {
		if at := m.at.Load(); at != nil {
			return (*at)(point)
		}
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = j.Run(ctx) })
	m.j, m.stop = j, func() { cancel(); running.Wait() }
	m.append(1)
	if len(m.want) == 1 { // the first cursor is saved at once
		if err := m.j.Ack(m.j.Head().Oldest); err != nil {
			m.t.Fatal(err)
		}
	}
}

func (m *model) append(n int) {
	for i := range n {
		h := granted()
		if i%3 == 0 {
			h = denied()
		}
		ref, err := m.j.Append(context.Background(), h, somebody(byte(i)))
		if err != nil {
			m.t.Fatal(err)
		}
		m.want = append(m.want, ref)
	}
}

// crash goes on with a copy of the directory as it stands, and with nothing that
// the first journal had in memory.
func (m *model) crash(dir string) {
	m.stop2(func() {
		if err := copyDirectory(dir, m.o.Dir); err != nil {
			m.t.Fatal(err)
		}
	})
	m.o.Dir = dir
	m.start()
	m.fellBack(m.sure)
}

// fellBack takes the cursor as a crash has left it: at a place where it was, not before what is sure.
func (m *model) fellBack(sure int) {
	_, got, _ := m.read(m.j.Acked())
	at := len(m.want) - len(got)
	if at > m.acked || at < sure {
		m.t.Fatalf("after a crash the cursor is behind %d entries, want %d to %d", at, sure, m.acked)
	}
	m.acked, m.sure = at, at
}

// frozen runs f while no closed file and no hint changes.
func (m *model) frozen(f func()) {
	m.j.files.upkeep.Lock()
	defer m.j.files.upkeep.Unlock()
	m.j.hints.Frozen(f)
}

// stop2 runs f while no file changes, then stops the journal.
func (m *model) stop2(f func()) {
	m.frozen(f)
	m.stop()
}

// read returns all entries from a place on, and of which in want each is the
// first that does not stand before it.
func (m *model) read(at Position) (list []Entry, got []wire.Ref, before []int) {
	for {
		more, after, err := m.j.Entries(context.Background(), at, 7)
		if err != nil {
			m.t.Fatal(err)
		}
		if len(more) == 0 {
			return list, got, append(before, len(got))
		}
		for _, e := range more {
			h, err := wire.DecodeHeader(e.Header)
			if err != nil {
				m.t.Fatal(err)
			}
			before = append(before, len(got))
			if h.Kind == wire.KindAccess {
				got = append(got, wire.Ref{Boot: h.Boot, Counter: h.Counter})
			}
		}
		list, at = append(list, more...), after
	}
}

// place draws a position of the journal and says how many of want stand before.
func (m *model) place() (Position, int) {
	list, _, before := m.read(Position{})
	i := rapid.IntRange(0, len(list)).Draw(m.t, "place")
	if i == len(list) {
		return m.j.Status().Position, before[i]
	}
	return list[i].Position, before[i]
}

// ack moves the cursor, if that is forward.
func (m *model) ack() {
	p, n := m.place()
	if n < m.acked {
		return
	}
	if err := m.j.Ack(p); err == nil {
		m.acked = n
	} else if n > m.acked {
		m.t.Fatal(err)
	}
}

// newEpoch appends a tail again. With a directory it goes on, afterwards, with the
// copy of one moment of that: a crash.
func (m *model) newEpoch(crashed string) {
	p, n := m.place()
	old, sure := m.j.Status().Epoch, m.sure
	point := rapid.SampledFrom([]string{"copy", "move", "moved"}).Draw(m.t, "point")
	copied := crashed == ""
	fault := func(at string) error {
		if at == point && !copied {
			copied = true
			m.frozen(func() {
				if err := copyDirectory(crashed, m.o.Dir); err != nil {
					m.t.Error(err)
				}
			})
		}
		return nil
	}
	m.at.Store(&fault)
	if _, err := m.j.NewEpoch(context.Background(), p, headOf(p)); err != nil {
		m.t.Fatal(err)
	}
	if crashed != "" {
		m.stop()
		m.o.Dir = crashed
		m.start()
	}
	moved := m.j.Status().Epoch != old
	if want := crashed == "" || point == "moved"; moved != want {
		m.t.Fatalf("crashed at %s: moved %v", point, moved)
	}
	if crashed == "" || point != "copy" {
		sure = m.acked // it is saved before the epoch counts
	}
	if moved {
		m.acked, sure = min(m.acked, n), min(sure, n)
	}
	m.sure = sure
	if crashed != "" {
		m.fellBack(sure)
	}
}

func (m *model) check() {
	list, got, _ := m.read(Position{})
	next := map[uint64]uint64{}
	for _, e := range list {
		if e.Sequence != next[e.Epoch] {
			m.t.Fatalf("entry %v follows %d", e.Position, next[e.Epoch])
		}
		next[e.Epoch]++
	}
	if !slices.Equal(got, m.want) {
		m.t.Fatalf("entries %v, want %v", got, m.want)
	}
	if _, got, _ := m.read(m.j.Acked()); !slices.Equal(got, m.want[m.acked:]) {
		m.t.Fatalf("cursor %v: %d entries follow, want %d", m.j.Acked(), len(got), len(m.want)-m.acked)
	}
	s := m.j.Status()
	if root, err := m.j.Root(context.Background(), s.Position); err != nil || root != s.Root {
		m.t.Fatalf("root %v, %v; status says %v", root, err, s.Root)
	}
}

// Whatever the order of appends, restarts, cuts, and epochs that append a tail
// again: what was told to be durable is there, once, in order, with no sequence
// number missing, and what the registry lacks follows its cursor.
func TestModel(t *testing.T) {
	base := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		dir := func() string {
			n++
			return filepath.Join(base, string(rune('a'+n%26))+time.Now().Format("150405.000000000"))
		}
		m := &model{t: rt, o: Options{
			Dir: dir(), Clock: newClock().stamp, Ballast: -1,
			MaxEntries: uint64(rapid.IntRange(1, 20).Draw(rt, "entries a file")),
		}}
		m.start()
		for range rapid.IntRange(1, 6).Draw(rt, "steps") {
			switch rapid.IntRange(0, 8).Draw(rt, "step") {
			case 0:
				m.stop()
				m.sure = m.acked
				m.start()
			case 1:
				m.crash(dir())
			case 2:
				m.ack()
			case 3:
				m.newEpoch("")
			case 4:
				m.ack()
				m.newEpoch(dir())
			default:
				m.append(rapid.IntRange(1, 15).Draw(rt, "appends"))
			}
			m.check()
		}
		m.stop()
	})
}
