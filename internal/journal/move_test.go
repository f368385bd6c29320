package journal

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/journal/audit"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
)

// headOf is a registry's head as NewEpoch cites it.
func headOf(p Position) []byte {
	return audit.Head(p, tlog.Hash{})
}

func stored(list []Entry) (all [][]byte) {
	for _, e := range list {
		all = append(all, e.Encode())
	}
	return all
}

func (r *rig) newEpoch(from Position) Position {
	r.t.Helper()
	p, err := r.j.NewEpoch(context.Background(), from, headOf(from))
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// checkMoved states what stands in a journal whose entries from some place on
// were appended again.
func checkMoved(t *testing.T, r *rig, before []Entry, from int, began Position) {
	t.Helper()
	list := r.all()
	if len(list) < len(before)+1 || list[from].Position != began {
		t.Fatalf("%d entries, the one at %d is at %v; before there were %d, the epoch begins at %v",
			len(list), from, list[min(from, len(list)-1)].Position, len(before), began)
	}
	h, err := wire.DecodeHeader(list[from].Header)
	if err != nil || h.Kind != wire.KindEpoch || len(h.Detail) != audit.HeadSize {
		t.Errorf("the new epoch begins with %+v, %v", h, err)
	}
	var got [][]byte
	for i, e := range list {
		switch {
		case i < from && e.Position != before[i].Position:
			t.Fatalf("entry %d moved from %v to %v", i, before[i].Position, e.Position)
		case i >= from && e.Position != place(began.Epoch, uint64(i-from)):
			t.Fatalf("entry %d is at %v, want %d of the new epoch", i, e.Position, i-from)
		}
		if i != from {
			got = append(got, e.Encode())
		}
	}
	for i, want := range stored(before) {
		if !bytes.Equal(got[i], want) {
			t.Fatalf("entry %d has other bytes than before", i)
		}
	}
}

// verifyAll stops the journal, checks every entry file as "gatehoused verify"
// does and returns how many entries the bytes of each epoch have.
func verifyAll(t *testing.T, r *rig) map[uint64]uint64 {
	t.Helper()
	r.stop()
	size := map[uint64]uint64{}
	for _, path := range files(t, r.o.Dir, "*-*.db") {
		rep, err := segment.Verify(path)
		if err != nil {
			t.Fatal(err)
		}
		size[rep.Epoch] = max(size[rep.Epoch], rep.Next)
	}
	return size
}

func TestNewEpoch(t *testing.T) {
	const n = 64 // with the boot entry
	for name, from := range map[string]int{"all": 0, "in the first file": 5, "in the middle": 30, "in the last": 62, "nothing": n} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(o *Options) { o.MaxEntries, o.Uplink = 20, true })
			r.start()
			for i := range n - 1 {
				r.append(granted(), somebody(byte(i)))
			}
			before, old := r.all(), r.j.Status()
			cursor := place(old.Epoch, uint64(from))
			if err := r.j.Ack(cursor); err != nil {
				t.Fatal(err)
			}
			began := r.newEpoch(cursor)
			if began.Epoch == old.Epoch || began.Sequence != 0 {
				t.Fatalf("it began at %v", began)
			}
			for restart := range 2 {
				checkMoved(t, r, before, from, began)
				s := r.j.Status()
				if s.Epoch != began.Epoch || s.Acked != began || s.Degraded {
					t.Errorf("status %+v", s)
				}
				if root, err := r.j.Root(context.Background(), s.Position); err != nil || root != s.Root {
					t.Errorf("root %v, %v; status says %v", root, err, s.Root)
				}
				if from == 0 && s.Oldest != began || from > 0 && s.Oldest != (place(old.Epoch, 0)) {
					t.Errorf("oldest is %v", s.Oldest)
				}
				if _, err := r.j.Range(context.Background(), place(old.Epoch, n)); from < n && err == nil {
					t.Error("the tree of the old epoch goes on behind its end")
				}
				if err := r.j.Ack(place(old.Epoch, n)); err == nil {
					t.Error("the cursor went back into the old epoch")
				}
				if list, _, err := r.j.Entries(context.Background(), place(old.Epoch, n-1), 1); err != nil || len(list) != 1 || from < n && list[0].Position != began {
					t.Errorf("from within the old tail: %v, %v", list, err)
				}
				if more := files(t, r.o.Dir, "*"+catalogue.NextSuffix+"*"); len(more) > 0 {
					t.Errorf("left over: %v", more)
				}
				if restart == 0 {
					r.append(granted(), somebody(1))
					r.stop()
					r.start()
					r.append(granted(), somebody(2))
				}
			}
			s := r.j.Status()
			if size := verifyAll(t, r); size[old.Epoch] != n+1 || size[began.Epoch] != s.Sequence {
				t.Errorf("files have %v entries, want %d and %d", size, n+1, s.Sequence)
			}
		})
	}
}

