package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
)

// TestMain is the daemon itself where a test has started it, on lines that can fail.
func TestMain(m *testing.M) {
	if lines := os.Getenv("GATEHOUSED_PLAY"); lines != "" {
		os.Exit(played(lines, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// played is the daemon on the kernel's lines, or on none at all; a relay's line does what
// the file of faults beside the site file says.
func played(lines string, args []string) int {
	if args[0] != "--config" {
		return run(args, os.Stdout, os.Stderr)
	}
	hw := gateway.Hardware{
		Lines:  func(device.LinesConfig) (device.Lines, error) { return nil, os.ErrNotExist },
		Output: func(device.OutputConfig) (device.Output, error) { return noOutput{}, nil },
		Port:   func(device.PortConfig) (device.Port, error) { select {} }, // a reader's driver that never comes back
	}
	if lines == "kernel" {
		hw = hardware()
	}
	open := hw.Output
	hw.Output = func(c device.OutputConfig) (device.Output, error) {
		out, err := open(c)
		return sickOutput{out, filepath.Join(filepath.Dir(args[1]), "fault")}, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, service{config: args[1], hardware: hw, env: os.Getenv, stderr: os.Stderr}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

type noOutput struct{}

func (noOutput) Set(bool) error { return nil }
func (noOutput) Close() error   { return nil }

// sickOutput does what a file says when it is to be energised.
type sickOutput struct {
	device.Output
	fault string
}

func (o sickOutput) Set(on bool) error {
	said, _ := os.ReadFile(o.fault) // nothing, until a test writes it
	err := o.Output.Set(on)
	switch {
	case on && string(said) == "deadlock":
		select {}
	case on && string(said) == "panic":
		panic("a fault that the test put in")
	}
	return err
}

// manager plays the service manager: it starts the daemon, hears what it tells, and ends it
// as systemd does.
type manager struct {
	t      *testing.T
	dir    string
	socket *net.UnixConn
	daemon *exec.Cmd
	client *control.Client
}

// usec is the time of the watchdog that these tests set, as systemd writes it.
const usec = "2000000"

func newManager(t *testing.T) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "m") // short: the path of a socket has 104 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	return &manager{t: t, dir: dir, socket: socket, client: control.NewClient(filepath.Join(dir, "sock"))}
}

func (m *manager) config(text string) string {
	m.t.Helper()
	path := filepath.Join(m.dir, "site.toml")
	if err := os.WriteFile(path, fmt.Appendf(nil, "state = \"%[1]s/state\"\nsocket = \"%[1]s/sock\"\n%s", m.dir, text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	return path
}

// start starts the daemon on a site file, and waits until it says that it is ready.
func (m *manager) start(lines, config string) {
	m.t.Helper()
	m.fault("")
	m.daemon = exec.Command(os.Args[0], "--config", config)
	m.daemon.Env = append(os.Environ(), "GATEHOUSED_PLAY="+lines, "NOTIFY_SOCKET="+filepath.Join(m.dir, "notify"), "WATCHDOG_USEC="+usec, "RUNTIME_DIRECTORY="+m.dir+":/other")
	if err := m.daemon.Start(); err != nil {
		m.t.Fatal(err)
	}
	daemon := m.daemon
	m.t.Cleanup(func() { _ = daemon.Process.Kill(); _ = daemon.Wait() })
	m.hears("READY=1")
}

// fault is what befalls the relay that is energised next.
func (m *manager) fault(what string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, "fault"), []byte(what), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// next is what is heard within a time; empty: nothing.
func (m *manager) next(within time.Duration) string {
	m.t.Helper()
	var b [64]byte
	_ = m.socket.SetReadDeadline(time.Now().Add(within))
	n, err := m.socket.Read(b[:])
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		m.t.Fatal(err)
	}
	return string(b[:n])
}

// hears waits for a word, and lets others pass.
func (m *manager) hears(word string) {
	m.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if m.next(time.Until(end)) == word {
			return
		}
	}
	m.t.Fatalf("never heard %s", word)
}

// hearsNothing waits until the daemon is silent for longer than its watchdog lets it be.
func (m *manager) hearsNothing() {
	m.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if m.next(2500*time.Millisecond) == "" {
			return
		}
	}
	m.t.Fatal("it is fed for a minute after the fault")
}

// release asks for a door to be released, which the fault then befalls; how that ends is not
// waited for.
func (m *manager) release(door string) {
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	m.t.Cleanup(cancel)
	for answers := false; !answers && ctx.Err() == nil; time.Sleep(10 * time.Millisecond) { // doors are served before the socket is
		_, err := m.client.Status(ctx)
		answers = err == nil
	}
	go func() { _, _ = m.client.Release(ctx, door) }()
}

// ended waits for the daemon's end, and says how it was.
func (m *manager) ended() string { return fmt.Sprint(m.daemon.Wait()) }

const twoDoors = `
building = "lane-7"
gateway = "gw1"
[[door]]
id = "front"
egress = "mechanical"
lock = "fail-secure"
relay = {chip = "gpiochip0", line = 17, pull = "down"}
[[door]]
id = "yard"
egress = "mechanical"
lock = "fail-secure"
relay = {chip = "gpiochip0", line = 18, pull = "down"}
`

// TestFed: a daemon whose reader's driver never comes back is ready, is fed again and again,
// and says that it stops when it is asked to.
func TestFed(t *testing.T) {
	m := newManager(t)
	m.start("none", m.config(twoDoors+"[[door.reader]]\nid = \"in\"\ntype = \"serial\"\nport = \"/dev/ttyNONE\"\n"))
	for range 5 {
		m.hears("WATCHDOG=1")
	}
	if err := m.daemon.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.hears("STOPPING=1")
}

// TestNotFed: a daemon that is stopped, and one of whose two doors hangs, is not fed any more;
// one that panics ends at once.
func TestNotFed(t *testing.T) {
	for _, fault := range []string{"stop", "deadlock", "panic"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			m := newManager(t)
			m.start("none", m.config(twoDoors))
			m.hears("WATCHDOG=1")
			switch fault {
			case "stop":
				if err := m.daemon.Process.Signal(syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			default:
				m.fault(fault)
				m.release("yard")
			}
			if fault == "panic" {
				if how := m.ended(); how != "exit status 2" {
					t.Errorf("ended with %s", how)
				}
				return
			}
			m.hearsNothing()
		})
	}
}
