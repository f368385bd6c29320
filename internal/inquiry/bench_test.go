package inquiry

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/journal"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
	"gatehouse/sync/wire/sealed"
)

// A day of the benchmark's house: 180 passages at two doors, of five entries each, and the covers of a day.
const (
	passagesADay = 180
	coversADay   = 24
	entriesADay  = 5*passagesADay + coversADay
)

// longLog is a journal on the disk of n entries, the last of them an hour before noon.
func longLog(b testing.TB, s *scene, n int, o journal.Options) *journal.Journal {
	b.Helper()
	dir, err := os.MkdirTemp(".", ".bench") // the usual place for temporary files may be memory
	must(b, dir, err)
	b.Cleanup(func() { os.RemoveAll(dir) })
	const step = 24 * time.Hour / entriesADay
	var made atomic.Int64
	clock := func() journaled.Stamp {
		at := time.Duration(made.Add(1)) * step
		return journaled.Stamp{BootTime: uint64(at), Wall: (noon-3600)*1000 + (at - time.Duration(n)*step).Milliseconds(), Quality: wire.ClockNTP, Trusted: true}
	}
	o.Dir, o.Clock, o.Ballast = filepath.Join(dir, "journal"), clock, -1
	o.EraseAfter = func() (all, brief time.Duration) { return -1, -1 }
	j, err := journal.Open(o)
	must(b, j, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = j.Run(ctx) })
	b.Cleanup(func() { cancel(); running.Wait() })
	for i := range n {
		h, who := s.script(i)
		if i%4000 == 0 || i == n-1 { // wait, so that the queue does not overflow
			_, err := j.Append(ctx, h, who)
			must(b, 0, err)
			continue
		}
		j.Queue(h, who)
	}
	if d := j.Status().Dropped; d > 0 {
		b.Fatalf("%d entries were dropped", d)
	}
	return j
}

// script is entry i of the benchmark's log.
func (s *scene) script(i int) (wire.Header, wire.Who) {
	if i%entriesADay >= 5*passagesADay {
		detail, err := sealed.SealCover(s.house.Trust.Records, s.house.Place.Address())
		must(s.t, detail, err)
		return wire.Header{Kind: wire.KindSealed, Detail: detail}, wire.Who{}
	}
	door := []string{"front", "back"}[i/5%2]
	if i%5 == 0 {
		return access(door), tenant(byte(i / 5))
	}
	return wire.Header{Kind: []wire.Kind{wire.KindReleased, wire.KindOpened, wire.KindClosed, wire.KindSecured}[i%5-1], Door: door}, wire.Who{}
}

// peak is the most bytes of the heap while do runs beyond those before it, garbage that was not yet collected
// included.
func peak(do func()) uint64 {
	read := func() uint64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	runtime.GC()
	before, most, done := read(), uint64(0), make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for tick := time.Tick(time.Millisecond); ; {
			select {
			case <-tick:
				most = max(most, read())
			case <-done:
				return
			}
		}
	})
	do()
	close(done)
	looking.Wait()
	return max(most, before) - before
}

// processor is what this process took of the processors, all of its goroutines.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	must(b, 0, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkAsk answers a mandate for one door and 30 days from a journal of 200,000 entries, or of as many as
// GATEHOUSE_BENCH_ENTRIES says. Its files were read before in this run, as the daemon's are by its uplink. The
// limit is one walk over the log by Entries, which copies each entry.
func BenchmarkAsk(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("GATEHOUSE_BENCH_ENTRIES"))
	if err != nil {
		n = 200_000
	}
	s := newScene(b)
	j := longLog(b, s, n, journal.Options{})
	s.desk.o.Log = j
	r := &s.mandate.Request
	r.From, r.Until = noon-45*86400, noon-15*86400
	walk := func() {
		var batch journaled.Copies
		for at := (journaled.Position{}); ; {
			next, err := j.Read(b.Context(), at, entriesAtOnce, &batch)
			if must(b, next, err); len(batch) == 0 {
				break
			}
			at = next
		}
	}
	walk()
	var walking, busy time.Duration
	var most uint64
	size := 0
	b.ReportAllocs()
	for b.Loop() {
		var a Answer
		s.mandate.Reference[15]++ // the next mandate, since one is used up by and by
		began := processor(b)
		most = max(most, peak(func() { a, err = s.ask(0) }))
		must(b, a, err)
		b.StopTimer()
		busy += processor(b) - began
		size = len(a.Files[0])
		from := time.Now()
		walk()
		walking += time.Since(from)
		b.StartTimer()
	}
	b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms")
	b.ReportMetric(busy.Seconds()*1000/float64(b.N), "ms-cpu")
	b.ReportMetric(walking.Seconds()*1000/float64(b.N), "ms-walk")
	b.ReportMetric(float64(most)/1e6, "MB-peak")
	b.ReportMetric(float64(size)/1e6, "MB-file")
}
