package evidence

import (
	"bytes"
	"crypto/sha256"
	"io"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// bigLog are entries of passages as a journal has them, without a journal.
func bigLog(b *testing.B, n int) logged {
	b.Helper()
	l := logged{epoch: 7}
	script := passages(n)
	for i := range n {
		h := script[i]
		h.Boot, h.Counter, h.BootTime, h.Wall, h.Clock = 1, uint64(i), uint64(i)*1e9, start+int64(i)*1000, wire.ClockNTP
		var who []byte
		if h.Kind == wire.KindAccess {
			who = must[[]byte](b)(person(i).Encode())
		}
		s := journaled.New(must[[]byte](b)(h.Encode()), [16]byte{1}, who)
		l.entries, l.leaves = append(l.entries, s), append(l.leaves, leafOf(s))
	}
	return l
}

const benchEntries = 200_000

// processor is what this process took of the processors, all of its goroutines.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkVerify judges a file of 200,000 entries: entries for each second of a processor, and how
// many times as long as SHA-256 of the same bytes takes.
func BenchmarkVerify(b *testing.B) {
	l, k := bigLog(b, benchEntries+1000), townKeys()
	file := written(b, l.content(b, k, 500, benchEntries+500))
	runtime.GC()
	began := processor(b)
	for b.Loop() {
		if _, err := Verify(file, Trust{Root: public(k.root)}); err != nil {
			b.Fatal(err)
		}
	}
	took := processor(b) - began
	for range b.N {
		sha256.Sum256(file)
	}
	bare := processor(b) - began - took
	b.ReportMetric(float64(benchEntries*b.N)/took.Seconds(), "entries/cpu-s")
	b.ReportMetric(took.Seconds()/bare.Seconds(), "x_bare_hash")
	b.ReportMetric(float64(len(file))/benchEntries, "B/entry")
}

// BenchmarkWrite makes a file of 200,000 entries.
func BenchmarkWrite(b *testing.B) {
	l, k := bigLog(b, benchEntries+1000), townKeys()
	c := l.content(b, k, 500, benchEntries+500)
	b.ReportAllocs()
	for b.Loop() {
		if err := Write(io.Discard, c); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(benchEntries*b.N)/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkProof reads and follows the range proof of one entry among a million.
func BenchmarkProof(b *testing.B) {
	const n = 1_000_003
	l := bigLog(b, n)
	through := tree.Range{}.AddAll(l.leaves[:n/2])
	s := must[tree.Span](b)(tree.NewSpan(through, n/2+1, n, func(at uint64, level int) (tlog.Hash, error) {
		return tree.Range{}.AddAll(l.leaves[at : at+1<<level]).Root(), nil
	}))
	text := encodeProof(s)
	want := tree.Range{}.AddAll(l.leaves).Root()
	for b.Loop() {
		read, err := readProof(text, nameProof)
		if err != nil {
			b.Fatal(err)
		}
		if root, err := read.Root(read.Left.Add(l.leaves[n/2])); err != nil || root != want || !bytes.HasPrefix(text, []byte(proofLine)) {
			b.Fatalf("%v, %v", root, err)
		}
	}
	b.ReportMetric(float64(len(text)), "B")
}
