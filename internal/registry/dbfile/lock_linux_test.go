package dbfile

import (
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestStampKeepsLocks: with the shared lock that SQLite has on an open database, another
// program that closes it does not take itself for the last and deletes the write-ahead
// log. A descriptor of the file that this process opens and closes would drop the lock.
func TestStampKeepsLocks(t *testing.T) {
	h := newHouse(t)
	h.open()
	h.revoke(1)
	file, err := os.OpenFile(h.path, os.O_RDWR, 0) // not closed before the look: that drops the locks too
	h.must(err)
	defer file.Close()
	const shared, size = 0x40000000 + 2, 510 // bytes that SQLite locks
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: shared, Len: size}
	h.must(unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &lock))
	if lock.Type == unix.F_UNLCK {
		t.Error("the open database is not locked")
	}
	h.must(h.db.Close())
}
