package journal

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"gatehouse/internal/disk"
	"gatehouse/internal/durable/boltfile"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
)

// benchDirectory is on the disk of the source tree, since the usual place for
// temporary files may be memory.
func benchDirectory(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp(".", ".bench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func startBench(b *testing.B, o Options) (j *Journal, stop func()) {
	b.Helper()
	o.Clock, o.Ballast = newClock().stamp, -1
	j, err := Open(o)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = j.Run(ctx) })
	return j, sync.OnceFunc(func() { cancel(); running.Wait() })
}

// bare measures what bbolt alone takes for the same bytes, one entry a commit.
func bare(b *testing.B, n int) []time.Duration {
	b.Helper()
	entry := grantedBytes(b)
	path := filepath.Join(benchDirectory(b), "bare.db")
	bucket := []byte("entries")
	err := boltfile.Create(path, func(tx *bolt.Tx) error { _, err := tx.CreateBucket(bucket); return err })
	if err != nil {
		b.Fatal(err)
	}
	db, err := boltfile.Open(path, &bolt.Options{InitialMmapSize: 16 << 20, NoStatistics: true})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	took := make([]time.Duration, n)
	for i := range n {
		begin := time.Now()
		err := db.Update(func(tx *bolt.Tx) error {
			b := tx.Bucket(bucket)
			b.FillPercent = 1
			return b.Put(binary.BigEndian.AppendUint64(nil, uint64(i)), entry)
		})
		if err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(begin)
	}
	return took
}

func sum(d []time.Duration) (s time.Duration) {
	for _, x := range d {
		s += x
	}
	return s
}

// BenchmarkAppend: durable entries a second, and the same from bbolt alone in
// the same run, before and after, so that a noisy disk hits both.
func BenchmarkAppend(b *testing.B) {
	for _, appenders := range []int{1, 16} {
		b.Run(fmt.Sprintf("appenders=%d", appenders), func(b *testing.B) {
			half := max(b.N/2, 1)
			limit := bare(b, half)
			j, stop := startBench(b, Options{Dir: filepath.Join(benchDirectory(b), "journal")})
			defer stop()
			if _, err := j.Append(context.Background(), granted(), somebody(0)); err != nil {
				b.Fatal(err)
			}
			took := make([]time.Duration, b.N)
			var next atomic.Int64
			var workers sync.WaitGroup
			b.ResetTimer()
			for range appenders {
				workers.Go(func() {
					for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
						begin := time.Now()
						if _, err := j.Append(context.Background(), granted(), somebody(byte(i))); err != nil {
							b.Error(err)
						}
						took[i] = time.Since(begin)
					}
				})
			}
			workers.Wait()
			b.StopTimer()
			ours := float64(b.N) / b.Elapsed().Seconds()
			limit = append(limit, bare(b, half)...)
			theirs := float64(len(limit)) / sum(limit).Seconds()
			report(b, took, "")
			report(b, limit, "bbolt-")
			b.ReportMetric(ours, "entries/s")
			b.ReportMetric(theirs, "bbolt-entries/s")
			b.ReportMetric(ours/theirs, "x-bbolt")
		})
	}
}

func report(b *testing.B, took []time.Duration, prefix string) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), prefix+"p50-us")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), prefix+"p99-us")
}

// BenchmarkSize: bytes on the disk for an entry, leaf tiles included, closed
// files rewritten. GATEHOUSE_BENCH_ENTRIES sets how many; 100,000. "swipes" is
// a granted entry with its person, then released, opened, closed without;
// "all who" is the worst case.
func BenchmarkSize(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("GATEHOUSE_BENCH_ENTRIES"))
	if err != nil {
		n = 100_000
	}
	for name, mix := range map[string]bool{"swipes": true, "all who": false} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				measureSize(b, n, mix)
			}
		})
	}
}

func measureSize(b *testing.B, n int, mix bool) {
	j, stop := startBench(b, Options{Dir: filepath.Join(benchDirectory(b), "journal")})
	defer stop()
	var ref wire.Ref
	for i := range n {
		h, who := granted(), somebody(byte(i))
		if mix && i%4 > 0 {
			h, who = wire.Header{Kind: []wire.Kind{wire.KindReleased, wire.KindOpened, wire.KindClosed}[i%4-1], Door: "front"}, wire.Who{}
			if i%4 == 1 {
				h.Reason, h.Ref = wire.ReasonCard, &ref
			}
		}
		if i%4000 == 3999 || i == n-1 { // wait, so that the queue does not overflow
			if _, err := j.Append(context.Background(), h, who); err != nil {
				b.Fatal(err)
			}
			continue
		}
		if got := j.Queue(h, who); i%4 == 0 {
			ref = got
		}
	}
	settled := func() bool {
		s := j.Status()
		if f, err := j.files.tiles().Frontier(s.Epoch); err != nil || f.Size()+flushTiles*segment.TileLeaves <= s.Sequence {
			return false
		}
		for _, f := range j.cat.Load().Closed() {
			if !f.Packed {
				return false
			}
		}
		return true
	}
	for !settled() {
		poke(j.files.work)
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	used, err := usedBytes(j.files.o.Dir)
	if err != nil {
		b.Fatal(err)
	}
	tiles := disk.Bytes(j.files.path(segment.TreeName))
	b.ReportMetric(float64(used)/float64(n), "B/entry")
	b.ReportMetric(float64(tiles)/float64(n), "tree-B/entry")
	if d := j.Status().Dropped; d > 0 {
		b.Fatalf("%d entries were dropped", d)
	}
}

// BenchmarkStart: from Open to the first durable entry, on a full file of
// 50,000 entries, with its verification in another process.
func BenchmarkStart(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	o := Options{Dir: filepath.Join(benchDirectory(b), "journal"), MaxEntries: 1_000_000}
	j, stop := startBench(b, o)
	for i := range 50_000 {
		if i%4000 == 0 {
			if _, err := j.Append(context.Background(), granted(), somebody(1)); err != nil {
				b.Fatal(err)
			}
		}
		j.Queue(granted(), somebody(byte(i)))
	}
	if _, err := j.Append(context.Background(), granted(), somebody(1)); err != nil {
		b.Fatal(err)
	}
	stop()
	b.Setenv(childEnv, "verify")
	var verifying time.Duration
	verify := segment.VerifyBy(self)
	o.Verify = func(ctx context.Context, path string) error {
		begin := time.Now()
		defer func() { verifying += time.Since(begin) }()
		return verify(ctx, path)
	}
	b.ResetTimer()
	for range b.N {
		j, stop := startBench(b, o)
		if _, err := j.Append(context.Background(), granted(), somebody(1)); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		stop()
		b.StartTimer()
	}
	b.ReportMetric(float64(verifying.Milliseconds())/float64(b.N), "ms-verify")
}

// BenchmarkRead: entries a second through Entries, as the uplink drains them.
func BenchmarkRead(b *testing.B) {
	j, stop := startBench(b, Options{Dir: filepath.Join(benchDirectory(b), "journal")})
	defer stop()
	const n = 8000
	for i := range n {
		j.Queue(granted(), somebody(byte(i)))
	}
	if _, err := j.Append(context.Background(), granted(), somebody(1)); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	read := 0
	for range b.N {
		var at Position
		for {
			list, next, err := j.Entries(context.Background(), at, 500)
			if err != nil {
				b.Fatal(err)
			}
			if len(list) == 0 {
				break
			}
			read, at = read+len(list), next
		}
	}
	b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "entries/s")
}
