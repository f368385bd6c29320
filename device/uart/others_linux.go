package uart

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/device"
)

// memory is the kernel's major number of /dev/null, /dev/zero and similar devices.
const memory = 1

// Holders returns the other programs that have a serial port open. whole is false if this user may
// not look into every process: only root may. The error wraps ErrNoPort if the path is no serial
// port.
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

// holds reports whether a process has the port open. A process that has the other end of a pty
// plays the device, whatever else it has open.
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

// same reports whether a and b are the same port. Each mount of devpts numbers its ptys from 0.
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

const (
	lookEvery   = time.Second     // check of the settings, and of signs of another reader
	holderEvery = 5 * time.Second // search for programs that have the port open, as far as this user may see
)

// watch detects what other programs do to an open port. It is for one goroutine.
type watch struct {
	about   unix.Stat_t // of the port
	next    time.Time   // next check
	holders time.Time   // next search for other programs
	once    []Holder    // other programs that the last search found
	read    int64       // the kernel's time of the last read by any program, Unix s
	taken   bool        // bytes that poll reported were gone when we read
}

// noted records the kernel's time of the last read, which has a resolution of 8 s, and reports
// whether it has changed. After a read of ours a change is no sign of another program.
func (w *watch) noted(fd int) (news bool) {
	about := unix.Stat_t{}
	if unix.Fstat(fd, &about) != nil {
		return false
	}
	news, w.read = int64(about.Atim.Sec) != w.read, int64(about.Atim.Sec)
	return news
}

// stayed returns the other programs that both this search and the one before found. A program that
// is being started has all files of its parent open for a moment: one that this daemon starts to
// check the journal does not read the port. Newly found programs are searched for again soon.
func (w *watch) stayed(now time.Time) (names []string) {
	who, _ := holders(w.about)
	w.holders = now.Add(holderEvery)
	for _, h := range who {
		if slices.Contains(w.once, h) {
			names = append(names, h.String())
		} else {
			w.holders = w.next
		}
	}
	w.once = who
	return names
}

// look restores the settings if they were changed, and detects other readers. Its errors do not end
// the use of the port.
func (t *tty) look(now time.Time) error {
	w := &t.watch
	if now.Before(w.next) {
		return nil
	}
	w.next = now.Add(lookEvery)
	if !t.asSet() {
		if err := unix.IoctlSetTermios(t.fd, unix.TCSETS2, &t.want); err != nil {
			return err
		}
		_ = t.ResetInputBuffer() // it was received with the other settings
		return device.ErrPortSettings
	}
	// Another program reads the port if bytes were gone, or the kernel has noted a read
	// that was not ours.
	signs := w.noted(t.fd) || w.taken
	w.taken = false
	if !signs && now.Before(w.holders) {
		return nil
	}
	names := w.stayed(now)
	switch {
	case len(names) > 0:
		return fmt.Errorf("%w: %s", device.ErrPortShared, strings.Join(names, ", "))
	case signs:
		return device.ErrPortShared
	}
	return nil
}

// asSet reports whether the settings are ours. If a port can't be asked, Read will fail on it.
func (t *tty) asSet() bool {
	s, err := unix.IoctlGetTermios(t.fd, unix.TCGETS2)
	return err != nil || *s == t.want
}
