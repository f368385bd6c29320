package journal

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/journal/ahead"
	"gatehouse/internal/journal/audit"
	"gatehouse/internal/journal/hints"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
)

// The crash proof. Each test starts this binary as a writer that prints the
// ref of each entry once it is acknowledged, ends it in some hard way, and
// compares what the journal then reads with what was printed. Each has a
// control: a writer that breaks the promise must be caught, or the test proves
// nothing. GATEHOUSE_CRASH=full runs all of it, which takes several minutes.

func full() bool { return os.Getenv("GATEHOUSE_CRASH") == "full" }

// Environment of the child.
const (
	envDir   = "GATEHOUSE_JOURNAL_DIR"
	envFile  = "GATEHOUSE_JOURNAL_ENTRIES_A_FILE"
	envCount = "GATEHOUSE_JOURNAL_COUNT" // entries after which it ends in order
	envSin   = "GATEHOUSE_JOURNAL_SIN"   // early: prints before the write; late: before its sync; nosync: never syncs entries
)

// childWriter is the writer. It runs the journal on a thread of its own and
// appends on another, since strace counts the calls of each thread.
func childWriter() {
	o := Options{Dir: os.Getenv(envDir), Clock: newClock().stamp, Ballast: -1, Anchors: besides(os.Getenv(envDir)), EraseAfter: after(1),
		Log: zerolog.New(os.Stderr).Level(zerolog.ErrorLevel)}
	o.MaxEntries, _ = strconv.ParseUint(os.Getenv(envFile), 10, 64)
	count, _ := strconv.Atoi(os.Getenv(envCount))
	j, err := Open(o)
	if err != nil {
		panic(err)
	}
	j.files.ahead = 2000 // some ten entries: it is filled and emptied all the time
	switch os.Getenv(envSin) {
	case "nosync":
		j.files.noSync = true
	case "late":
		j.files.lateSync = true
		j.files.fault = syncLate(filepath.Join(o.Dir, ahead.Name))
	}
	j.anchors.every, j.hints.Every = time.Millisecond, 0
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		runtime.LockOSThread()
		var moving sync.WaitGroup
		defer moving.Wait() // before Run ends
		for i := range count {
			if i%30 == 20 {
				moving.Wait()
				moving.Go(func() { childMove(j, i) })
			}
			ref := childAppend(j, i)
			if i%5 == 3 {
				childAck(j)
			}
			if _, err := os.Stdout.WriteString(fmt.Sprintf("%d %d\n", ref.Boot, ref.Counter)); err != nil {
				return
			}
		}
		childErased(j)
	}()
	runtime.LockOSThread()
	if err := j.Run(ctx); err != nil {
		panic(err)
	}
}

// syncLate syncs what was written ahead before the next write: the one who waited for it has been
// told by then.
func syncLate(path string) func(point string) error {
	return func(point string) error {
		if point != "ahead" {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	}
}

// childErased waits until the people of a closed file are erased: a writer is done sooner than
// its keeper where the machine is busy, and a record has to have a file that was rewritten.
func childErased(j *Journal) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for at, more := (Position{}), true; more; {
			list, after, err := j.Entries(context.Background(), at, 500)
			if err != nil {
				panic(err)
			}
			for _, e := range list {
				if e.Erased {
					return
				}
			}
			at, more = after, len(list) > 0
		}
	}
}

func childAppend(j *Journal, i int) wire.Ref {
	if os.Getenv(envSin) == "early" {
		time.Sleep(200 * time.Microsecond) // so that the queue does not overflow
		return j.Queue(granted(), somebody(byte(i)))
	}
	if i == 40 && os.Getenv(envFile) == "16" {
		for n := range 1030 { // enough for leaf tiles; nobody is told of these
			j.Queue(denied(), somebody(byte(n)))
		}
	}
	if i%3 == 1 { // rides with the next one
		j.Queue(wire.Header{Kind: wire.KindSecured, Reason: wire.ReasonTimer, Door: "front"}, wire.Who{})
	}
	ref, err := j.Append(context.Background(), granted(), somebody(byte(i)))
	if err != nil {
		panic(err)
	}
	return ref
}

// childAck moves the cursor of the uplink, and what belongs to it; in a new epoch it may be ahead.
func childAck(j *Journal) {
	p := j.Status().Position
	if err := j.Ack(p); err == nil {
		j.Safe(p)
		j.SetCosigned(fmt.Sprintf("%v is cosigned\n", p))
	}
}

// childMove appends the tail again, sometimes all of the journal, while the
// appends go on.
func childMove(j *Journal, i int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if written := j.Changed(); j.Status().Epoch == 0 {
		<-written // who does not wait for its entries is here before the files are open
	}
	var from Position
	s := j.Status()
	if i%90 != 80 {
		from = place(s.Epoch, s.Sequence/2)
	}
	if _, err := j.NewEpoch(context.Background(), from, headOf(place(s.Epoch, 0))); err != nil {
		panic(err)
	}
}

