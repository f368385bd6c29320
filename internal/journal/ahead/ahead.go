// Package ahead is the write-ahead file of the journal: entries that are durable and not yet in an
// entry file. It is made once, full of zeros, so that to append is one write and one sync that moves
// no metadata of the file system; it is emptied when an entry file has all of it, and used again.
// docs/journal.md has the bytes.
//
// The package knows frames of bytes, not entries. It refuses to append behind what it found when it
// opened the file (that has to be brought away and cleared first), and to take a frame for torn that
// has a good one behind it: that is durable.ErrDamaged.
package ahead

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"gatehouse/internal/durable"
)

// Name is that of the file in a journal's directory.
const Name = "ahead"

// Size is that of a journal's file, bytes: some 2,600 entries that come one by one.
const Size = 512 << 10

// maxSize bounds what is read of a file that somebody put there.
const maxSize = 16 << 20

var (
	// ErrFull means that a frame does not fit into what is left of the file.
	ErrFull       = errors.New("the write-ahead file is full")
	errNotCleared = errors.New("the write-ahead file was not cleared after it was opened, or after an error")
)

// File is an open write-ahead file. For one goroutine.
type File struct {
	path string
	file *os.File
	info os.FileInfo

	lap      uint64 // a random number that all frames since the last Clear have
	at       int    // where the next frame goes
	dirty    int    // bytes from here on are zero; a sum can end with some, too
	before   sum    // of the last frame
	clean    bool   // frames may be appended
	skipSync bool
	buf      []byte // of the last frame, to be used again
}

// Create makes the file at path, of size zeros: after a crash there is the whole file or none. An
// existing file is an error that wraps fs.ErrExist.
func Create(path string, size int) error {
	return durable.Create(path, func(temp string) error {
		f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = f.WriteAt(make([]byte, size), 0) // not a hole: blocks that are given later need a sync of their own
		return errors.Join(err, f.Close())
	})
}

// Open opens the file at path and returns its frames in the order of the file. Where it is not empty
// it must be cleared before the first Append. An error that wraps durable.ErrDamaged says that
// between these frames one is missing: the file is open all the same. With any other it is not.
func Open(path string) (*File, []Frame, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, syscall.EISDIR) {
		err = fmt.Errorf("%w: %w", durable.ErrDamaged, err)
	}
	if err != nil {
		return nil, nil, err
	}
	b, info, err := readAll(file)
	if err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("read %s: %w", path, err)
	}
	f := &File{path: path, file: file, info: info, dirty: used(b)}
	f.start()
	f.clean = f.dirty == 0
	frames, err := parse(b)
	if err != nil {
		err = fmt.Errorf("read %s: %w", path, err)
	}
	return f, frames, err
}

// Read returns the frames of the file at path, as Open does, and changes nothing. Beside a process
// that writes it may see an older state, or damage that is none.
func Read(path string) ([]Frame, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b, _, err := readAll(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	frames, err := parse(b)
	if err != nil {
		err = fmt.Errorf("read %s: %w", path, err)
	}
	return frames, err
}

func readAll(file *os.File) ([]byte, os.FileInfo, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSize {
		return nil, nil, fmt.Errorf("%w: not a file of at most %d bytes", durable.ErrDamaged, maxSize)
	}
	b := make([]byte, info.Size())
	_, err = file.ReadAt(b, 0)
	return b, info, err
}

// used returns the place after the last byte that is not zero.
func used(b []byte) int {
	n := len(b)
	for n > 0 && b[n-1] == 0 {
		n--
	}
	return n
}

// start begins a lap.
func (f *File) start() {
	var random [8]byte
	rand.Read(random[:]) // never fails: it ends the program instead
	f.lap, f.at, f.before = binary.BigEndian.Uint64(random[:]), 0, sum{}
}

// Size returns how many bytes the file has, used or not.
func (f *File) Size() int { return int(f.info.Size()) }

// Used returns how many bytes of it hold frames of this lap.
func (f *File) Used() int { return f.at }

// Fits reports whether Append has room for these entries.
func (f *File) Fits(stored [][]byte) bool { return f.at+frameSize(stored) <= f.Size() }

// Append adds stored entries of an epoch, the first with the sequence number first, in one frame.
// nil: they are on the disk. After an error they may be there or not, and nothing more is appended;
// but for ErrFull, which changes nothing.
func (f *File) Append(epoch, first uint64, stored [][]byte) error {
	if !f.clean {
		return errNotCleared
	}
	if !f.Fits(stored) {
		return ErrFull
	}
	f.buf = appendFrame(f.buf[:0], f.lap, f.before, Frame{epoch, first, stored})
	if err := f.write(f.buf, f.at); err != nil {
		return err
	}
	f.at += len(f.buf)
	f.dirty, f.before = max(f.dirty, f.at), sum(f.buf[len(f.buf)-sumSize:])
	return nil
}

// Clear overwrites all frames with zeros and begins the next lap. nil: that is on the disk.
func (f *File) Clear() error {
	if f.dirty == 0 {
		return nil
	}
	if err := f.write(make([]byte, f.dirty), 0); err != nil {
		return err
	}
	f.dirty, f.clean = 0, true
	f.start()
	return nil
}

func (f *File) write(b []byte, at int) error {
	clean := f.clean
	f.clean = false
	_, err := f.file.WriteAt(b, int64(at))
	if err == nil && !f.skipSync {
		err = syncData(f.file)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	f.clean = clean
	return nil
}

// SkipSync ends all syncing, for tests that must lose entries.
func (f *File) SkipSync() { f.skipSync = true }

// Removed reports whether the file was moved or deleted: what is written to it then is lost with
// this process.
func (f *File) Removed() bool {
	info, err := os.Stat(f.path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(info, f.info)
}

// Close closes the file. What it has stays.
func (f *File) Close() { f.file.Close() }
