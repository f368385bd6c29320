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

const (
	lookEvery   = time.Second     // at the settings, and at signs of another reader
	holderEvery = 5 * time.Second // who else has the port open, as far as this user may see
)

// watch sees what other programs do to an open port. Of one goroutine.
type watch struct {
	about   unix.Stat_t // of the port
	next    time.Time   // when to look again
	holders time.Time   // when to look for others again
	once    []Holder    // others that were there at the last look
	read    int64       // the kernel's time of the last read, of anybody's, in seconds
	taken   bool        // what was there was gone when we read it
}

// noted takes note of the kernel's time of the last read, which it keeps in steps of
// 8 s, and reports whether that is news: after a read of ours no sign of another program.
func (w *watch) noted(fd int) (news bool) {
	about := unix.Stat_t{}
	if unix.Fstat(fd, &about) != nil {
		return false
	}
	news, w.read = int64(about.Atim.Sec) != w.read, int64(about.Atim.Sec)
	return news
}

// stayed names the other programs that have the port open at this look and had it at the
// one before. A program that is being started has all files of whoever starts it, for a
// moment: one of ours that checks the journal is nobody who reads the port. Who is new is
// looked for again soon.
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

// look compares the settings with ours and sets them again, and looks for other
// readers. What it finds does not end the use of the port.
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
		_ = t.ResetInputBuffer() // it came under settings that were not ours
		return device.ErrPortSettings
	}
	// Another program reads the port if bytes were gone, or the kernel knows of a read
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

// asSet says that the settings are ours. A port that can't be asked is for read to
// fail on.
func (t *tty) asSet() bool {
	s, err := unix.IoctlGetTermios(t.fd, unix.TCGETS2)
	return err != nil || *s == t.want
}