func writerEnv(dir string, entriesAFile, count int, sin string) []string {
	return append(os.Environ(), childEnv+"=writer", envDir+"="+dir, envSin+"="+sin,
		envFile+"="+strconv.Itoa(entriesAFile), envCount+"="+strconv.Itoa(count))
}

// readAcks reads printed refs until the pipe ends; half a line was not printed.
func readAcks(r io.Reader, each func()) (acks []wire.Ref) {
	b := bufio.NewReader(r)
	for {
		line, err := b.ReadString('\n')
		if err != nil {
			return acks
		}
		var ref wire.Ref
		if _, err := fmt.Sscanf(line, "%d %d\n", &ref.Boot, &ref.Counter); err == nil {
			acks = append(acks, ref)
			each()
		}
	}
}

// survive starts a journal on what is left of a directory and returns what is
// wrong with it: acknowledged entries that are not there once or not as they were,
// a sequence number or a counter missing, an epoch given up that was not asked for,
// a file set aside. The acks of a run are all that it made, in their order.
func survive(dir string, acks []wire.Ref) error {
	j, err := Open(Options{Dir: dir, Clock: newClock().stamp, Ballast: -1, Anchors: besides(dir), EraseAfter: after(1)})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = j.Run(ctx) })
	defer running.Wait()
	defer cancel()
	if _, err := j.Append(ctx, granted(), wire.Who{}); err != nil {
		return fmt.Errorf("it can't be written on: %w", err)
	}
	if err := goodHints(j, dir); err != nil {
		return err
	}
	got, err := readSurvivors(ctx, j)
	if err != nil {
		return err
	}
	if lost := j.Lost(); len(lost) > 0 {
		return fmt.Errorf("a loss is told of: %q", lost)
	}
	if bad, _ := filepath.Glob(filepath.Join(dir, "*.bad-*")); len(bad) > 0 {
		return fmt.Errorf("set aside: %v", bad)
	}
	return cmp.Or(got.have(acks), got.whole())
}

// survivors are the entries of a journal, as often as they are there.
type survivors map[wire.Ref][]survivor

type survivor struct {
	Entry
	header wire.Header
}

// readSurvivors reads all entries. None may be missing between them or tell of a loss.
func readSurvivors(ctx context.Context, j *Journal) (survivors, error) {
	got := survivors{}
	var at Position
	for want := (Position{}); ; {
		list, after, err := j.Entries(ctx, at, 500)
		if err != nil || len(list) == 0 {
			return got, err
		}
		for _, e := range list {
			if e.Epoch != want.Epoch {
				want = place(e.Epoch, 0)
			}
			if e.Position != want {
				return nil, fmt.Errorf("entry %v where %d was expected: %w", e.Position, want.Sequence, errLost)
			}
			want.Sequence++
			h, err := wire.DecodeHeader(e.Header)
			if err != nil {
				return nil, err
			}
			if h.Kind == wire.KindEpoch && h.Reason != wire.ReasonOtherRoot {
				return nil, fmt.Errorf("an epoch was given up: %v", h.Reason)
			}
			if h.Kind == wire.KindDamaged {
				return nil, fmt.Errorf("a loss is told of: %v %q", h.Reason, h.Detail)
			}
			ref := wire.Ref{Boot: h.Boot, Counter: h.Counter}
			got[ref] = append(got[ref], survivor{e, h})
		}
		at = after
	}
}

// have returns which acknowledged entry is not there once, with what childAppend gave it.
func (s survivors) have(acks []wire.Ref) error {
	nth := map[uint64]int{} // of its run
	for _, ref := range acks {
		n := nth[ref.Boot]
		nth[ref.Boot]++
		if len(s[ref]) != 1 {
			return fmt.Errorf("entry %v was acknowledged and is there %d times: %w", ref, len(s[ref]), errLost)
		}
		e := s[ref][0]
		what := granted()
		what.Boot, what.Counter = ref.Boot, ref.Counter
		what.BootTime, what.Wall, what.Clock = e.header.BootTime, e.header.Wall, wire.ClockNTP
		who, err := somebody(byte(n)).Encode()
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(e.header, what) || !e.Erased && !bytes.Equal(e.Who, who) {
			return fmt.Errorf("entry %v is not as it was: %+v", ref, e.header)
		}
	}
	return nil
}

// whole returns which run lacks an entry before its last: nothing was dropped, so counters have no hole.
func (s survivors) whole() error {
	there, last := map[uint64]uint64{}, map[uint64]uint64{}
	for ref := range s {
		there[ref.Boot]++
		last[ref.Boot] = max(last[ref.Boot], ref.Counter)
	}
	for run, n := range there {
		if n != last[run]+1 { // they begin at 0
			return fmt.Errorf("run %d has %d entries and a counter %d: %w", run, n, last[run], errLost)
		}
	}
	return nil
}

// exitLost is the exit code of a survivor that lacks an acknowledged entry.
const exitLost = 4

