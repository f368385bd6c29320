package journal

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/erasing"
	"gatehouse/internal/journal/hints"
	"gatehouse/sync/wire"
)

// onDisk returns what the hints file has.
func (r *rig) onDisk() catalogue.Hints {
	r.t.Helper()
	h, err := hints.Saved(r.o.Dir)
	if err != nil {
		r.t.Fatal(err)
	}
	return h
}

// hinted is a journal of n entries whose cursor is saved at the third.
func hinted(t *testing.T, n int) (r *rig, epoch uint64) {
	t.Helper()
	r = newRig(t, func(o *Options) { o.MaxEntries, o.Uplink = 20, true })
	r.start()
	fill(r, n)
	epoch = r.j.Status().Epoch
	r.ackAt(place(epoch, 3))
	eventually(t, "the first of a run is saved at once", func() bool { return r.onDisk().Acked == place(epoch, 3) })
	return r, epoch
}

func (r *rig) ackAt(p Position) {
	r.t.Helper()
	if err := r.j.Ack(p); err != nil {
		r.t.Fatal(err)
	}
}

// TestAcksWriteNothing: what the registry says afterwards gets to the disk with the stop, and to the
// next run.
func TestAcksWriteNothing(t *testing.T) {
	r, epoch := hinted(t, 60)
	for n := uint64(4); n <= 50; n++ {
		r.ackAt(place(epoch, n))
		r.j.Safe(place(epoch, n-1))
		r.j.SetCosigned("note")
	}
	r.rounds()
	if got := r.onDisk(); got != (catalogue.Hints{Acked: place(epoch, 3)}) {
		t.Errorf("acks were written: %+v", got)
	}
	r.stop()
	want := catalogue.Hints{Acked: place(epoch, 50), Safe: place(epoch, 49), Cosigned: "note"}
	if got := r.onDisk(); got != want {
		t.Errorf("after the stop %+v, want %+v", got, want)
	}
	r.start()
	if got := r.j.cat.Load().Hints; got != want {
		t.Errorf("the next run has %+v, want %+v", got, want)
	}
}

// TestHintsBeforeTheyCount: what is deleted, erased or begun by the hints waits for them to be durable.
func TestHintsBeforeTheyCount(t *testing.T) {
	r, epoch := hinted(t, 60)
	path := filepath.Join(r.o.Dir, hints.Name)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Remove(path))
	must(os.MkdirAll(filepath.Join(path, "in the way"), 0o700))
	r.ackAt(place(epoch, 50))
	r.j.Safe(place(epoch, 50))
	o, now := r.j.files.erasing(r.j.hints), r.o.Clock()
	o.After, o.Clock = after(1), func() Stamp {
		now.Trusted, now.Wall, now.BootTime = true, now.Wall+day.Milliseconds(), now.BootTime+uint64(day)
		return now
	}
	e := erasing.New(o)
	must(e.Round(t.Context())) // knows the files
	oldest := func() catalogue.File { return r.j.cat.Load().Files[0] }
	over := r.o.MaxBytes + 512<<20 + 1
	if err := r.j.space.prune(t.Context(), over); err == nil || oldest().First != 0 {
		t.Errorf("a file was deleted by a cursor that is not on the disk: %v", err)
	}
	if err := e.Round(t.Context()); err == nil || r.all()[1].Erased {
		t.Errorf("people were erased by a mark that is not on the disk: %v", err)
	}
	if _, err := r.j.NewEpoch(t.Context(), place(epoch, 50), headOf(place(epoch, 50))); err == nil {
		t.Error("an epoch began while the cursor is not on the disk")
	}
	if s := r.j.Status(); s.Epoch != epoch {
		t.Fatalf("the epoch is %x", s.Epoch)
	}
	must(os.RemoveAll(path))
	must(e.Round(t.Context()))
	if !r.all()[1].Erased || r.onDisk().Safe != place(epoch, 50) {
		t.Error("nothing is erased")
	}
	r.ackAt(place(epoch, 51))
	must(r.j.space.prune(t.Context(), over))
	if oldest().First == 0 || r.onDisk().Acked != place(epoch, 51) {
		t.Error("nothing is deleted")
	}
	r.ackAt(place(epoch, 52))
	began := r.newEpoch(place(epoch, 52))
	crashed := filepath.Join(t.TempDir(), "crashed")
	must(copyDirectory(crashed, r.o.Dir))
	r.stop()
	r.o.Dir = crashed
	r.start()
	r.append(granted(), somebody(1))
	if got := r.j.Acked(); got != began {
		t.Errorf("after a crash the cursor is %v, and the epoch began at %v", got, began)
	}
}

// TestHintsLost: a journal whose hints are no more to be read goes on, with no cursor, and says so.
func TestHintsLost(t *testing.T) {
	r, epoch := hinted(t, 30)
	r.stop()
	if err := os.WriteFile(filepath.Join(r.o.Dir, hints.Name), []byte("no slots"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	r.o.Log = zerolog.New(&log)
	r.open()
	if !strings.Contains(log.String(), "read what the registry has") {
		t.Errorf("the log says %q", log.String())
	}
	r.o.Log = zerolog.Nop()
	r.start()
	r.append(granted(), somebody(1))
	if s := r.j.Status(); s.Acked != (Position{}) || s.Epoch != epoch || len(find(r.headers(), wire.KindDamaged)) > 0 {
		t.Errorf("status %+v", s)
	}
}

// TestHintsOfAnother: a journal that waits for another process leaves its hints alone, and one of a
// house without a registry has none.
func TestHintsOfAnother(t *testing.T) {
	r, epoch := hinted(t, 30)
	second, err := Open(r.o)
	if err != nil {
		t.Fatal(err)
	}
	second.SetCosigned("another note")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := second.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if got := r.onDisk(); got.Acked != place(epoch, 3) || got.Cosigned != "" {
		t.Errorf("it wrote %+v", got)
	}
	alone := newRig(t, nil)
	alone.start()
	fill(alone, 1)
	alone.stop()
	if all := files(t, alone.o.Dir, hints.Name); len(all) > 0 {
		t.Errorf("made: %v", all)
	}
}
