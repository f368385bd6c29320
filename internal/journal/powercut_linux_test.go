package journal

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/sync/wire"
)

// Power cuts below a real filesystem. A writer runs on ext4 on a loop device on a file that nbdfuse has
// from a disk that this process serves. What the disk had when power went is mounted, by which ext4
// replays its own journal, and the product starts on it.

const diskBytes = 24 << 20

// ownMounts gives this goroutine's thread, and what is started from it, mounts of their own. They go with
// the thread and what was started, however the test ends; nobody else sees them.
func ownMounts() error {
	runtime.LockOSThread() // for good: the thread ends with the goroutine
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		return err
	}
	return syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
}

// from returns a command that ends with this thread.
func from(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func do(name string, args ...string) error {
	if out, err := from(exec.Command(name, args...)).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// needPower skips where the machine can't cut power: root, mkfs.ext4, nbdfuse, FUSE, and a free loop device.
func needPower(t *testing.T) {
	t.Helper()
	needChild(t)
	err := ownMounts()
	if err == nil {
		err = mounts(filepath.Join(t.TempDir(), "disk"), t.TempDir())
	}
	if err == nil {
		err = do("nbdfuse", "--version")
	}
	if err == nil {
		_, err = os.Stat("/dev/fuse")
	}
	if err != nil {
		t.Log(err)
	}
	need(t, "powercut", err == nil)
}

// mounts makes a file an ext4, mounts it, and ends the mount.
func mounts(path, dir string) error {
	if err := os.WriteFile(path, make([]byte, diskBytes), 0o600); err != nil {
		return err
	}
	if err := do("mkfs.ext4", "-q", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", path); err != nil {
		return err
	}
	return errors.Join(do("mount", "-o", "loop", path, dir), syscall.Unmount(dir, 0))
}

// told is an entry that the writer acknowledged before so many writes and flushes.
type told struct {
	ref    wire.Ref
	before int
}

// powered is a run of a writer on a disk: what it did to the disk, and what it told when.
type powered struct {
	disk       *servedDisk
	start, end int // writes and flushes before and at the end of its life
	told       []told
	rest       string // of what it printed
}

// hear takes down what the writer has printed so far: it was told before whatever comes next.
func (p *powered) hear(pipe syscall.RawConn, before int) error {
	b := make([]byte, 1<<16)
	for {
		n, err := 0, error(nil)
		if e := pipe.Read(func(fd uintptr) bool { n, err = syscall.Read(int(fd), b); return true }); e != nil {
			return e
		}
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if n <= 0 {
			if errors.Is(err, syscall.EAGAIN) {
				return nil
			}
			return err
		}
		lines := strings.Split(p.rest+string(b[:n]), "\n")
		p.rest = lines[len(lines)-1]
		for _, line := range lines[:len(lines)-1] {
			var ref wire.Ref
			if _, err := fmt.Sscanf(line, "%d %d", &ref.Boot, &ref.Counter); err != nil {
				return fmt.Errorf("the writer said %q", line)
			}
			p.told = append(p.told, told{ref, before})
		}
	}
}

// power runs a writer on a disk of its own.
func power(t *testing.T, sin string) *powered {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ext4")
	if err := mounts(path, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	pipe, err := r.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	p := &powered{disk: newServedDisk(content)}
	p.disk.told = func(n int) {
		if err := p.hear(pipe, n); err != nil {
			t.Error(err)
		}
	}
	dir := t.TempDir()
	if err := do("mount", "-o", "loop", serve(t, p.disk), dir); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err, syscall.Unmount(dir, syscall.MNT_DETACH))
		}
	}()
	p.start = p.disk.mark()
	cmd := from(child(t, "writer"))
	cmd.Env = writerEnv(filepath.Join(dir, "journal"), 16, 90, sin)
	cmd.Stdout, cmd.Stderr = w, os.Stderr
	if err := errors.Join(cmd.Run(), w.Close()); err != nil {
		t.Fatal(err)
	}
	p.end = p.disk.mark()
	needErased(t, filepath.Join(dir, "journal"))
	return p
}

