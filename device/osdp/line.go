package osdp

import (
	"errors"
	"os"
	"time"

	"gatehouse/device"
)

const (
	replyTime = 200 * time.Millisecond // a reader answers within it (SIA OSDP)
	probeTime = 50 * time.Millisecond  // for readers that are not there, while others are: typical are 3 ms
	frameGap  = 150 * time.Millisecond // silence that ends half a frame: 20 ms on a wire, more behind USB
	noiseGap  = 20 * time.Millisecond  // silence behind what was no frame, after which nothing more comes
	quietMost = 50 * time.Millisecond  // a line that is never quiet is written to all the same
	quietRead = 1 << 20                // bytes, likewise
	heardMost = 16 << 10               // bytes in one answer's time: ten times what any wire carries
	replySize = 256                    // bytes: longer answers to our commands are not known
)

// answer is what came after a command.
type answer uint8

const (
	silence  answer = iota // nothing
	garbled                // bytes, and no frame of that reader with that number
	answered               // a frame
	busy                   // BUSY: later
	restart                // only a reply with number 0: the reader forgot everything
)

// line is the open port: half duplex, one command and its reply at a time. For
// one goroutine.
type line struct {
	port device.Port
	baud int
	rx   deframer
}

// wire returns how long n characters of ten bits take.
func (l *line) wire(n int) time.Duration {
	return time.Duration(n) * 10 * time.Second / time.Duration(l.baud)
}

// exchange sends a frame with its mark, and waits for the reply of that address
// and number up to wait behind the last bit. The frame points into the line's
// buffer: it is good until the next exchange.
func (l *line) exchange(tx []byte, wait time.Duration) (answer, Frame, error) {
	if err := l.quiet(); err != nil {
		return silence, Frame{}, err
	}
	if _, err := l.port.Write(tx); err != nil {
		return silence, Frame{}, err
	}
	return l.receive(tx[2], tx[5]&ctrlSequence, time.Now().Add(wait+l.wire(len(tx))))
}

// quiet drops what nobody waits for, such as a late reply, until the line was
// idle for two characters.
func (l *line) quiet() error {
	if err := l.port.SetReadTimeout(l.wire(2)); err != nil {
		return err
	}
	end := time.Now().Add(quietMost)
	for dropped := 0; dropped < quietRead && !time.Now().After(end); {
		l.rx.reset()
		n, err := l.port.Read(l.rx.room())
		clear(l.rx.buf[:n])
		dropped += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *line) receive(address, sequence byte, deadline time.Time) (answer, Frame, error) {
	l.rx.reset()
	result, heard, bad := silence, 0, l.rx.bad
	hard := deadline.Add(l.wire(replySize))
	for {
		for f, ok := l.rx.next(); ok; f, ok = l.rx.next() {
			switch got := classify(f, address, sequence); got {
			case answered, busy:
				return got, f, nil
			case restart:
				result = restart
			}
		}
		if result == silence && l.rx.bad != bad {
			result = garbled
		}
		now := time.Now()
		wait := deadline.Sub(now)
		if l.rx.pending() {
			wait = min(frameGap, hard.Sub(now))
		} else if result == garbled {
			wait = min(noiseGap, wait)
		}
		if wait <= 0 || heard > heardMost {
			return l.unfinished(result), Frame{}, nil
		}
		n, err := l.read(wait)
		heard += n
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return silence, Frame{}, err
		case l.rx.pending():
			l.rx.timeout()
		default:
			return result, Frame{}, nil
		}
	}
}

// unfinished is for a frame that began and does not end.
func (l *line) unfinished(result answer) answer {
	if result == silence && l.rx.pending() {
		return garbled
	}
	return result
}

func (l *line) read(wait time.Duration) (int, error) {
	if err := l.port.SetReadTimeout(wait); err != nil {
		return 0, err
	}
	n, err := l.port.Read(l.rx.room())
	l.rx.fed(n)
	return n, err
}

// classify tells what a frame is to one who waits for a reply. Our own echo, late
// replies of others and duplicates of earlier ones are nothing.
func classify(f Frame, address, sequence byte) answer {
	switch {
	case !f.Reply || f.Address != address:
		return silence
	case f.Code == replyBusy && f.Block.Type == 0 && (f.Sequence == 0 || f.Sequence == sequence):
		return busy
	case f.Sequence == sequence:
		return answered
	case f.Sequence == 0:
		return restart
	}
	return silence
}
