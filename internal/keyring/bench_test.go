package keyring

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
)

// thousands is the size of the benchmarked list: the largest that a building
// is likely to have, a hundred times over.
const thousands = 100_000

// filled is a directory with a list of that size, made once for all benchmarks.
var filled = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "keyring-bench-") })

func filledHouse(b *testing.B) string {
	b.Helper()
	dir, err := filled()
	if err != nil {
		b.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "grants-b.db")); err == nil {
		return dir
	}
	k := open(b, dir)
	bulk(b, k, thousands)
	k.Close()
	return dir
}

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := filled(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// BenchmarkStart opens a keyring of 100,000 grants and answers the first card.
// The limit beside it is reading both files.
func BenchmarkStart(b *testing.B) {
	dir := filledHouse(b)
	var ours, limit time.Duration
	for b.Loop() {
		begin := time.Now()
		for _, name := range []string{"grants-a.db", "grants-b.db"} {
			if _, err := os.ReadFile(filepath.Join(dir, name)); err != nil {
				b.Fatal(err)
			}
		}
		limit += time.Since(begin)
		begin = time.Now()
		k := open(b, dir)
		if ask(k, credential(77)) == 0 {
			b.Fatal("no answer")
		}
		ours += time.Since(begin)
		k.Close()
	}
	b.ReportMetric(float64(ours.Milliseconds())/float64(b.N), "ms/start")
	b.ReportMetric(float64(ours)/float64(limit), "x_read_files")
}

// BenchmarkRevokeOne applies one revocation among 100,000 grants. Bytes written
// are those that the kernel counts for this process; the limit beside them is
// the changed bucket and the manifest, once.
func BenchmarkRevokeOne(b *testing.B) {
	dir := b.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filledHouse(b))); err != nil {
		b.Fatal(err)
	}
	k := open(b, dir)
	k.tend() // as a minute after the start
	var written, least, n int64
	var spent time.Duration
	for b.Loop() {
		e := edit(b, k)
		if err := e.SetState(k.Grants().Find(credential(int(n*7919) % thousands))[0].ID, wire.GrantRevoked); err != nil {
			b.Fatal(err)
		}
		u := sign(b, e)
		least += int64(len(u.Manifest) + len(u.Buckets[0]))
		before, begin := bytesWritten(b), time.Now()
		apply(b, k, u)
		spent += time.Since(begin)
		written += bytesWritten(b) - before
		n++
	}
	b.ReportMetric(float64(written)/float64(n), "B/revocation")
	b.ReportMetric(float64(written)/float64(least), "x_least")
	b.ReportMetric(float64(spent.Microseconds())/float64(n)/1000, "ms/apply")
}

// bytesWritten is wchar of /proc/self/io: what went through write and pwrite.
func bytesWritten(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		b.Skip("SKIP (needs /proc/self/io): the kernel does not count this process's writes")
	}
	_, rest, _ := strings.Cut(string(text), "wchar: ")
	field, _, _ := strings.Cut(rest, "\n")
	v, err := strconv.ParseInt(field, 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// BenchmarkMemory reports the heap of a loaded list.
func BenchmarkMemory(b *testing.B) {
	dir := filledHouse(b)
	for b.Loop() {
		before := heap()
		k := open(b, dir)
		b.ReportMetric(float64(heap()-before)/thousands, "B/grant")
		runtime.KeepAlive(k)
		k.Close()
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkAddRecord makes a check-in active beside lists of two sizes: the
// merge, and the whole with its files. The limits beside them are reading every
// record once, and writing a file of that size with both syncs.
func BenchmarkAddRecord(b *testing.B) {
	for _, n := range []int{1000, thousands} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			dir := b.TempDir()
			enrol(b, dir, "gate-a", true)
			k := openEnrolled(b, dir)
			apply(b, k, listOf(b, 1, issuedAt, nil, 1, tenantsOfCity(n)...))
			var whole, merged, scan, disk time.Duration
			number := uint64(0)
			for b.Loop() {
				number++
				l := local(b, k, "gate-a", 5, number, 0, change(wire.OpCheckIn, 1, 10, n+int(number)))
				l.Record.ID, l.Change.Grant = wire.ID{1, byte(number), byte(number >> 8)}, wire.ID{3, byte(number), byte(number >> 8)}
				whole += timed(func() { must(b, k.Records.Add(l)) })
				merged += timed(func() { k.active.mu.Lock(); k.active.refresh(); k.active.mu.Unlock() })
				scan += timed(func() {
					for r := range k.active.state.List.Grants.All() {
						if r.Tenancy == (wire.ID{}) {
							b.Fatal("no tenancy")
						}
					}
				})
				disk += timed(func() { must(b, durable.WriteFile(filepath.Join(dir, "bare"), make([]byte, 900), 0o600)) })
			}
			per := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(number) }
			b.ReportMetric(per(merged), "us/merge")
			b.ReportMetric(float64(merged)/float64(scan), "x_scan")
			b.ReportMetric(per(whole), "us/add")
			b.ReportMetric(float64(whole-merged)/float64(disk), "x_write")
		})
	}
}

func timed(f func()) time.Duration {
	begin := time.Now()
	f()
	return time.Since(begin)
}

// tenantsOfCity are n tenancies of one card each.
func tenantsOfCity(n int) []wire.Grant {
	rows := make([]wire.Grant, n)
	for i := range rows {
		rows[i] = row(1, i)
		rows[i].ID, rows[i].Tenancy = wire.ID{1, byte(i), byte(i >> 8), byte(i >> 16)}, wire.ID{2, byte(i), byte(i >> 8), byte(i >> 16)}
	}
	return rows
}
