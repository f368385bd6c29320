package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program is gatesim as a user builds it.
func program(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIP: builds the program and plays a day of some 15 s")
	}
	dir, err := os.MkdirTemp("", "gatesim-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // whoever starts it may read it
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "gatesim")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// demo is a run of one of its commands, with a directory of its own for what it leaves behind.
type demo struct {
	*exec.Cmd
	tmp      string
	out, err bytes.Buffer
}

func newDemo(t *testing.T, bin string, args ...string) *demo {
	t.Helper()
	return newRun(t, bin, append([]string{"demo"}, args...)...)
}

func newRun(t *testing.T, bin string, args ...string) *demo {
	t.Helper()
	tmp, err := os.MkdirTemp("", "g") // short: the path of a socket has 104 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(tmp) })
	limit, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // far more than it needs: others run beside it
	t.Cleanup(cancel)
	d := &demo{Cmd: exec.CommandContext(limit, bin, args...), tmp: tmp}
	d.Env = append(os.Environ(), "TMPDIR="+tmp)
	d.Stdout, d.Stderr = &d.out, &d.err
	return d
}

// left lists the processes that have the demo's directory in their command line.
func (d *demo) left(t *testing.T) []string {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(lines) == 0 {
		t.Skip("SKIP (needs /proc): can't list processes here")
	}
	var left []string
	for _, path := range lines {
		if b, err := os.ReadFile(path); err == nil && strings.Contains(string(b), d.tmp) {
			left = append(left, strings.ReplaceAll(string(b), "\x00", " "))
		}
	}
	return left
}

func (d *demo) empty(t *testing.T) {
	t.Helper()
	if there, err := os.ReadDir(d.tmp); err != nil || len(there) > 0 {
		t.Errorf("left behind: %v, %v", there, err)
	}
	if left := d.left(t); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
}

// awaitDaemon waits until the daemon of the demo runs.
func (d *demo) awaitDaemon(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(time.Minute); len(d.left(t)) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no daemon\n%s%s", &d.out, &d.err)
		}
	}
}

// TestDemo: the day of whoever tries it ends well, and leaves nothing behind.
func TestDemo(t *testing.T) {
	t.Parallel()
	d := newDemo(t, program(t))
	if err := d.startPlain(t); err != nil {
		t.Fatal(err)
	}
	if err := d.Wait(); err != nil {
		t.Fatalf("%v\n%s%s", err, &d.out, &d.err)
	}
	for _, want := range []string{"lost 0, unexplained 0, of ", "the registry's copy: lost 0, doubled 0, different 0, of ",
		"police a mandate for flat 1A is signed, and answered once", "court  the file is proved by gateway and witness", "landlord the log has ", " after; added: nothing\n"} {
		if !strings.Contains(d.out.String(), want) {
			t.Errorf("no summary %q:\n%s", want, &d.out)
		}
	}
	d.empty(t)
}

// TestLedgersThatDoNotMatch: one release too few or too many in the ledger of the
// building is found and reported.
func TestLedgersThatDoNotMatch(t *testing.T) {
	t.Parallel()
	bin := program(t)
	for how, want := range map[string]string{"forget": "lost 0, unexplained 1,", "invent": "lost 1, unexplained 0,"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			d := newDemo(t, bin, "--tamper", how)
			if err := d.Run(); d.ProcessState.ExitCode() != 1 {
				t.Fatalf("ended with %v; want exit status 1\n%s%s", err, &d.out, &d.err)
			}
			if !strings.Contains(d.out.String(), want) || !strings.Contains(d.err.String(), `"lock released": `) {
				t.Errorf("want %q, and which line does not match:\n%s%s", want, &d.out, &d.err)
			}
			d.empty(t)
		})
	}
}

// TestInterrupted: Ctrl-C ends the building and its daemon.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	d := newDemo(t, program(t))
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	d.awaitDaemon(t)
	_ = d.Process.Signal(syscall.SIGINT)
	_ = d.Wait()
	if code := d.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit status %d, want 1\n%s%s", code, &d.out, &d.err)
	}
	d.empty(t)
}

// TestNoOrphan: a daemon does not outlive a building that is killed.
func TestNoOrphan(t *testing.T) {
	t.Parallel()
	d := newDemo(t, program(t))
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	d.awaitDaemon(t)
	_ = d.Process.Kill()
	_ = d.Wait()
	for end := time.Now().Add(time.Minute); len(d.left(t)) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still running: %q", d.left(t))
		}
	}
}

// TestDirectoryInUse: a directory with something in it is not touched.
func TestDirectoryInUse(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	if code := run(t.Context(), []string{"demo", "--dir", dir}, &out, &errOut); code != 1 || !strings.Contains(errOut.String(), "not empty") {
		t.Errorf("exit status %d: %s", code, &errOut)
	}
	if code := run(t.Context(), []string{"no-such"}, &out, &errOut); code != 2 {
		t.Errorf("unknown command: exit status %d, want 2", code)
	}
}
