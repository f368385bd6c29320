package journal

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// BenchmarkAppendBesideLimit: a durable append with all its hand-offs, and in turns with it
// the least that a disk can be asked for: as many bytes by pwrite into a file that was
// filled with zeros before, and fdatasync. Five runs, each with a ratio of its own, of
// which the median counts. "handoff" is the bare write by a goroutine of its own;
// "after" is an append that comes right after the release of somebody else was queued.
//
// The other cases add a time to each sync as a slow disk does, ours and the bare one:
// strace holds the system call of this same benchmark up, in a process of its own.
func BenchmarkAppendBesideLimit(b *testing.B) {
	b.Run("added=0ms", func(b *testing.B) { besideLimit(b, b.N) })
	for _, added := range []time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond} {
		b.Run("added="+added.String(), func(b *testing.B) { besideLimitHeldUp(b, added) })
	}
}

const limitRuns = 5

// turns are samples of one run, or of all.
type turns struct{ append, after, bare, handoff []time.Duration }

func besideLimit(b *testing.B, n int) {
	dir := benchDirectory(b)
	j, stop := startBench(b, Options{Dir: filepath.Join(dir, "journal")})
	defer stop()
	file := newZeroed(b, filepath.Join(dir, "zeroed"))
	var all turns
	var p50, after, p99, handoff []float64
	for range limitRuns {
		var run turns
		for i := range n {
			run.sample(b, j, file, byte(i))
		}
		p50 = append(p50, ratio(run.append, run.bare, 50))
		p99 = append(p99, ratio(run.append, run.bare, 99))
		after = append(after, ratio(run.after, run.bare, 50))
		handoff = append(handoff, ratio(run.handoff, run.bare, 50))
		all = turns{slices.Concat(all.append, run.append), slices.Concat(all.after, run.after),
			slices.Concat(all.bare, run.bare), slices.Concat(all.handoff, run.handoff)}
	}
	report(b, all.append, "")
	report(b, all.after, "after-")
	report(b, all.bare, "limit-")
	for unit, list := range map[string][]float64{"x-limit": p50, "x-limit-p99": p99, "x-after": after, "x-handoff": handoff} {
		slices.Sort(list)
		b.ReportMetric(list[len(list)/2], unit)
	}
	b.ReportMetric(p50[0], "x-limit-least")
	b.ReportMetric(p50[len(p50)-1], "x-limit-most")
	b.ReportMetric(0, "ns/op") // it holds the pauses between
}

// sample takes one of each, with a pause before each in which the one before settles.
func (s *turns) sample(b *testing.B, j *Journal, file *zeroed, who byte) {
	s.append = append(s.append, timed(b, appendingGranted(j, who)))
	s.bare = append(s.bare, timed(b, file.write))
	j.Queue(wire.Header{Kind: wire.KindReleased, Reason: wire.ReasonCard, Door: "front"}, wire.Who{})
	s.after = append(s.after, timed(b, appendingGranted(j, who)))
	s.handoff = append(s.handoff, timed(b, file.handOff))
}

// appendingGranted returns the append of an entry that is made before.
func appendingGranted(j *Journal, n byte) func() error {
	head, who := granted(), somebody(n)
	return func() error {
		_, err := j.Append(context.Background(), head, who)
		return err
	}
}

func timed(b *testing.B, f func() error) time.Duration {
	time.Sleep(time.Millisecond)
	began := time.Now()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

func ratio(ours, bare []time.Duration, percent int) float64 {
	at := func(d []time.Duration) float64 { return float64(slices.Sorted(slices.Values(d))[len(d)*percent/100]) }
	return at(ours) / at(bare)
}

// zeroed is a file that has all its blocks, written and on the disk.
type zeroed struct {
	file    *os.File
	entry   []byte // what is written each time
	at      int64
	asked   chan struct{}
	written chan error
}

// zeroedBytes are as many as the bytes of some thousand entries.
const zeroedBytes = 512 << 10

func newZeroed(b *testing.B, path string) *zeroed {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	z := &zeroed{file: f, entry: grantedBytes(b), asked: make(chan struct{}), written: make(chan error)}
	if _, err := f.Write(make([]byte, zeroedBytes)); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	go func() {
		for range z.asked {
			z.written <- z.write()
		}
	}()
	b.Cleanup(func() { close(z.asked); f.Close() })
	return z
}

func (z *zeroed) write() error {
	if z.at+int64(len(z.entry)) > zeroedBytes {
		z.at = 0
	}
	n, err := unix.Pwrite(int(z.file.Fd()), z.entry, z.at)
	z.at += int64(n)
	if err != nil {
		return err
	}
	return unix.Fdatasync(int(z.file.Fd()))
}

func (z *zeroed) handOff() error {
	z.asked <- struct{}{}
	return <-z.written
}

// grantedBytes is the entry of a granted card as it stands on the disk.
func grantedBytes(b *testing.B) []byte {
	b.Helper()
	h := granted()
	h.Boot, h.Counter, h.BootTime, h.Wall = 7, 300, 86_400_000_000_000, 1_795_392_000_000
	header, err := h.Encode()
	if err != nil {
		b.Fatal(err)
	}
	who, err := somebody(1).Encode()
	if err != nil {
		b.Fatal(err)
	}
	return journaled.New(header, [16]byte{1}, who).Encode()
}

// besideLimitHeldUp has the case without a delay run under strace, and reports its figures
// as its own.
func besideLimitHeldUp(b *testing.B, added time.Duration) {
	held := func(args ...string) *exec.Cmd {
		return exec.Command("strace", append([]string{"-f", "--seccomp-bpf", "-o", os.DevNull, "-e", "trace=fdatasync,fsync",
			"-e", fmt.Sprintf("inject=fdatasync,fsync:delay_enter=%d", added.Microseconds())}, args...)...)
	}
	need(b, "strace", held("true").Run() == nil)
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	out, err := held(self, "-test.run=^$", "-test.bench=^BenchmarkAppendBesideLimit$/^added=0ms$", fmt.Sprintf("-test.benchtime=%dx", b.N)).Output()
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	reported := false
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		for i := 3; strings.HasPrefix(line, "BenchmarkAppendBesideLimit") && i < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i-1], 64)
			if err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
			b.ReportMetric(value, fields[i])
			reported = true
		}
	}
	if !reported {
		b.Fatalf("no figures:\n%s", out)
	}
	b.ReportMetric(0, "ns/op")
}
