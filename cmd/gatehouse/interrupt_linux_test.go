package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/command"
	"gatehouse/internal/input"
)

// soon bounds the wait for what happens at once, on a busy machine.
const soon = 20 * time.Second

// spoken is what a command has said so far.
type spoken struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *spoken) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *spoken) await(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(soon); !strings.Contains(s.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%q does not come:\n%s", text, s)
		}
	}
}

// TestInterrupted: whatever waits for somebody or for a pipe ends with its context, and says so.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	backup, found, pipe := put(t, dir, "a.backup", "sealed"), put(t, dir, "found.json", foundText), filepath.Join(dir, "pipe")
	house := put(t, dir, "site.toml", fmt.Sprintf(siteText, dir))
	must(t, unix.Mkfifo(pipe, 0o600))
	for name, args := range map[string][]string{
		"restore":         {"restore", "--from", backup},
		"restore, a pipe": {"restore", "--from", backup, "--code", pipe},
		"registry":        {"restore", "--from-registry"},
		"setup":           {"setup", "--found", found, "--config", filepath.Join(dir, "new.toml")},
		"setup, a pipe":   {"setup", "--answers", pipe, "--config", filepath.Join(dir, "new.toml")},
		"found, a pipe":   {"setup", "--found", pipe, "--config", filepath.Join(dir, "new.toml")},
		"enrol":           {"enrol", "--config", house},
		"enrol, a pipe":   {"enrol", "--config", house, "--token", pipe},
		"rehearse":        {"recovery", "rehearse"},
		"a key":           {"grant", "add", "--label", "3B", "--door", "front", "--key", pipe},
		"decode":          {"decode", "wiegand", "--format", "H10301"},
		"decode, a pipe":  {"decode", "pass", "--key", pipe},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancel(t.Context())
			in, typed := io.Pipe()
			defer typed.Close()
			interrupted(t, ctx, stop, in, append([]string{"--socket", filepath.Join(dir, "none.sock")}, args...))
		})
	}
}

// interrupted wants a command to wait, and to end with its context.
func interrupted(t *testing.T, ctx context.Context, stop func(), in io.Reader, args []string) {
	t.Helper()
	var out, said spoken
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, args, in, &out, &said) }()
	select {
	case status := <-ended:
		t.Fatalf("it did not wait: status %d, %s%s", status, &out, &said)
	case <-time.After(200 * time.Millisecond):
	}
	stop()
	select {
	case status := <-ended:
		if status != 1 || !strings.Contains(said.String(), "gatehouse: interrupted") {
			t.Errorf("status %d: %s%s", status, &out, &said)
		}
	case <-time.After(soon):
		t.Error("it goes on")
	}
}

// TestImportInterrupted: a list that is a pipe to which nobody writes, or of which no end comes, waits for
// it no longer than its context.
func TestImportInterrupted(t *testing.T) {
	b := newBench(t)
	key, pipe := b.path("issuer.key"), b.path("pipe")
	b.ok("", "init", "--config", b.path("site.toml"), "--key", key)
	b.serve()
	must(t, unix.Mkfifo(pipe, 0o600))
	for _, half := range []string{"", "label;number\n"} {
		ctx, stop := context.WithCancel(t.Context())
		if half != "" {
			f, err := os.OpenFile(pipe, os.O_RDWR, 0)
			must(t, err)
			defer f.Close()
			_, err = f.WriteString(half)
			must(t, err)
		}
		interrupted(t, ctx, stop, strings.NewReader(""), []string{"--socket", b.path("sock"), "import", "--key", key, pipe})
	}
	if status, _, said := b.tool("", "import", "--key", "/dev/zero", pipe); status != 1 || !strings.Contains(said, "another file than wanted") {
		t.Errorf("status %d, %s", status, said)
	}
}

