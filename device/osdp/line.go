package osdp

import (
	"errors"
	"os"
	"time"

	"gatehouse/device"
	"gatehouse/device/osdp/protocol"
)

const (
	replyTime = 200 * time.Millisecond // a reader answers within it (SIA OSDP)
	probeTime = 50 * time.Millisecond  // for readers that are not there, while others are: typical are 3 ms
	frameGap  = 150 * time.Millisecond // silence that ends half a frame: 20 ms on a wire, more behind USB
	noiseGap  = 20 * time.Millisecond  // silence after noise that ends it
	quietMost = 50 * time.Millisecond  // a line that is never quiet is written to after this
	quietRead = 1 << 20                // bytes, with the same effect
	heardMost = 16 << 10               // bytes within one answer's time: ten times what any wire carries
	replySize = 256                    // bytes: no longer answers to our commands are known
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
	rx   protocol.Deframer
}

// wire returns how long n characters of ten bits take on the line.
func (l *line) wire(n int) time.Duration {
	return time.Duration(n) * 10 * time.Second / time.Duration(l.baud)
}

// exchange sends a command, and waits for the reply of that address and number up
// to timeout behind the last bit. The frame points into the line's buffer: it is
// good until the next exchange.
func (l *line) exchange(p *pending, timeout time.Duration) (answer, protocol.Frame, error) {
	if err := l.quiet(); err != nil {
		return silence, protocol.Frame{}, err
	}
	if _, err := l.port.Write(p.tx[:p.n]); err != nil {
		return silence, protocol.Frame{}, err
	}
	return l.receive(p.address, p.sequence, time.Now().Add(timeout+l.wire(p.n)))
}

// quiet drops unexpected bytes, such as a late reply, until the line was idle for two characters.
func (l *line) quiet() error {
	if err := l.port.SetReadTimeout(l.wire(2)); err != nil {
		return err
	}
	end := time.Now().Add(quietMost)
	for dropped := 0; dropped < quietRead && !time.Now().After(end); {
		l.rx.Reset()
		room := l.rx.Room()
		n, err := l.port.Read(room)
		clear(room[:n])
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

func (l *line) receive(address, sequence byte, deadline time.Time) (answer, protocol.Frame, error) {
	l.rx.Reset()
	result, heard, bad := silence, 0, l.rx.Bad
	hard := deadline.Add(l.wire(replySize))
	for {
		for f, ok := l.rx.Next(); ok; f, ok = l.rx.Next() {
			switch got := classify(f, address, sequence); got {
			case answered, busy:
				return got, f, nil
			case restart:
				result = restart
			}
		}
		if result == silence && l.rx.Bad != bad {
			result = garbled
		}
		now := time.Now()
		wait := deadline.Sub(now)
		if l.rx.Pending() {
			wait = min(frameGap, hard.Sub(now))
		} else if result == garbled {
			wait = min(noiseGap, wait)
		}
		if wait <= 0 || heard > heardMost {
			return l.unfinished(result), protocol.Frame{}, nil
		}
		n, err := l.read(wait)
		heard += n
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return silence, protocol.Frame{}, err
		case l.rx.Pending():
			l.rx.Timeout()
		default:
			return result, protocol.Frame{}, nil
		}
	}
}

// unfinished handles a frame that began and does not end.
func (l *line) unfinished(result answer) answer {
	if result == silence && l.rx.Pending() {
		return garbled
	}
	return result
}

func (l *line) read(wait time.Duration) (int, error) {
	if err := l.port.SetReadTimeout(wait); err != nil {
		return 0, err
	}
	n, err := l.port.Read(l.rx.Room())
	l.rx.Fed(n)
	return n, err
}

// classify says what a frame means to the waiting panel. Our own echo, late replies of others and
// duplicates are nothing.
func classify(f protocol.Frame, address, sequence byte) answer {
	switch {
	case !f.Reply || f.Address != address:
		return silence
	case f.Code == protocol.ReplyBusy && f.Block.Type == 0 && (f.Sequence == 0 || f.Sequence == sequence):
		return busy
	case f.Sequence == sequence:
		return answered
	case f.Sequence == 0:
		return restart
	}
	return silence
}
