package journal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
)

// servedDisk is a disk that this process serves by NBD, the network block device protocol (fixed
// newstyle, simple replies), to one client. It keeps each write with its bytes, and each flush, in the
// order in which they came; nothing is answered before it is kept.
type servedDisk struct {
	mu    sync.Mutex
	told  func(n int) // called after n writes and flushes were kept, before the next is; with mu
	first []byte      // what it had at first
	now   []byte
	ops   []diskOp
}

// diskOp is a write or, without data, a flush.
type diskOp struct {
	offset uint64
	data   []byte
}

func newServedDisk(content []byte) *servedDisk {
	return &servedDisk{first: content, now: bytes.Clone(content)}
}

// Numbers of the protocol.
const (
	nbdMagic       = 0x4e42444d41474943 // "NBDMAGIC"
	nbdHaveOpt     = 0x49484156454f5054 // "IHAVEOPT"
	nbdOptReply    = 0x3e889045565a9
	nbdRequest     = 0x25609513
	nbdReply       = 0x67446698
	nbdFixed       = 1 // handshake flag; the next is that no zeros follow
	nbdNoZeroes    = 2
	nbdHasFlags    = 1 // transmission flags
	nbdSendFlush   = 4
	nbdOptAbort    = 2
	nbdOptGo       = 7
	nbdAck         = 1
	nbdInfo        = 3
	nbdUnsupported = 1<<31 + 1
	nbdInvalid     = 22 // EINVAL
)

// serve answers the client until it goes.
func (d *servedDisk) serve(c net.Conn) error {
	r, w := bufio.NewReader(c), bufio.NewWriter(c)
	say(w, uint64(nbdMagic), uint64(nbdHaveOpt), uint16(nbdFixed|nbdNoZeroes))
	var flags uint32
	if err := hear(r, w, &flags); err != nil {
		return err
	}
	for again := true; again; {
		var err error
		if again, err = d.option(r, w); err != nil {
			return err
		}
	}
	for {
		if err := d.request(r, w); err != nil {
			return err
		}
	}
}

// say writes numbers; an error shows at the next hear.
func say(w io.Writer, numbers ...any) {
	for _, n := range numbers {
		_ = binary.Write(w, binary.BigEndian, n)
	}
}

// hear sends what was said, and reads one number or a struct of numbers.
func hear(r io.Reader, w *bufio.Writer, into any) error {
	if err := w.Flush(); err != nil {
		return err
	}
	return binary.Read(r, binary.BigEndian, into)
}

// option answers one option of the handshake; false: what follows are requests.
func (d *servedDisk) option(r *bufio.Reader, w *bufio.Writer) (again bool, err error) {
	var o struct {
		Magic       uint64
		Option, Len uint32
	}
	if err := hear(r, w, &o); err != nil {
		return false, err
	}
	if o.Magic != nbdHaveOpt || o.Len > 1<<16 {
		return false, fmt.Errorf("an option begins with %x", o.Magic)
	}
	if _, err := r.Discard(int(o.Len)); err != nil {
		return false, err
	}
	answer := func(kind uint32, length int) { say(w, uint64(nbdOptReply), o.Option, kind, uint32(length)) }
	switch o.Option {
	case nbdOptGo:
		answer(nbdInfo, 12)
		say(w, uint16(0), uint64(len(d.now)), uint16(nbdHasFlags|nbdSendFlush))
		answer(nbdAck, 0)
		return false, w.Flush()
	case nbdOptAbort:
		answer(nbdAck, 0)
		return false, errors.Join(w.Flush(), io.EOF)
	}
	answer(nbdUnsupported, 0)
	return true, nil
}

// request does one request, which is over before the next is read.
func (d *servedDisk) request(r *bufio.Reader, w *bufio.Writer) error {
	var q struct {
		Magic          uint32
		Flags, Kind    uint16
		Handle, Offset uint64
		Len            uint32
	}
	if err := hear(r, w, &q); err != nil {
		return err
	}
	if q.Magic != nbdRequest || q.Len > 1<<26 {
		return fmt.Errorf("a request begins with %x", q.Magic)
	}
	inside := q.Offset <= uint64(len(d.now)) && uint64(q.Len) <= uint64(len(d.now))-q.Offset
	var errno uint32
	var data []byte
	switch {
	case q.Kind == 0 && inside: // read
		d.mu.Lock()
		data = bytes.Clone(d.now[q.Offset:][:q.Len])
		d.mu.Unlock()
	case q.Kind == 1: // write
		op := diskOp{q.Offset, make([]byte, q.Len)}
		if _, err := io.ReadFull(r, op.data); err != nil {
			return err
		}
		if errno = nbdInvalid; inside && q.Len > 0 {
			d.keep(op)
			errno = 0
		}
	case q.Kind == 2:
		return io.EOF
	case q.Kind == 3: // flush
		d.keep(diskOp{})
	default:
		errno = nbdInvalid
	}
	say(w, uint32(nbdReply), errno, q.Handle, data)
	return w.Flush()
}

func (d *servedDisk) keep(op diskOp) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told(len(d.ops))
	d.ops = append(d.ops, op)
	copy(d.now[op.offset:], op.data)
}

// mark calls told, and returns how many writes and flushes there were.
func (d *servedDisk) mark() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told(len(d.ops))
	return len(d.ops)
}

// flushes returns the numbers of the flushes among the first n writes and flushes.
func (d *servedDisk) flushes(n int) (all []int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, op := range d.ops[:n] {
		if op.data == nil {
			all = append(all, i)
		}
	}
	return all
}

// image returns what the disk may have when power goes after so many writes and flushes: all that was
// written before the last flush is there, of the rest any sectors. A disk that lies has not stored yet
// what it said to have stored at its last flush.
func (d *servedDisk) image(cut int, lies bool, rng *rand.Rand) []byte {
	sure, flushes := 0, d.flushes(cut)
	if lies {
		flushes = flushes[:max(len(flushes)-1, 0)]
	}
	if n := len(flushes); n > 0 {
		sure = flushes[n-1]
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	chance := []float64{0, 0.1, 0.5, 0.9, 1}[rng.IntN(5)]
	image := bytes.Clone(d.first)
	for i, op := range d.ops[:cut] {
		for from, to := 0, 0; from < len(op.data); from = to {
			to = min(from+512-int(op.offset+uint64(from))%512, len(op.data)) // sectors are the disk's
			if i < sure || rng.Float64() < chance {
				copy(image[op.offset+uint64(from):], op.data[from:to])
			}
		}
	}
	return image
}