// A second one goes over the first: entries of two epochs come together.
func TestNewEpochTwice(t *testing.T) {
	r := newRig(t, func(o *Options) { o.MaxEntries = 20 })
	r.start()
	for i := range 30 {
		r.append(granted(), somebody(byte(i)))
	}
	first := r.all()
	r.newEpoch(place(first[0].Epoch, 25))
	r.append(denied(), somebody(9))
	second := r.all()
	began := r.newEpoch(place(first[0].Epoch, 10))
	checkMoved(t, r, second, 10, began)
	r.stop()
	r.start()
	r.append(granted(), somebody(1))
	checkMoved(t, r, second, 10, began)
	if n := len(find(r.headers(), wire.KindEpoch)); n != 2 {
		t.Errorf("%d epoch entries, want 2", n)
	}
	last := r.all()
	checkMoved(t, r, last, 0, r.newEpoch(Position{}))
}

func TestNewEpochRefuses(t *testing.T) {
	r := newRig(t, func(o *Options) { o.MaxEntries = 20 })
	ctx := context.Background()
	if _, err := r.open().NewEpoch(ctx, Position{}, headOf(Position{})); err == nil {
		t.Error("begun before the journal is open")
	}
	r.run()
	for i := range 70 {
		r.append(granted(), somebody(byte(i)))
	}
	epoch := r.j.Status().Epoch
	eventually(t, "closed files are packed", func() bool {
		return r.j.cat.Load().Files[2].Packed
	})
	if err := r.j.files.remove(r.j.cat.Load().Files[0].Path); err != nil {
		t.Fatal(err)
	}
	before := stored(r.all())
	for name, c := range map[string]struct {
		from   Position
		detail []byte
		want   error
	}{
		"deleted": {place(epoch, 19), headOf(Position{}), ErrGone}, "unknown epoch": {place(epoch+1, 3), headOf(Position{}), ErrGone},
		"ahead": {place(epoch, 99), headOf(Position{}), ErrAhead}, "short detail": {place(epoch, 40), make([]byte, 47), nil},
	} {
		if _, err := r.j.NewEpoch(ctx, c.from, c.detail); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := stored(r.all()); len(after) != len(before) {
		t.Errorf("refusing changed the journal: %d entries, %d before", len(after), len(before))
	}
	if p := r.newEpoch(Position{}); r.j.Status().Oldest != p {
		t.Errorf("from the zero position: oldest is %v", r.j.Status().Oldest)
	}
}

// Why is told from what the registry has.
func TestNewEpochReason(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	r.append(granted(), somebody(1))
	for _, c := range []struct {
		ahead uint64
		want  wire.Reason
	}{{0, wire.ReasonOtherRoot}, {5, wire.ReasonAhead}} {
		p := r.j.Status().Position
		if _, err := r.j.NewEpoch(context.Background(), p, headOf(place(p.Epoch, p.Sequence+c.ahead))); err != nil {
			t.Fatal(err)
		}
		if list := r.headers(); list[len(list)-1].Reason != c.want {
			t.Errorf("registry %d ahead: %v, want %v", c.ahead, list[len(list)-1].Reason, c.want)
		}
	}
}

// Doors go on while the tail is copied: all that they were told is durable is
// there once and in order, and a reader that follows never misses one.
func TestNewEpochWhileDoorsWork(t *testing.T) {
	r := newRig(t, func(o *Options) { o.MaxEntries = 700 })
	r.start()
	for i := range 3000 {
		r.j.Queue(granted(), somebody(byte(i)))
	}
	r.append(granted(), somebody(0))
	epoch := r.j.Status().Epoch
	var doors sync.WaitGroup
	var stop atomic.Bool
	acks := make([][]wire.Ref, 4)
	for d := range acks {
		doors.Go(func() {
			for i := 0; !stop.Load(); i++ {
				ref, err := r.j.Append(context.Background(), granted(), somebody(byte(i)))
				if err != nil {
					t.Error(err)
					return
				}
				acks[d] = append(acks[d], ref)
			}
		})
	}
	seen := map[wire.Ref]bool{}
	doors.Go(func() {
		var at Position
		for i := 0; !stop.Load(); i++ {
			list, next, err := r.j.Entries(context.Background(), at, 300)
			if err != nil {
				t.Error(err)
				return
			}
			for _, e := range list {
				if h, err := wire.DecodeHeader(e.Header); err == nil {
					seen[wire.Ref{Boot: h.Boot, Counter: h.Counter}] = true
				}
			}
			at = next
		}
	})
	began := r.newEpoch(place(epoch, 1000))
	again := r.newEpoch(place(began.Epoch, 500))
	stop.Store(true)
	doors.Wait()
	checkEachOnce(t, r, acks)
	if s := r.j.Status(); s.Epoch != again.Epoch || s.Dropped > 0 {
		t.Errorf("status %+v", s)
	}
	r.stop()
	r.start()
	r.append(granted(), somebody(1))
	checkEachOnce(t, r, acks)
	verifyAll(t, r)
}

// checkEachOnce looks for what each door was told, in the order of its counters.
func checkEachOnce(t *testing.T, r *rig, acks [][]wire.Ref) {
	t.Helper()
	n, last := map[wire.Ref]int{}, map[uint64]uint64{}
	next := map[uint64]uint64{}
	for _, e := range r.all() {
		if e.Sequence != next[e.Epoch] {
			t.Fatalf("entry %v follows %d", e.Position, next[e.Epoch])
		}
		next[e.Epoch]++
		h, err := wire.DecodeHeader(e.Header)
		if err != nil {
			t.Fatal(err)
		}
		n[wire.Ref{Boot: h.Boot, Counter: h.Counter}]++
		if h.Kind == wire.KindEpoch {
			continue // stands before what it is later than
		}
		if at, ok := last[h.Boot]; ok && h.Counter <= at {
			t.Fatalf("counter %d follows %d", h.Counter, at)
		}
		last[h.Boot] = h.Counter
	}
	for _, list := range acks {
		for _, ref := range list {
			if n[ref] != 1 {
				t.Fatalf("%v was acknowledged and is there %d times", ref, n[ref])
			}
		}
	}
}

// The keeper works on the files of a copied tail as on others.
func TestNewEpochTilesAndPacks(t *testing.T) {
	r := newRig(t, func(o *Options) { o.MaxEntries = 1500 })
	r.start()
	for i := range 4000 {
		r.j.Queue(granted(), somebody(byte(i)))
	}
	r.append(granted(), somebody(0))
	epoch := r.j.Status().Epoch
	began := r.newEpoch(place(epoch, 2000))
	tiled := func(epoch, size uint64) func() bool {
		return func() bool {
			f, err := r.j.files.tiles().Frontier(epoch)
			return err == nil && f.Size() >= size
		}
	}
	eventually(t, "tiles of the old epoch", tiled(epoch, 1792))
	eventually(t, "tiles of the new epoch", tiled(began.Epoch, 1024))
	eventually(t, "old files are packed", func() bool {
		for _, f := range r.j.cat.Load().Files[:len(r.j.cat.Load().Files)-1] {
			if !f.Packed {
				return false
			}
		}
		return true
	})
	var leaves []tlog.Hash
	for _, e := range r.all() {
		if e.Epoch == began.Epoch {
			leaves = append(leaves, tlog.RecordHash(e.Leaf()))
		}
	}
	damaged := len(find(r.headers(), wire.KindDamaged))
	if size := verifyAll(t, r); size[epoch] < 4001 || size[began.Epoch] != uint64(len(leaves)) {
		t.Errorf("files have %v entries", size)
	}
	if damaged != 0 {
		t.Errorf("%d damaged entries", damaged)
	}
}
