// Package frames has a file of checksummed frames: what has to be durable at once costs one write and
// one sync there, and is written to where it belongs later, many at a time.
//
// The file is as long as it will ever be from the start, and is written in place, so that a frame needs no
// space and no change of the directory. Its frames belong to a lap, a random name that the owner keeps with
// what they change: once that is written there, the owner names another lap, and the old frames are not there
// any more. Nothing has to be erased for that, and a file of another owner, or of another time, has nothing to
// say.
//
// A frame begins at a multiple of 8 bytes:
//
//	0   4   "GHf1"
//	4   4   length of the payload, big endian
//	8   16  lap
//	24  16  checksum of the frame before in this lap; zeros for the first
//	40  n   payload
//	    16  checksum: the first bytes of SHA-256 over all before in this frame
//
// A power cut leaves the last frame torn, which is as if it had never been written. A frame that is bad
// although a good one of its lap lies behind it is damage.
package frames

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"gatehouse/internal/durable"
)

const (
	magic   = "GHf1"
	header  = 40
	sumSize = 16
	align   = 8
)

// Lap is the name of what frames belong to.
type Lap [16]byte

// NewLap makes a random one.
func NewLap() (l Lap) {
	_, _ = rand.Read(l[:]) // never fails
	return l
}

// ErrFull means that a frame does not fit any more.
var ErrFull = errors.New("no space for the frame")

// Log is where the frames of a lap end in a file. It holds no open file, and is for one goroutine.
type Log struct {
	path string
	lap  Lap
	size int // of the file
	end  int // where the next frame begins
	last [sumSize]byte
}

// Create makes a file of zeros, durably. One that is there is an error that wraps fs.ErrExist.
func Create(path string, size int) error {
	return durable.Create(path, func(temp string) error { return os.WriteFile(temp, make([]byte, size), 0o600) })
}

// Read returns the payloads of the frames of a lap, in their order, and the log to append to. It is
// durable.ErrDamaged if one of them can't be read and a later one can.
func Read(path string, lap Lap) (*Log, [][]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	l := &Log{path: path, lap: lap, size: len(data)}
	var all [][]byte
	for {
		payload, sum, ok := l.frame(data[min(l.end, len(data)):]) // the padding of the last may be cut off
		if !ok || !bytes.Equal(data[l.end+header-sumSize:l.end+header], l.last[:]) {
			break
		}
		all = append(all, payload)
		l.end, l.last = l.end+sizeOf(len(payload)), sum
	}
	for at := l.end; at < len(data); at += align {
		if _, _, ok := l.frame(data[at:]); ok {
			return nil, nil, fmt.Errorf("read %s: %w: a frame at %d is bad, and one at %d is not", path, durable.ErrDamaged, l.end, at)
		}
	}
	return l, all, nil
}

// LapOf returns the lap of the frame at the beginning of a file, for an owner that clears it and keeps no name; a new one where there
// is none.
func LapOf(path string) (Lap, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Lap{}, err
	}
	if len(data) >= header {
		l := &Log{lap: Lap(data[8:24])}
		if _, _, ok := l.frame(data); ok {
			return l.lap, nil
		}
	}
	return NewLap(), nil
}

// frame reads the frame of the lap at the beginning of data.
func (l *Log) frame(data []byte) (payload []byte, sum [sumSize]byte, ok bool) {
	if len(data) < header+sumSize || string(data[:4]) != magic || !bytes.Equal(data[8:8+len(l.lap)], l.lap[:]) {
		return nil, sum, false
	}
	n := int64(binary.BigEndian.Uint32(data[4:]))
	if n > int64(len(data)-header-sumSize) {
		return nil, sum, false
	}
	end := header + int(n)
	copy(sum[:], data[end:])
	return data[header:end], sum, sum == sumOf(data[:end])
}

func sumOf(data []byte) (sum [sumSize]byte) {
	all := sha256.Sum256(data)
	copy(sum[:], all[:])
	return sum
}

// sizeOf returns the bytes that a frame takes in the file.
func sizeOf(payload int) int {
	return (header + payload + sumSize + align - 1) / align * align
}

// Fits reports whether a payload of that many bytes can be appended.
func (l *Log) Fits(payload int) bool { return sizeOf(payload) <= l.size-l.end }

// Empty reports whether the lap has no frame.
func (l *Log) Empty() bool { return l.end == 0 }

// Append appends a frame, durably: by one write and one sync. After an error other than ErrFull nothing
// more can be appended in this lap: what the file has is unknown.
func (l *Log) Append(payload []byte) error {
	frame, err := l.next(payload)
	if err != nil {
		return err
	}
	at := l.end
	l.end = l.size
	if err := writeAt(l.path, frame, int64(at), durable.SyncData); err != nil {
		return fmt.Errorf("append to %s: %w", l.path, err)
	}
	l.end, l.last = at+sizeOf(len(payload)), [sumSize]byte(frame[len(frame)-sumSize:])
	return nil
}

// Note writes a frame where the next will be, without a sync: it outlives the process, not the machine. The next Append or
// Note takes its place, and has to say again what it said. So a frame that was never synced is the last one, always.
func (l *Log) Note(payload []byte) error {
	frame, err := l.next(payload)
	if err == nil {
		err = writeAt(l.path, frame, int64(l.end), func(*os.File) error { return nil })
	}
	return err
}

// next encodes the next frame of the lap.
func (l *Log) next(payload []byte) ([]byte, error) {
	if !l.Fits(len(payload)) {
		return nil, fmt.Errorf("append to %s: %w", l.path, ErrFull)
	}
	frame := make([]byte, 0, sizeOf(len(payload)))
	frame = append(frame, magic...)
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(payload)))
	frame = append(append(append(frame, l.lap[:]...), l.last[:]...), payload...)
	sum := sumOf(frame)
	return append(frame, sum[:]...), nil
}

// Clear overwrites all frames of a file with zeros, durably.
func Clear(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	used := len(bytes.TrimRight(data, "\x00"))
	if used == 0 {
		return nil
	}
	if err := writeAt(path, make([]byte, used), 0, durable.SyncData); err != nil {
		return fmt.Errorf("clear %s: %w", path, err)
	}
	return nil
}

// writeAt overwrites part of an existing file. Its length does not change, so that syncing the data alone makes it durable.
func writeAt(path string, data []byte, at int64, sync func(*os.File) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(data, at); err == nil {
		err = sync(f)
	}
	return errors.Join(err, f.Close())
}
