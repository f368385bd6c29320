package journal

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/journal/erasing"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
)

// forgetful is a journal with closed files and an open one, in which each of ten people came five times.
type forgetful struct{ *old }

var theOrder = wire.Hash{7, 1}

// person is who of ten people the entry of a number names.
func person(i int) wire.Who { return somebody(byte(100 + i%10)) }

// names reports whether an entry names one of the people.
func names(i int) func(wire.Header, wire.Who) bool {
	return func(_ wire.Header, w wire.Who) bool { return w.Tenancy != nil && *w.Tenancy == *person(i).Tenancy }
}

func newForgetful(t *testing.T, change func(*Options)) forgetful {
	o := &old{clock: newClock()}
	o.rig = newRig(t, func(opts *Options) {
		opts.MaxEntries, opts.Clock = 20, o.clock.stamp
		if change != nil {
			change(opts)
		}
	})
	o.start()
	f := forgetful{o}
	f.come()
	return f
}

func (f forgetful) come() {
	f.t.Helper()
	for i := range 50 {
		f.append(granted(), person(i))
	}
	f.rounds()
}

// forget asks for the entries of one of the people, and waits until the keeper has nothing more to do at once.
func (f forgetful) forget(i int) {
	f.t.Helper()
	if err := f.j.Forget(f.t.Context(), theOrder, names(i)); err != nil {
		f.t.Fatal(err)
	}
	f.settle()
}

// settle lets the keeper and the writer do all that waits: one closed file a round.
func (f forgetful) settle() {
	f.t.Helper()
	for range 8 {
		f.rounds()
	}
}

// remembered returns of which of the people any byte of any file of the directory speaks.
func (f forgetful) remembered() (found []int) {
	f.t.Helper()
	all := directoryBytes(f.t, f.o.Dir)
	for i := range 10 {
		w := person(i)
		for _, b := range all {
			if bytes.Contains(b, w.Credential[:]) || bytes.Contains(b, w.Tenancy[:]) {
				found = append(found, i)
				break
			}
		}
	}
	return found
}

// others are the people but for those.
func others(gone ...int) (all []int) {
	for i := range 10 {
		if !slices.Contains(gone, i) {
			all = append(all, i)
		}
	}
	return all
}

func (f forgetful) expect(when string, want []int) {
	f.t.Helper()
	if got := f.remembered(); !slices.Equal(got, want) {
		f.t.Errorf("%s the files speak of %v, want %v", when, got, want)
	}
}

// waits reports whether the list of what is to be forgotten is there.
func (f forgetful) waits() bool {
	_, err := os.Stat(filepath.Join(f.o.Dir, erasing.QueueName))
	return err == nil
}

// TestForget: after an order no byte of any file speaks of the person, also not of the open file and the write-ahead file,
// of all others it does; the tree is as it was, all proofs hold, the log says that it was ordered and how many
// went, and nothing is left that says of whom. No clock is needed.
func TestForget(t *testing.T) {
	f := newForgetful(t, func(o *Options) { o.EraseAfter, o.Uplink = after(-1), true })
	f.clock.untrusted.Store(true)
	f.expect("before", others())
	at := f.j.Status().Position
	root, err := f.j.Root(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	f.forget(3)
	f.expect("afterwards", others(3))
	if f.waits() {
		t.Error("the list of what is to be forgotten is there")
	}
	if got, err := f.j.Root(t.Context(), at); err != nil || got != root {
		t.Errorf("the tree of %d entries has another root: %v", at.Sequence, err)
	}
	erased, told, asked := 0, uint64(0), 0
	for _, e := range f.all() {
		h, err := wire.DecodeHeader(e.Header)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Erased:
			erased++
		case h.Reason == wire.ReasonWhosErased:
			told += h.Count
		case h.Reason == wire.ReasonForget && bytes.Equal(h.Detail, theOrder[:]) && len(e.Who) == 0:
			asked++
		}
	}
	if erased != 5 || told != 5 || asked != 1 {
		t.Errorf("%d are erased, %d told of, %d requests", erased, told, asked)
	}
	f.stop()
	for _, path := range files(t, f.o.Dir, "*-*.db") {
		if _, err := segment.Verify(path); err != nil {
			t.Error(err)
		}
	}
	f.start()
	f.append(granted(), person(4))
	if len(find(f.headers(), wire.KindDamaged)) > 0 {
		t.Error("a file counts as damaged")
	}
	f.come() // who is forgotten may come again
	f.expect("after coming again", others())
	n := len(files(t, f.o.Dir, "*-*.db"))
	f.settle()
	if got := len(files(t, f.o.Dir, "*-*.db")); got != n {
		t.Errorf("%d files where %d were: one is closed for nothing", got, n)
	}
}

