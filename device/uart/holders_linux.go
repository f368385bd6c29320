package uart

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// memory is the kernel's number of /dev/null, /dev/zero and their like.
const memory = 1

// Holders lists the other programs that have a serial port open. whole is false
// where this user may not look into every process: only root may. ErrNoPort: what has
// that name is no serial port.
func Holders(path string) (who []Holder, whole bool, err error) {
	about := unix.Stat_t{}
	if err := unix.Stat(path, &about); err != nil {
		return nil, false, fmt.Errorf("find who holds %s: %w", path, err)
	}
	if about.Mode&unix.S_IFMT != unix.S_IFCHR || unix.Major(about.Rdev) == memory {
		return nil, false, fmt.Errorf("find who holds %s: %w", path, ErrNoPort)
	}
	who, whole = holders(about)
	return who, whole, nil
}

func holders(about unix.Stat_t) (who []Holder, whole bool) {
	whole = true
	processes, _ := os.ReadDir("/proc")
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		held, err := holds(pid, about)
		if os.IsPermission(err) {
			whole = false
		}
		if held {
			who = append(who, Holder{Name: commandOf(pid), PID: pid})
		}
	}
	return who, whole
}

// holds looks through what a process has open. Who has the other end of a pty plays
// the device, whatever else it has open.
func holds(pid int, about unix.Stat_t) (bool, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	open, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	found, master := false, false
	for _, f := range open {
		s := unix.Stat_t{}
		if unix.Stat(filepath.Join(dir, f.Name()), &s) != nil || s.Mode&unix.S_IFMT != unix.S_IFCHR {
			continue
		}
		found = found || same(s, about)
		master = master || s.Rdev == unix.Mkdev(5, 2)
	}
	return found && !(master && isPty(about.Rdev)), nil
}

// same tells one port from another. Each mount of devpts numbers its ptys anew.
func same(a, b unix.Stat_t) bool {
	if a.Rdev != b.Rdev {
		return false
	}
	return !isPty(a.Rdev) || a.Dev == b.Dev && a.Ino == b.Ino
}

func commandOf(pid int) string {
	name, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	if err != nil {
		return "a program"
	}
	return strings.TrimSpace(string(name))
}
