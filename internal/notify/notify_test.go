package notify

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

func environment(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

// TestProtocol: what systemd hears on a real socket, one datagram a message.
func TestProtocol(t *testing.T) {
	dir, err := os.MkdirTemp("", "n") // short: the path of a socket has 104 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	m, err := FromEnvironment(environment(map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "10000000", "WATCHDOG_PID": strconv.Itoa(os.Getpid())}), os.Getpid())
	if err != nil || m == nil || m.Within != 10*time.Second {
		t.Fatalf("%+v, %v", m, err)
	}
	for want, tell := range map[string]func() error{"READY=1": m.Ready, "STOPPING=1": m.Stopping, "WATCHDOG=1": m.Alive} {
		if err := tell(); err != nil {
			t.Fatal(err)
		}
		var b [64]byte
		n, err := socket.Read(b[:])
		if err != nil || string(b[:n]) != want {
			t.Errorf("heard %q, %v; want %q", b[:n], err, want)
		}
	}
	_ = socket.Close()
	if err := m.Alive(); err == nil {
		t.Error("nobody listens, and that is no error")
	}
}

// TestFullSocket: a manager that takes nothing any more holds nobody up for good.
func TestFullSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "n")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	m, _ := FromEnvironment(environment(map[string]string{"NOTIFY_SOCKET": path}), 1)
	for range 100_000 {
		if err := m.Alive(); err != nil {
			return
		}
	}
	t.Error("its socket never filled")
}

// TestEnvironment: what of the environment counts, and for whom.
func TestEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		env    map[string]string
		none   bool
		within time.Duration
		fails  bool
	}{
		"no manager":          {map[string]string{"WATCHDOG_USEC": "10"}, true, 0, false},
		"no watchdog":         {map[string]string{"NOTIFY_SOCKET": "/run/n"}, false, 0, false},
		"abstract":            {map[string]string{"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "3000000"}, false, 3 * time.Second, false},
		"of another process":  {map[string]string{"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"}, false, 0, false},
		"of this process":     {map[string]string{"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, false, 3 * time.Second, false},
		"no number":           {map[string]string{"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "10s"}, true, 0, true},
		"nothing":             {map[string]string{"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "0"}, true, 0, true},
		"too much":            {map[string]string{"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "9223372036854775807"}, true, 0, true},
		"a socket of another": {map[string]string{"NOTIFY_SOCKET": "vsock:2:1"}, true, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := FromEnvironment(environment(c.env), 7)
			if (m == nil) != c.none || (err != nil) != c.fails || m != nil && m.Within != c.within {
				t.Errorf("%+v, %v", m, err)
			}
		})
	}
}
