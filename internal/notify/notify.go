// Package notify is the daemon's side of systemd's notification protocol (sd_notify(3)):
// that it is ready, that it stops, and that it lives, as datagrams to the socket that
// NOTIFY_SOCKET names.
//
// It refuses to depend on a service manager: without one nothing is said, and one that does
// not listen holds nobody up.
package notify

import (
	"fmt"
	"net"
	"strconv"
	"time"
)

// Manager is the service manager that started this process. Safe for concurrent use.
type Manager struct {
	// Within is how long the manager waits for a sign of life before it kills the process;
	// 0: it does not wait for any.
	Within time.Duration
	socket net.UnixAddr
}

// FromEnvironment finds the service manager of process pid; nil: there is none. It fails for
// settings that the protocol does not have, since a watchdog that nobody feeds kills.
func FromEnvironment(env func(string) string, pid int) (*Manager, error) {
	path := env("NOTIFY_SOCKET")
	switch {
	case path == "":
		return nil, nil
	case path[0] != '/' && path[0] != '@': // @ is Linux' abstract name, as net has it too
		return nil, fmt.Errorf("NOTIFY_SOCKET: want a path or an abstract name, got %q", path)
	}
	m := &Manager{socket: net.UnixAddr{Name: path, Net: "unixgram"}}
	usec := env("WATCHDOG_USEC")
	if who := env("WATCHDOG_PID"); usec == "" || who != "" && who != strconv.Itoa(pid) {
		return m, nil // no watchdog, or another process is to feed it
	}
	n, err := strconv.ParseInt(usec, 10, 64)
	if most := int64(24 * time.Hour / time.Microsecond); err != nil || n <= 0 || n > most {
		return nil, fmt.Errorf("WATCHDOG_USEC: want microseconds, 1 to %d, got %q", most, usec)
	}
	m.Within = time.Duration(n) * time.Microsecond
	return m, nil
}

// What the manager is told.
const (
	ready    = "READY=1"
	stopping = "STOPPING=1"
	alive    = "WATCHDOG=1"
)

// Ready tells that the daemon serves.
func (m *Manager) Ready() error { return m.tell(ready) }

// Stopping tells that it ends by itself, or because it was asked to.
func (m *Manager) Stopping() error { return m.tell(stopping) }

// Alive tells that it works.
func (m *Manager) Alive() error { return m.tell(alive) }

// longest is how long a manager whose socket is full is waited for.
const longest = time.Second

func (m *Manager) tell(state string) error {
	conn, err := net.DialUnix(m.socket.Net, nil, &m.socket)
	if err != nil {
		return fmt.Errorf("tell the service manager %s: %w", state, err)
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(longest)) // it fails on a closed connection alone
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("tell the service manager %s: %w", state, err)
	}
	return nil
}