// TestNoBackup: what can be no backup is refused before anybody types a code.
func TestNoBackup(t *testing.T) {
	dir := t.TempDir()
	pipe, huge := filepath.Join(dir, "pipe"), put(t, dir, "huge", "")
	must(t, unix.Mkfifo(pipe, 0o600))
	must(t, os.Truncate(huge, 65<<20))
	for path, want := range map[string]string{"/dev/zero": "neither a file nor a directory", pipe: "neither a file nor a directory", huge: "no backup of a gateway"} {
		if status, _, said := alone(t, "", "restore", "--from", path); status != 1 || !strings.Contains(said, want) || !strings.Contains(said, "hint: ") {
			t.Errorf("%s: status %d, %s", path, status, said)
		}
	}
	if status, _, said := alone(t, "", "setup", "--answers", "/dev/zero", "--config", filepath.Join(dir, "new.toml")); status != 1 || !strings.Contains(said, "another file than wanted") {
		t.Errorf("status %d, %s", status, said)
	}
}

// runTool is set in the process that TestCtrlC starts.
const runTool = "GATEHOUSE_RUN_TOOL"

// TestCtrlC: at a terminal Ctrl-C, the end of input and SIGTERM end a question at once.
func TestCtrlC(t *testing.T) {
	if args := os.Getenv(runTool); args != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		os.Exit(run(ctx, strings.Split(args, "\n"), os.Stdin, os.Stdout, os.Stderr))
	}
	backup := put(t, t.TempDir(), "a.backup", "sealed")
	for name, end := range map[string]func(at *os.File, p *os.Process) error{
		"interrupted":  func(at *os.File, _ *os.Process) error { _, err := at.WriteString("\x03"); return err },
		"no answer to": func(at *os.File, _ *os.Process) error { _, err := at.WriteString("\x04"); return err },
		"interrupted ": func(_ *os.File, p *os.Process) error { return p.Signal(syscall.SIGTERM) },
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestCtrlC$")
		cmd.Env = append(os.Environ(), runTool+"=restore\n--from\n"+backup)
		terminal, err := pty.Start(cmd)
		must(t, err)
		var said spoken
		heard := make(chan struct{})
		go func() { _, _ = io.Copy(&said, terminal); close(heard) }() // ends with the process
		said.await(t, "recovery code: ")
		must(t, end(terminal, cmd.Process))
		over := time.AfterFunc(soon, func() { _ = cmd.Process.Kill() })
		err = cmd.Wait()
		over.Stop()
		<-heard
		_ = terminal.Close()
		if left := new(exec.ExitError); !errors.As(err, &left) || left.ExitCode() != 1 || !strings.Contains(said.String(), strings.TrimSpace(name)) {
			t.Errorf("%s: %v\n%s", name, err, &said)
		}
	}
}

// TestSecretInterrupted: a terminal shows what is typed again, however the question for a PIN ends.
func TestSecretInterrupted(t *testing.T) {
	for _, ending := range []string{"signal", "answer", "end of input"} {
		terminal, desk, err := pty.Open()
		must(t, err)
		ctx, stop := context.WithCancel(t.Context())
		s := &session.Session{Ctx: ctx, Console: command.Console{Name: "gatehouse", In: input.Reader{Ctx: ctx, From: desk}, Err: io.Discard}}
		type answer struct {
			pin string
			err error
		}
		answered := make(chan answer, 1)
		go func() {
			pin, err := s.Asker().Secret("PIN")
			answered <- answer{pin, err}
		}()
		for end := time.Now().Add(soon); shows(t, desk); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("it shows what is typed")
			}
		}
		switch ending {
		case "signal":
			stop()
		case "answer":
			_, err = terminal.WriteString("2468\n")
		default:
			_, err = terminal.WriteString("\x04")
		}
		must(t, err)
		select {
		case a := <-answered:
			if ok := a.err == nil && a.pin == "2468"; ok != (ending == "answer") {
				t.Errorf("%s: %v", ending, a.err)
			}
		case <-time.After(soon):
			t.Fatalf("%s: it asks on", ending)
		}
		if !shows(t, desk) {
			t.Errorf("%s: what is typed is not shown any more", ending)
		}
		stop()
		_ = terminal.Close() // what still reads ends with it
		_ = desk.Close()
	}
}

// shows reports whether a terminal shows what is typed.
func shows(t *testing.T, terminal *os.File) bool {
	t.Helper()
	settings, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	must(t, err)
	return settings.Lflag&unix.ECHO != 0
}
