package journal

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/durable/boltfile"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/segment"
)

// filled makes a journal of n entries in a new directory and stops it.
func filled(b *testing.B, o Options, n int) {
	b.Helper()
	j, stop := startBench(b, o)
	defer stop()
	for i := range n {
		if i%4000 == 3999 || i == n-1 { // wait, so that the queue does not overflow
			if _, err := j.Append(context.Background(), granted(), somebody(byte(i))); err != nil {
				b.Fatal(err)
			}
			continue
		}
		j.Queue(granted(), somebody(byte(i)))
	}
}

// cursorTime walks all entries of a directory with bbolt alone.
func cursorTime(b *testing.B, dir string) (n int, took time.Duration) {
	b.Helper()
	fo, err := catalogue.Tidy(dir, 0)
	if err != nil {
		b.Fatal(err)
	}
	begin, size := time.Now(), 0
	for _, f := range fo.Files {
		db, err := boltfile.Open(f.Path, &bolt.Options{ReadOnly: true})
		if err != nil {
			b.Fatal(err)
		}
		err = db.View(func(tx *bolt.Tx) error {
			c := tx.Bucket([]byte("entries")).Cursor()
			for k, v := c.First(); k != nil; k, v = c.Next() {
				n, size = n+1, size+len(v)
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		db.Close()
	}
	return n, time.Since(begin)
}

// BenchmarkDrain: 200,000 entries in closed files, as the uplink drains them
// after a long time without a line, in batches of 700: the first time in a run,
// with their verification in another process, and after it; and a bbolt cursor
// over the same files.
func BenchmarkDrain(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	o := Options{Dir: filepath.Join(benchDirectory(b), "journal")}
	filled(b, o, 200_000)
	b.Setenv(childEnv, "verify")
	o.Verify = segment.VerifyBy(self)
	var first, again, cursor time.Duration
	var read, walked int
	for range b.N {
		n, took := cursorTime(b, o.Dir)
		walked, cursor = walked+n, cursor+took
		j, stop := startBench(b, o)
		if _, err := j.Append(context.Background(), granted(), somebody(1)); err != nil {
			b.Fatal(err)
		}
		n, took = drain(b, j)
		read, first = read+n, first+took
		_, took = drain(b, j)
		again += took
		stop()
	}
	ours, theirs := float64(read)/again.Seconds(), float64(walked)/cursor.Seconds()
	b.ReportMetric(float64(read)/first.Seconds(), "first-entries/s")
	b.ReportMetric(ours, "entries/s")
	b.ReportMetric(theirs, "cursor-entries/s")
	b.ReportMetric(ours/theirs, "x-cursor")
}

func drain(b *testing.B, j *Journal) (n int, took time.Duration) {
	b.Helper()
	begin := time.Now()
	var at Position
	for {
		list, next, err := j.Entries(context.Background(), at, 700)
		if err != nil {
			b.Fatal(err)
		}
		if len(list) == 0 {
			return n, time.Since(begin)
		}
		n, at = n+len(list), next
	}
}

// BenchmarkRange: the compact range in the middle of a file of a journal with a
// million entries, with its tiles, and what one node hash for each of its
// leaves would take.
func BenchmarkRange(b *testing.B) {
	n := 1_000_000
	if testing.Short() {
		n = 100_000
	}
	o := Options{Dir: filepath.Join(benchDirectory(b), "journal"), MaxBytes: 4 << 30}
	filled(b, o, n)
	j, stop := startBench(b, o)
	defer stop()
	if _, err := j.Append(context.Background(), granted(), somebody(1)); err != nil {
		b.Fatal(err)
	}
	for {
		f, err := j.files.tiles().Frontier(j.Status().Epoch)
		if err == nil && f.Size()+2*flushTiles*segment.TileLeaves > uint64(n) {
			break
		}
		poke(j.files.work)
		time.Sleep(50 * time.Millisecond)
	}
	p := place(j.Status().Epoch, uint64(n)-12_345)
	if _, err := j.Range(context.Background(), p); err != nil { // verifies the file
		b.Fatal(err)
	}
	var bare time.Duration
	var h tlog.Hash
	b.ResetTimer()
	for range b.N {
		if _, err := j.Range(context.Background(), p); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		begin := time.Now()
		for range p.Sequence {
			h = tlog.NodeHash(h, h)
		}
		bare += time.Since(begin)
		b.StartTimer()
	}
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed())/float64(bare), "x-all-hashes")
}

// BenchmarkNewEpoch: a tail of 200,000 entries that is appended again while
// doors go on: how long it takes, how long a door waits at most, and how long
// without; and the bytes of the tail written once to the same disk and synced.
func BenchmarkNewEpoch(b *testing.B) {
	for range b.N {
		o := Options{Dir: filepath.Join(benchDirectory(b), "journal"), MaxBytes: 4 << 30}
		filled(b, o, 200_000)
		j, stop := startBench(b, o)
		quiet := doorWaits(b, j, func() { time.Sleep(2 * time.Second) })
		from := j.Status().Oldest
		var took time.Duration
		busy := doorWaits(b, j, func() {
			begin := time.Now()
			if _, err := j.NewEpoch(context.Background(), from, headOf(from)); err != nil {
				b.Error(err)
			}
			took = time.Since(begin)
		})
		tail := j.Status().Sequence
		stop()
		report(b, quiet, "quiet-")
		report(b, busy, "busy-")
		b.ReportMetric(float64(busy[len(busy)-1].Microseconds()), "busy-max-us")
		b.ReportMetric(float64(quiet[len(quiet)-1].Microseconds()), "quiet-max-us")
		b.ReportMetric(float64(tail)/took.Seconds(), "entries/s")
		b.ReportMetric(took.Seconds()/writeTime(b, 160*int(tail)).Seconds(), "x-write")
	}
}

// doorWaits measures each append of a door while f works.
func doorWaits(b *testing.B, j *Journal, f func()) (waits []time.Duration) {
	b.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	for {
		select {
		case <-done:
			return waits
		default:
		}
		begin := time.Now()
		if _, err := j.Append(context.Background(), granted(), somebody(1)); err != nil {
			b.Fatal(err)
		}
		waits = append(waits, time.Since(begin))
		time.Sleep(time.Millisecond)
	}
}

func writeTime(b *testing.B, size int) time.Duration {
	b.Helper()
	begin := time.Now()
	if err := durable.WriteFile(filepath.Join(benchDirectory(b), "bytes"), make([]byte, size), 0o600); err != nil {
		b.Fatal(err)
	}
	return time.Since(begin)
}