// serve has the disk served as a file as long as the test runs.
func serve(t *testing.T, d *servedDisk) (path string) {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			err = d.serve(c)
			c.Close()
		}
		served <- err
	}()
	at, pid := filepath.Join(dir, "fuse"), filepath.Join(dir, "pid")
	if err := os.Mkdir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := from(exec.Command("nbdfuse", "-P", pid, filepath.Join(at, "disk"), "nbd+unix:///?socket="+l.Addr().String()))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(at, syscall.MNT_DETACH); err != nil { // nbdfuse ends by that
			t.Error(err)
			cmd.Process.Kill()
		}
		err := cmd.Wait()
		l.Close()
		if gone := <-served; err != nil || !errors.Is(gone, io.EOF) {
			t.Errorf("nbdfuse: %v, served until: %v", err, gone)
		}
	})
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(pid); err == nil {
			return filepath.Join(at, "disk")
		}
		if time.Now().After(end) {
			t.Fatal("nbdfuse does not serve within 10 s")
		}
	}
}

// cut has the power go after so many writes and flushes, starts the product on what is then on the disk,
// and returns what is wrong with it.
func (p *powered) cut(t *testing.T, base string, at int, lies bool, rng *rand.Rand) error {
	path, dir := filepath.Join(base, "ext4"), filepath.Join(base, "mounted")
	if err := os.WriteFile(path, p.disk.image(at, lies, rng), 0o600); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := do("mount", "-o", "loop", path, dir); err != nil {
		return err
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err, syscall.Unmount(dir, syscall.MNT_DETACH))
		}
	}()
	var acks strings.Builder
	for _, e := range p.told {
		if e.before <= at {
			fmt.Fprintf(&acks, "%d %d\n", e.ref.Boot, e.ref.Counter)
		}
	}
	cmd := from(child(t, "survivor")) // its memory is mapped files, of which nobody knows what is in them
	cmd.Env = append(cmd.Env, envDir+"="+filepath.Join(dir, "journal"))
	cmd.Stdin = strings.NewReader(acks.String())
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == exitLost {
		return fmt.Errorf("%w: %s", errLost, out)
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// when draws the moment of a cut: any of the writer's life, or just after it has told of an entry.
func (p *powered) when(rng *rand.Rand) int {
	if rng.IntN(2) == 0 {
		return p.told[rng.IntN(len(p.told))].before
	}
	return p.start + rng.IntN(p.end-p.start+1)
}

func TestPowerCut(t *testing.T) {
	needPower(t)
	cuts := 60
	if full() {
		cuts = 2000
	} else if testing.Short() {
		cuts = 8
	}
	p := power(t, "")
	writes, flushes := p.end-p.start, len(p.disk.flushes(p.end))-len(p.disk.flushes(p.start))
	if len(p.told) != 90 || flushes < 100 || writes < 500 {
		t.Fatalf("the record has %d entries told, %d writes and flushes, %d of them flushes", len(p.told), writes, flushes)
	}
	rng, base := rand.New(rand.NewPCG(10, 2026)), shm(t)
	for i := range cuts {
		at := p.when(rng)
		if err := p.cut(t, base, at, false, rng); err != nil {
			t.Fatalf("cut %d, after %d of %d to %d writes and flushes: %v", i, at, p.start, p.end, err)
		}
	}
	t.Logf("%d power cuts among %d writes and %d flushes, %d acknowledged entries, 0 lost", cuts, writes-flushes, flushes, len(p.told))
}

// A writer that does not sync must be caught, and so must one that tells before the sync, and a disk that
// has not stored yet what it said to have stored.
func TestPowerCutControl(t *testing.T) {
	needPower(t)
	for _, c := range []struct {
		sin, what string
		lies      bool
	}{{"nosync", "a writer that does not sync", false}, {"late", "a writer that tells before the sync", false}, {"", "a disk that lies", true}} {
		p, base := power(t, c.sin), shm(t)
		rng := rand.New(rand.NewPCG(11, 2026))
		var err error
		for i := 0; i < 60 && !errors.Is(err, errLost); i++ {
			err = p.cut(t, base, p.when(rng), c.lies, rng)
			t.Logf("%s, cut %d: %v", c.what, i, err)
		}
		if !errors.Is(err, errLost) {
			t.Errorf("%s was not caught", c.what)
		}
	}
}
