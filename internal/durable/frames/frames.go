// Package frames has a file of checksummed frames: what has to be durable at once costs one write and
// one sync there, and is written to where it belongs later, many at a time.
//
// The file is as long as it will ever be from the start, and is written in place, so that a frame needs no
// space and no change of the directory. Its frames belong to a lap, a random name. An owner may keep that with
// what they change: once that is written there, the owner names another lap, and the old frames are not there any
// more, whether they are erased or not. An owner that keeps no name clears the file before the next lap.
//
// A frame begins at a multiple of 8 bytes, and is one long:
//
//	0   4   "GHf1"
//	4   4   length of the payload, big endian
//	8   16  lap
//	24  16  sum of the frame before in this lap; zeros for the first
//	40  n   payload, then up to 7 zeros
//	    16  sum: the first bytes of SHA-256 over all before in this frame
//
// A power cut leaves the last frame torn, which is as if it had never been written. A frame that is bad
// although a good one of its lap lies behind it is damage: that one had been synced.
package frames

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"gatehouse/internal/durable"
)

const (
	magic   = "GHf1"
	header  = 40
	sumSize = 16
	align   = 8
	maxSize = 16 << 20 // bounds what is read of a file that somebody put there
)

// Lap is the name of what frames belong to.
type Lap [16]byte

// NewLap makes a random one.
func NewLap() (l Lap) {
	_, _ = rand.Read(l[:]) // never fails
	return l
}

type sum [sumSize]byte

// ErrFull means that a frame does not fit any more.
var ErrFull = errors.New("no space for the frame")

// Log is where the frames of a lap end in a file. It is for one goroutine.
type Log struct {
	path string
	file *os.File    // nil: it is opened for each write
	info os.FileInfo // of that file

	lap      Lap
	size     int // of the file
	end      int // where the next frame begins
	last     sum
	dirty    int // all bytes from here on are zeros
	buf      []byte
	skipSync bool
}

// Create makes a file of zeros, durably. One that is there is an error that wraps fs.ErrExist.
func Create(path string, size int) error { // no hole: blocks that are given later need a sync of their own
	return durable.Create(path, func(temp string) error { return os.WriteFile(temp, make([]byte, size), 0o600) })
}

// Read returns the payloads of the frames of a lap, in their order, and the log to append to. The zero lap is that
// of the first frame. It is durable.ErrDamaged if one of them can't be read and a later one can: then there are
// those that can, and nothing can be appended before Clear. With any other error there is no log.
func Read(path string, lap Lap) (*Log, [][]byte, error) {
	data, err := read(path)
	if err != nil {
		return nil, nil, err
	}
	l := &Log{path: path, lap: lap, size: len(data), dirty: used(data)}
	all, err := l.parse(data)
	if err != nil {
		err = fmt.Errorf("read %s: %w", path, err)
	}
	return l, all, err
}

func read(path string) ([]byte, error) {
	switch info, err := os.Stat(path); {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > maxSize:
		return nil, fmt.Errorf("read %s: %w: not a file of at most %d bytes", path, durable.ErrDamaged, maxSize)
	}
	return os.ReadFile(path)
}

// used returns the place after the last byte that is not zero.
func used(data []byte) int { return len(bytes.TrimRight(data, "\x00")) }

// parse notes where the frames that follow each other from the start end, and returns these. Behind them there is
// only what was never durable, or else damage. Where the first is bad its lap may be unknown, and any tells of it.
func (l *Log) parse(data []byte) (all [][]byte, err error) {
	if f, ok := decode(data); ok && l.lap == (Lap{}) {
		l.lap = f.lap
	}
	for {
		f, ok := decode(data[l.end:])
		if !ok || f.lap != l.lap || f.before != l.last {
			break
		}
		all, l.end, l.last = append(all, f.payload), l.end+f.size, f.sum
	}
	for at := l.end; at < len(data); {
		f, ok := decode(data[at:])
		if !ok || f.lap != l.lap && l.lap != (Lap{}) {
			at += align
			continue
		}
		if err == nil {
			err = fmt.Errorf("%w: no good frame at %d, and one at %d", durable.ErrDamaged, l.end, at)
		}
		all, at = append(all, f.payload), at+f.size
	}
	if l.lap == (Lap{}) {
		l.lap = NewLap()
	}
	if err != nil {
		l.end = l.size
	}
	return all, err
}

// frame is one of a file.
type frame struct {
	lap         Lap
	before, sum sum
	payload     []byte
	size        int
}

