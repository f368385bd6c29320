package osdptest

import (
	"time"
)

const (
	byteGap         = 20 * time.Millisecond  // between two bytes: the frame is broken off
	byteGapTerminal = 150 * time.Millisecond // behind a terminal, whose processes may have to wait
	fifoSize        = 16                     // bytes that a UART hands over at a time
	floodStep       = time.Millisecond
	idleWait        = time.Hour
)

// wire is what travels on the line.
type wire struct {
	travel   []transfer // by time
	free     [][]byte   // buffers
	scan     scanner
	last     time.Time // the newest bytes of the panel
	panel    time.Time // until when the panel sends
	readers  time.Time // until when a reader sends
	incoming []byte
}

// transfer is bytes that arrive at some time, or, of a reader's transmission,
// that start.
type transfer struct {
	at   time.Time
	what transferKind
	gap  time.Duration
	next bool // waits for the transmission before
	data []byte
}

type transferKind uint8

const (
	atReaders transferKind = iota
	starting               // a reader starts to send
	atPanel
)

// step does what is due and returns how long nothing will be.
func (l *Line) step(now time.Time) time.Duration {
	l.collect(now)
	for len(l.wire.travel) > 0 && !l.wire.travel[0].at.After(now) {
		t := l.wire.travel[0]
		l.wire.travel = l.wire.travel[:copy(l.wire.travel, l.wire.travel[1:])]
		switch t.what {
		case atReaders:
			l.arrive(t)
		case starting:
			l.start(t)
		case atPanel:
			l.deliver(t.data)
		}
		l.wire.free = append(l.wire.free, t.data[:0])
	}
	wait := idleWait
	if l.flood(now) {
		wait = floodStep
	}
	if len(l.wire.travel) > 0 {
		wait = min(wait, l.wire.travel[0].at.Sub(now))
	}
	return wait
}

// collect takes what the panel wrote.
func (l *Line) collect(now time.Time) {
	l.mu.Lock()
	port, typed := l.port, l.typed
	l.typed = l.typed[:0]
	if len(typed) > 0 {
		l.send(typed, now, 0)
	}
	l.mu.Unlock()
	if port == nil {
		return
	}
	for {
		b, at, ok := port.receive(l.wire.incoming[:0])
		l.wire.incoming = b
		if !ok {
			return
		}
		l.send(b, at, port.baud)
	}
}

// send puts the panel's bytes on the wire.
func (l *Line) send(b []byte, at time.Time, baud int) {
	if l.WireTime && baud > 0 {
		if at.Before(l.wire.panel) {
			at = l.wire.panel
		}
		clash := at.Before(l.wire.readers)
		at = at.Add(wireTime(len(b), baud))
		l.wire.panel = at
		if clash {
			l.spoilWire()
			return
		}
	}
	l.put(transfer{at: at, what: atReaders}, b)
}

// wireTime is how long bytes take: a start bit, eight bits, a stop bit each.
func wireTime(n, baud int) time.Duration {
	return time.Duration(n) * 10 * time.Second / time.Duration(baud)
}

// put sorts a copy of the bytes in.
func (l *Line) put(t transfer, b []byte) {
	if n := len(l.wire.free); n > 0 {
		t.data = l.wire.free[n-1]
		l.wire.free = l.wire.free[:n-1]
	}
	t.data = append(t.data[:0], b...)
	l.wire.travel = append(l.wire.travel, t)
	for i := len(l.wire.travel) - 1; i > 0 && l.wire.travel[i-1].at.After(t.at); i-- {
		l.wire.travel[i-1], l.wire.travel[i] = l.wire.travel[i], l.wire.travel[i-1]
	}
}

// spoilWire is two that send at a time: nobody understands either.
func (l *Line) spoilWire() {
	for _, t := range l.wire.travel {
		if t.what == starting {
			continue
		}
		for i := range t.data {
			t.data[i] ^= 0xA5
		}
	}
}

// arrive is the panel's bytes at the readers.
func (l *Line) arrive(t transfer) {
	l.mu.Lock()
	port, echo, terminal := l.port, l.echo, l.Path() != ""
	n := l.cross(len(t.data))
	l.mu.Unlock()
	data := t.data[:n]
	if echo {
		l.deliver(data)
	}
	gap, baud := byteGap, 0
	if terminal {
		gap = byteGapTerminal
	} else if port != nil {
		baud = port.baud
	}
	s := &l.wire.scan
	for t.at.Sub(l.wire.last) > gap && len(s.buf) > 0 {
		s.silence()
		l.hear(t.at, baud)
	}
	l.wire.last = t.at
	s.feed(data)
	l.hear(t.at, baud)
}

// hear hands frames to the readers, and what they say to the wire.
func (l *Line) hear(at time.Time, baud int) {
	for frame := l.wire.scan.next(); frame != nil; frame = l.wire.scan.next() {
		for _, r := range l.readers {
			if baud != 0 && r.speed() != baud {
				continue
			}
			for _, s := range r.hear(frame, at) {
				l.put(transfer{at: at.Add(max(0, s.after)), what: starting, gap: s.gap, next: s.next}, s.data)
			}
		}
	}
}

// start is a reader that begins to send.
func (l *Line) start(t transfer) {
	l.mu.Lock()
	baud := 0
	if l.WireTime && l.port != nil {
		baud = l.port.baud
	}
	l.mu.Unlock()
	at, step := t.at, len(t.data)
	if baud > 0 {
		step = fifoSize
		switch {
		case t.next:
			at = l.wire.readers
		case at.Before(l.wire.panel), at.Before(l.wire.readers):
			l.spoilWire()
			return
		}
	}
	if t.gap > 0 {
		step = 1
	}
	for b := t.data; len(b) > 0; {
		n := min(step, len(b))
		if baud > 0 {
			at = at.Add(wireTime(n, baud))
		}
		l.put(transfer{at: at, what: atPanel}, b[:n])
		b, at = b[n:], at.Add(t.gap)
	}
	if baud > 0 {
		l.wire.readers = at
	}
}

// deliver is bytes at the panel.
func (l *Line) deliver(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.Plugged() {
		return
	}
	whole := len(b)
	n := min(whole, l.left(whole))
	_ = l.Send(b[:n]) // nobody listens: lost, as on a wire
	l.cross(whole)
}

// left is how many bytes can cross the adapter.
func (l *Line) left(n int) int {
	if l.cut >= 0 {
		return min(n, l.cut)
	}
	return n
}

// cross counts bytes over the adapter, and pulls it out after the last. It
// returns how many crossed.
func (l *Line) cross(n int) int {
	if !l.Plugged() {
		return 0
	}
	if l.cut < 0 {
		return n
	}
	n = min(n, l.cut)
	if l.cut -= n; l.cut == 0 {
		_ = l.unplug()
	}
	return n
}

// flood sends what the readers send without being asked. True: they go on.
func (l *Line) flood(now time.Time) bool {
	l.mu.Lock()
	flooding := l.flooding
	l.flooding = false
	l.mu.Unlock()
	if !flooding {
		return false
	}
	on := false
	for _, r := range l.readers {
		b, more := r.flood(now)
		if len(b) > 0 {
			l.deliver(b)
		}
		on = on || more
	}
	if on {
		l.mu.Lock()
		l.flooding = true
		l.mu.Unlock()
	}
	return on
}
