package journal

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/journal/ahead"
	"gatehouse/internal/journal/audit"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/hints"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/web/text"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/journaled"
)

// witnessed are the keys of a gateway and of the registry that cosigns its checkpoints.
func witnessed() (gateway, witness ed25519.PrivateKey, by audit.Witness) {
	gateway, witness = ed25519.NewKeyFromSeed(make([]byte, 32)), ed25519.NewKeyFromSeed(append(make([]byte, 31), 1))
	return gateway, witness, audit.Witness{Address: "lane-7/gw1", Name: checkpoint.WitnessName("town"),
		Keys: []wire.Key{{Role: wire.RoleWitness, Public: witness.Public().(ed25519.PublicKey)}}}
}

// note returns a checkpoint of the journal as it stands, signed by both.
func note(s Status) string {
	gateway, witness, by := witnessed()
	c := checkpoint.Checkpoint{Address: by.Address, Epoch: s.Epoch, Size: s.Sequence, Root: wire.Hash(s.Root)}
	const at = 1_795_392_000
	return c.Note(gateway.Public().(ed25519.PublicKey), c.Sign(gateway),
		checkpoint.Cosignature{Name: by.Name, Public: by.Keys[0].Public, Time: at, Signature: c.Cosign(witness, at)})
}

// flippable makes a journal with so many entries in two files of entries and the write-ahead file, the first of them
// cosigned, and returns a copy of its directory as a power cut leaves it.
func flippable(t *testing.T, entries int) string {
	t.Helper()
	r := newRig(t, func(o *Options) { o.MaxEntries = uint64(entries) * 2 / 3 })
	r.ahead = 16 << 10
	r.start()
	for i := range entries - 5 {
		r.j.Queue(granted(), somebody(byte(i)))
		if i == entries/2 {
			r.append(granted(), wire.Who{})
			r.j.SetCosigned(note(r.j.Status()))
		}
	}
	r.append(granted(), somebody(9)) // all before it is durable, too
	r.rounds()
	for range 3 {
		r.append(granted(), somebody(9))
	}
	dir := filepath.Join(t.TempDir(), "flipped")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, b := range directoryBytes(t, r.o.Dir) {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// answered is all that a journal answers: what its check says, and every entry that it gives.
type answered struct {
	level audit.Level
	said  string
	sum   [32]byte
}

// readAll checks a journal in this process, which a fault in its pages may end.
func readAll(ctx context.Context, dir string, words text.Words) (answered, error) {
	_, _, by := witnessed()
	return readWith(ctx, dir, by, words)
}

func readWith(ctx context.Context, dir string, by audit.Witness, words text.Words) (answered, error) {
	var said strings.Builder
	c := func() *audit.Check {
		return &audit.Check{Dir: dir, Witness: by,
			Verify: func(_ context.Context, path string) (segment.Report, error) { return segment.Verify(path) },
			Tell: func(f audit.Finding) {
				fmt.Fprintln(&said, words.Say(text.English, "journal."+f.Key, f.Args...))
			}}
	}
	a := answered{level: c().Run(ctx)}
	if a.said = said.String(); a.level != audit.Note {
		return a, nil
	}
	h := sha256.New()
	_, err := c().Dump(ctx, func(p journaled.Position, s journaled.Stored) error {
		_, err := fmt.Fprintf(h, "%d %x\n", p, s.Encode())
		return err
	})
	a.sum = [32]byte(h.Sum(nil))
	return a, err
}

// flip is one changed bit of one file.
type flip struct {
	path string
	at   int64
	bit  byte
}

// flipsOf are the files that the log is read from. A short one has no tree.db.
func flipsOf(dir string) (paths []string, sizes []int64) {
	all, _ := filepath.Glob(filepath.Join(dir, "*-*.db"))
	for _, name := range []string{ahead.Name, catalogue.EpochsName, hints.Name, segment.TreeName} {
		all = append(all, filepath.Join(dir, name))
	}
	for _, p := range all {
		if info, err := os.Stat(p); err == nil {
			paths, sizes = append(paths, p), append(sizes, info.Size())
		}
	}
	return paths, sizes
}

// nth is the flip of that number: all bytes of all files in order, or drawn, where each file is as likely as the others.
func nth(paths []string, sizes []int64, n int64, all bool) (flip, bool) {
	bits := rand.New(rand.NewPCG(1, uint64(n)))
	bit := byte(1) << bits.IntN(8)
	if !all {
		i := bits.IntN(len(paths))
		return flip{paths[i], bits.Int64N(sizes[i]), bit}, true
	}
	for i, size := range sizes {
		if n < size {
			return flip{paths[i], n, bit}, true
		}
		n -= size
	}
	return flip{}, false
}

// childFlips makes flips from one number on, and says of each what came of it.
func childFlips() {
	dir, from, all := os.Args[1], os.Args[2], os.Args[3] == "all"
	n, err := strconv.ParseInt(from, 10, 64)
	words, wordsErr := text.Load()
	if err != nil || wordsErr != nil {
		panic(fmt.Sprint(err, wordsErr))
	}
	ctx := context.Background()
	good, err := readAll(ctx, dir, words)
	if err != nil || good.level != audit.Note {
		panic(fmt.Sprint("the journal is not good: ", good, err))
	}
	paths, sizes := flipsOf(dir)
	for end := n + 2000; n < end; n++ {
		f, more := nth(paths, sizes, n, all)
		if !more {
			fmt.Println("end")
			return
		}
		fmt.Println("try", n, filepath.Base(f.path), f.at, f.bit)
		f.toggle()
		got, err := readAll(ctx, dir, words)
		f.toggle()
		switch {
		case err != nil, got.level != audit.Note, strings.Contains(got.said, "is not whole"):
			fmt.Println("found")
		case got == good:
			fmt.Println("same")
		default:
			fmt.Printf("wrong %q, want %q, entries %t\n", got.said, good.said, got.sum == good.sum)
		}
	}
}

func (f flip) toggle() {
	file, err := os.OpenFile(f.path, os.O_RDWR, 0)
	var b [1]byte
	if err == nil {
		_, err = file.ReadAt(b[:], f.at)
	}
	if b[0] ^= f.bit; err == nil {
		_, err = file.WriteAt(b[:], f.at)
	}
	if err != nil {
		panic(err)
	}
	file.Close()
}

// TestVerifyFlipsOfALog: whatever one bit of a log is changed to, its check says so, or it answers all that it
// answered before, to the byte. A page that points at itself ends a process or never does: the program looks at
// each file in one of its own, and takes that for damage.
func TestVerifyFlipsOfALog(t *testing.T) {
	needChild(t)
	for _, c := range []struct {
		entries int
		all     bool
		full    int64 // flips, with GATEHOUSE_CRASH=full
	}{{300, true, 1 << 40}, {10_000, false, 20_000}} {
		t.Run(strconv.Itoa(c.entries), func(t *testing.T) {
			dir := flippable(t, c.entries)
			r := &flipRun{t: t, dir: dir, all: c.all, most: c.full, until: time.Now().Add(10 * time.Second)}
			switch {
			case os.Getenv("GATEHOUSE_CRASH") == "full":
				r.until = time.Now().Add(time.Hour)
			case testing.Short():
				r.all, r.until = false, time.Now().Add(2*time.Second)
			default:
				r.all = false
			}
			for r.child() {
			}
			if r.found == 0 || r.wrong > 0 {
				t.Errorf("%d wrong answers", r.wrong)
			}
			t.Logf("%d flips of %d entries: %d found, %d of them by the end of a process, %d changed nothing that is read", r.next, c.entries, r.found, r.ended, r.next-int64(r.found))
		})
	}
}

// flipRun is flips in one process after the other.
type flipRun struct {
	t                   *testing.T
	dir                 string
	all                 bool
	next, most          int64
	until               time.Time
	found, ended, wrong int
}

// child goes on in another process; false: that was all.
func (r *flipRun) child() bool {
	whole := directoryBytes(r.t, r.dir)
	which := "drawn"
	if r.all {
		which = "all"
	}
	cmd := child(r.t, "flips", r.dir, strconv.FormatInt(r.next, 10), which)
	var fault strings.Builder
	cmd.Stderr = &fault
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	silent := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() }) // as the program does after a minute
	last, over := "", false
	for lines := bufio.NewScanner(out); lines.Scan(); silent.Reset(20 * time.Second) {
		last = lines.Text()
		over = over || r.line(last) || time.Now().After(r.until)
		if over {
			_ = cmd.Process.Kill()
			break
		}
	}
	silent.Stop()
	_, _ = io.Copy(io.Discard, out)
	err = cmd.Wait()
	switch {
	case over || err == nil:
	case strings.HasPrefix(last, "try "):
		r.next, r.found, r.ended = r.next+1, r.found+1, r.ended+1
	case last != "found": // else a check that has said so already ended it, which goes on beside the next
		r.t.Fatalf("the process ended with %v after %q: %.2000s", err, last, fault.String())
	}
	for path, b := range whole { // a flip may be left
		if err := os.WriteFile(path, b, 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	return !over
}

// line takes what a process said; true: that was the last flip.
func (r *flipRun) line(line string) bool {
	word, _, _ := strings.Cut(line, " ")
	switch {
	case word == "try":
		return false
	case word == "end":
		return true
	case word == "found":
		r.found++
	case word == "wrong":
		r.wrong++
		r.t.Errorf("flip %d: %s", r.next, line)
	case word != "same":
		r.t.Fatalf("a process said %q", line)
	}
	r.next++
	return r.next >= r.most || r.wrong > 5
}