// childSurvivor starts a journal on what is left of a directory, reads from stdin what was acknowledged, and
// says what is wrong; after an orderly stop all of the directory must be good, too.
func childSurvivor() int {
	dir := os.Getenv(envDir)
	err := survive(dir, readAcks(os.Stdin, func() {}))
	if errors.Is(err, errLost) {
		fmt.Println(err)
		return exitLost
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	code := 0
	c := audit.Check{Dir: dir, Anchors: besides(dir).Anchors(), Verify: func(_ context.Context, path string) (segment.Report, error) { return segment.Verify(path) },
		Tell: func(f audit.Finding) {
			if fmt.Println(f.Key, f.Args); f.Level != audit.Note && f.Key != "cosigned_keyless" { // what is cosigned here has no signature
				code = 1
			}
		}}
	c.Run(context.Background())
	return code
}

// goodHints returns what is wrong with the hints of a journal that runs: a crash may set them back, and
// never spoils them, nor brings a cursor that is ahead of the entries.
func goodHints(j *Journal, dir string) error {
	if _, err := hints.Saved(dir); err != nil {
		return err
	}
	now := j.cat.Load()
	for what, p := range map[string]Position{"acked": now.Acked, "safe": now.Safe} {
		if at, err := now.Movable(p); p.Epoch != 0 && err != nil {
			return fmt.Errorf("%s is %v, or %v: %w", what, p, at, err)
		}
	}
	return nil
}

var errLost = errors.New("lost")

// killAtRandom runs the writer for a random time, kills it, and returns what
// it had acknowledged.
func killAtRandom(t *testing.T, dir, sin string) []wire.Ref {
	t.Helper()
	cmd := child(t, "writer")
	cmd.Env = writerEnv(dir, 100, 1_000_000, sin)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	life := time.Duration(rand.IntN(60)) * time.Millisecond
	var once sync.Once
	acks := readAcks(out, func() {
		once.Do(func() { time.AfterFunc(life, func() { cmd.Process.Kill() }) })
	})
	err = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the writer ended by itself: %v", err)
	}
	return acks
}

func TestKill(t *testing.T) {
	needChild(t)
	cycles := 40
	if full() {
		cycles = 1000
	} else if testing.Short() {
		cycles = 8
	}
	var dir string
	var acks []wire.Ref
	total := 0
	for i := range cycles {
		if i%20 == 0 { // a new directory now and then, so that reading it all stays quick
			dir, acks = filepath.Join(t.TempDir(), "journal"), nil
		}
		more := killAtRandom(t, dir, "")
		acks, total = append(acks, more...), total+len(more)
		if err := survive(dir, acks); err != nil {
			t.Fatalf("cycle %d, %d acknowledged: %v", i, len(acks), err)
		}
	}
	t.Logf("%d kills, %d entries acknowledged, 0 lost", cycles, total)
}

// Three kills in four are caught; that none of 30 is, luck brings once in 10^18 runs.
func TestKillControl(t *testing.T) {
	needChild(t)
	for range 30 {
		dir := filepath.Join(t.TempDir(), "journal")
		if err := survive(dir, killAtRandom(t, dir, "early")); errors.Is(err, errLost) {
			return
		}
	}
	t.Fatal("a writer that acknowledges before the commit was not caught")
}

// writeCalls are the system calls by which the writer changes the disk or
// tells somebody.
var writeCalls = []string{"pwrite64", "write", "fdatasync", "fsync", "ftruncate", "renameat", "unlinkat"}

func needStrace(t *testing.T) {
	t.Helper()
	needChild(t)
	err := exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "-e", "trace=write", "true").Run()
	need(t, "strace", err == nil)
	need(t, "amd64", runtime.GOARCH == "amd64") // the names of the calls
}

// killAt kills the writer at the n-th system call of a kind in any thread.
func killAt(t *testing.T, dir, call string, n int, sin string) []wire.Ref {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "-e", "trace="+call,
		"-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, n), self)
	cmd.Env = writerEnv(dir, 2, 5000, sin)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acks := readAcks(out, func() {})
	err = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Fatalf("%s %d: the writer was not killed: %v", call, n, err)
	}
	return acks
}

func TestKillAtEachCall(t *testing.T) {
	needStrace(t)
	points := []int{1, 2, 7, 31, 90}
	if full() {
		points = nil
		for n := range 200 {
			points = append(points, n+1)
		}
	} else if testing.Short() {
		points = []int{1, 17}
	}
	for _, call := range writeCalls {
		t.Run(call, func(t *testing.T) {
			t.Parallel() // a writer and its tracer mostly wait for each other
			for _, n := range points {
				dir := filepath.Join(t.TempDir(), "journal")
				if err := survive(dir, killAt(t, dir, call, n, "")); err != nil {
					t.Fatalf("killed at %s %d: %v", call, n, err)
				}
			}
		})
	}
}

func TestKillAtEachCallControl(t *testing.T) {
	needStrace(t)
	for n := 5; n < 100; n += 5 {
		dir := filepath.Join(t.TempDir(), "journal")
		if err := survive(dir, killAt(t, dir, "fdatasync", n, "early")); errors.Is(err, errLost) {
			return
		}
	}
	t.Fatal("a writer that acknowledges before the commit was not caught")
}