// TestForgetSurvives: an order that a stop cuts off is carried out by the next run.
func TestForgetSurvives(t *testing.T) {
	f := newForgetful(t, nil)
	f.fault(func(point string) error {
		if point == "create" {
			return os.ErrPermission // the open file can't be closed
		}
		return nil
	})
	f.forget(3)
	f.expect("while no file can be begun", others())
	if !f.waits() {
		t.Fatal("the order is forgotten")
	}
	f.stop()
	f.start()
	f.append(granted(), person(4))
	f.settle()
	f.expect("after the next start", others(3))
	if f.waits() {
		t.Error("the list of what is to be forgotten is there")
	}
}

// TestForgetIsPreserved: what is preserved stays, over a restart, and goes by itself when it is preserved no more.
func TestForgetIsPreserved(t *testing.T) {
	var over atomic.Bool
	f := newForgetful(t, func(o *Options) {
		o.Preserved = func(h wire.Header) bool { return !over.Load() && h.Counter%50 == 4 } // one of the person's five
	})
	f.forget(3)
	f.expect("while one is preserved", others())
	erased := 0
	for _, e := range f.all() {
		if e.Erased {
			erased++
		}
	}
	if erased != 4 || !f.waits() {
		t.Errorf("%d are erased, and the rest waits: %t", erased, f.waits())
	}
	f.stop()
	f.start()
	f.append(granted(), person(4))
	f.settle()
	f.expect("after a restart", others())
	over.Store(true)
	f.pass(day, true, true)
	f.settle()
	f.expect("when nothing is preserved", others(3))
}

// childForgetter runs the journal of a directory, gives it the order to forget person 3, says so once that is durable, and
// goes on until it is killed.
func childForgetter() {
	j, err := Open(Options{Dir: os.Getenv(envDir), Clock: newClock().stamp, Ballast: -1, MaxEntries: 20, EraseAfter: after(-1)})
	if err != nil {
		panic(err)
	}
	go func() {
		if err := j.Forget(context.Background(), theOrder, names(3)); err != nil {
			panic(err)
		}
		fmt.Println("ordered")
	}()
	_ = j.Run(context.Background())
}

// TestForgetKilled: an order that was taken is carried out, however soon the power goes and in whatever the files are then.
func TestForgetKilled(t *testing.T) {
	needChild(t)
	cycles := 12
	if full() {
		cycles = 300
	} else if testing.Short() {
		cycles = 4
	}
	for range cycles {
		f := newForgetful(t, nil)
		at := f.j.Status().Position
		root, err := f.j.Root(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		f.stop()
		cmd := child(t, "forgetter")
		cmd.Env = append(cmd.Env, envDir+"="+f.o.Dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatalf("it said %q: %v", line, err)
		}
		life := time.Duration(rand.IntN(80)) * time.Millisecond
		time.Sleep(life)
		cmd.Process.Kill()
		cmd.Wait()
		f.start()
		f.append(granted(), person(4))
		f.settle()
		f.expect(fmt.Sprintf("killed %v after the order", life), others(3))
		if got, err := f.j.Root(t.Context(), at); err != nil || got != root {
			t.Errorf("killed %v after the order: the tree of %d entries has another root: %v", life, at.Sequence, err)
		}
		if len(find(f.headers(), wire.KindDamaged)) > 0 {
			t.Error("a file counts as damaged")
		}
		f.stop()
	}
}

// TestForgetWhileCopied: what a new epoch has copied before it was erased is forgotten there, too.
func TestForgetWhileCopied(t *testing.T) {
	f := newForgetful(t, func(o *Options) { o.MaxEntries = 400 })
	for i := range 1200 { // more than a new epoch leaves to the writer
		f.j.Queue(granted(), person(i))
	}
	f.append(granted(), person(0))
	var puts atomic.Int32
	copied, goOn := make(chan struct{}), make(chan struct{})
	f.fault(func(point string) error {
		if point == "copy" && puts.Add(1) == 2 { // after the first entry, with the next in memory
			close(copied)
			<-goOn
		}
		return nil
	})
	began := make(chan error, 1)
	epoch := f.j.Status().Epoch
	go func() {
		_, err := f.j.NewEpoch(t.Context(), place(epoch, 1), headOf(place(epoch, 0)))
		began <- err
	}()
	<-copied
	f.forget(3)
	close(goOn)
	if err := <-began; err != nil {
		t.Fatal(err)
	}
	f.settle()
	f.expect("in the new epoch", others(3))
	if f.waits() {
		t.Error("the list of what is to be forgotten is there")
	}
}

// TestForgetBesideANewEpoch: entries that a new epoch has again are forgotten there, too.
func TestForgetBesideANewEpoch(t *testing.T) {
	f := newForgetful(t, nil)
	f.fault(func(point string) error {
		if point == "create" {
			return os.ErrPermission
		}
		return nil
	})
	f.forget(3)
	epoch := f.j.Status().Epoch
	if _, err := f.j.NewEpoch(t.Context(), place(epoch, 5), headOf(place(epoch, 0))); err != nil {
		t.Fatal(err)
	}
	f.fault(func(string) error { return nil })
	f.settle()
	f.expect("in the new epoch", others(3))
	if f.waits() {
		t.Error("the list of what is to be forgotten is there")
	}
}