// decode reads the frame at the start of data; ok only for exactly what next makes.
func decode(data []byte) (f frame, ok bool) {
	if len(data) < header+sumSize || string(data[:len(magic)]) != magic {
		return f, false
	}
	n := int64(binary.BigEndian.Uint32(data[len(magic):]))
	if n > int64(len(data)-header-sumSize) {
		return f, false
	}
	f = frame{lap: Lap(data[8:]), before: sum(data[24:]), payload: data[header : header+n : header+n], size: sizeOf(int(n))}
	if f.size > len(data) {
		return f, false
	}
	end := f.size - sumSize
	f.sum = sum(data[end:])
	return f, f.sum == sumOf(data[:end]) && used(data[header+n:end]) == 0
}

func sumOf(data []byte) sum {
	all := sha256.Sum256(data)
	return sum(all[:])
}

// sizeOf returns the bytes that a frame takes in the file.
func sizeOf(payload int) int {
	return (header + payload + sumSize + align - 1) / align * align
}

// Fits reports whether a payload of that many bytes can be appended.
func (l *Log) Fits(payload int) bool { return sizeOf(payload) <= l.size-l.end }

// Empty reports whether the lap has no frame.
func (l *Log) Empty() bool { return l.end == 0 }

// Torn reports whether something stands behind the last good frame, as Read found it.
func (l *Log) Torn() bool { return l.dirty > l.end }

// Size returns how many bytes the file has, used or not.
func (l *Log) Size() int { return l.size }

// Used returns how many of these the lap takes.
func (l *Log) Used() int { return l.end }

// Append appends a frame, durably: by one write and one sync. After an error other than ErrFull it may be there or not,
// and nothing more can be appended in this lap.
func (l *Log) Append(payload []byte) error {
	b, err := l.next(payload)
	if err != nil {
		return err
	}
	at := l.end
	l.end = l.size
	if err := l.write(b, at, !l.skipSync); err != nil {
		return fmt.Errorf("append to %s: %w", l.path, err)
	}
	l.end, l.last = at+len(b), sum(b[len(b)-sumSize:])
	return nil
}

// Note writes a frame where the next will be, without a sync: it outlives the process, not the machine. The next Append or
// Note takes its place, and has to repeat what it said. So a frame that was never synced is the last one, always.
func (l *Log) Note(payload []byte) error {
	b, err := l.next(payload)
	if err == nil {
		err = l.write(b, l.end, false)
	}
	return err
}

// next encodes the next frame of the lap.
func (l *Log) next(payload []byte) ([]byte, error) {
	if !l.Fits(len(payload)) {
		return nil, fmt.Errorf("append to %s: %w", l.path, ErrFull)
	}
	b := append(l.buf[:0], magic...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = append(append(append(b, l.lap[:]...), l.last[:]...), payload...)
	b = append(b, make([]byte, sizeOf(len(payload))-sumSize-len(b))...)
	s := sumOf(b)
	l.buf = append(b, s[:]...)
	return l.buf, nil
}

// Clear overwrites the frames of all laps with zeros, durably. Another lap begins, unless this one has no frame yet.
func (l *Log) Clear() error {
	if l.end > 0 {
		l.lap, l.end, l.last = NewLap(), 0, sum{}
	}
	if l.dirty == 0 {
		return nil
	}
	l.end = l.size
	if err := l.write(make([]byte, l.dirty), 0, !l.skipSync); err != nil {
		return fmt.Errorf("clear %s: %w", l.path, err)
	}
	l.end, l.dirty = 0, 0
	return nil
}

// write overwrites part of the file. Its length does not change, so that syncing the data alone makes it durable.
func (l *Log) write(b []byte, at int, sync bool) (err error) {
	f := l.file
	if f == nil {
		if f, err = os.OpenFile(l.path, os.O_WRONLY, 0); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
	}
	l.dirty = max(l.dirty, at+len(b))
	if _, err = f.WriteAt(b, int64(at)); err == nil && sync {
		err = durable.SyncData(f)
	}
	return err
}

// KeepOpen leaves the file open between writes, until Close. Then somebody has to look whether it was Removed.
func (l *Log) KeepOpen() (err error) {
	if l.file, err = os.OpenFile(l.path, os.O_WRONLY, 0); err == nil {
		l.info, err = l.file.Stat()
	}
	return err
}

// Removed reports whether the file that is kept open was moved or deleted: what is written to it then is lost with
// this process.
func (l *Log) Removed() bool {
	info, err := os.Stat(l.path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(info, l.info)
}

// Close closes a file that is kept open.
func (l *Log) Close() { l.file.Close() }

// SkipSync ends all syncing, for tests that must lose what was appended.
func (l *Log) SkipSync() { l.skipSync = true }
