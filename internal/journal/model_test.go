package journal

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/sync/wire"
)

// model is what a journal must be: a list that only grows.
type model struct {
	t    *rapid.T
	o    Options
	j    *Journal
	stop func()
	want []wire.Ref // acknowledged, in order
}

func (m *model) start() {
	j, err := Open(m.o)
	if err != nil {
		m.t.Fatal(err)
	}
	j.retryMin = time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = j.Run(ctx) })
	m.j, m.stop = j, func() { cancel(); running.Wait() }
	m.append(1)
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

// crash goes on with a copy of the folder as it stands, and with nothing that
// the first journal had in memory.
func (m *model) crash(dir string) {
	m.stop2(func() {
		if err := os.CopyFS(dir, os.DirFS(m.o.Dir)); err != nil {
			m.t.Fatal(err)
		}
	})
	m.o.Dir = dir
	m.start()
}

// stop2 runs f while no file changes, then stops the journal.
func (m *model) stop2(f func()) {
	m.j.upkeep.Lock()
	f()
	m.j.upkeep.Unlock()
	m.stop()
}

func (m *model) check() {
	var at Position
	var got []wire.Ref
	next := map[uint64]uint64{}
	for {
		list, after, err := m.j.Entries(context.Background(), at, 7)
		if err != nil {
			m.t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, e := range list {
			if e.Sequence != next[e.Epoch] {
				m.t.Fatalf("entry %v follows %d", e.Position, next[e.Epoch])
			}
			next[e.Epoch]++
			h, err := wire.DecodeHeader(e.Header)
			if err != nil {
				m.t.Fatal(err)
			}
			if h.Kind == wire.KindAccess {
				got = append(got, wire.Ref{Boot: h.Boot, Counter: h.Counter})
			}
		}
		at = after
	}
	if len(got) != len(m.want) {
		m.t.Fatalf("%d entries, want %d", len(got), len(m.want))
	}
	for i := range got {
		if got[i] != m.want[i] {
			m.t.Fatalf("entry %d is %v, want %v", i, got[i], m.want[i])
		}
	}
	s := m.j.Status()
	if root, err := m.j.Root(context.Background(), s.Position); err != nil || root != s.Root {
		m.t.Fatalf("root %v, %v; status says %v", root, err, s.Root)
	}
}

// Whatever the order of appends, restarts and cuts: what was acknowledged is
// there, once, in order, with no sequence number missing.
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
			switch rapid.IntRange(0, 4).Draw(rt, "step") {
			case 0:
				m.stop()
				m.start()
			case 1:
				m.crash(dir())
			default:
				m.append(rapid.IntRange(1, 15).Draw(rt, "appends"))
			}
			m.check()
		}
		m.stop()
	})
}
