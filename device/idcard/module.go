// Package idcard reads identity cards by a SAM_V module on a serial port, as
// card readers for the second-generation identity card have one inside (GA 450:
// the module proves itself to the card, and opens it). It is for the desk, where
// somebody who lays a card down is looked at; never for a door.
//
// It takes from a card what a check-in needs and drops the rest (see Record). It
// refuses to ask anybody else what a card says: modules that need a maker's
// server to decode a card can't be used. It judges no number and no date, and
// keeps nothing of a card.
package idcard

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/internal/backoff"
)

// BaudRates returns the baud rates of modules; the first is the factory default.
func BaudRates() []int { return []int{115200, 57600, 38400, 19200, 9600} }

// Timeouts and pauses of the line.
const (
	answerTime = time.Second     // to anything but a read
	readTime   = 3 * time.Second // a read: 1,295 bytes, at 9,600 baud half of it
	pollEvery  = 300 * time.Millisecond
	deadTime   = 10 * time.Second       // silence after which it is no restart
	slice      = 50 * time.Millisecond  // how soon a read notices the end of ctx
	quiet      = 5 * time.Millisecond   // silence before a command
	longQuiet  = 100 * time.Millisecond // the same after a fault: late and broken replies pass
	noiseTime  = time.Second            // a line that is not quiet by then is noisy
)

// Errors of a module that callers can do something about, besides Status.
var (
	ErrNoCard = errors.New("no card was laid on the reader, or one still lies there from before")
	ErrSilent = errors.New("the module does not answer")
)

// Module is a SAM_V module at the far end of a port. For one goroutine.
type Module struct {
	port   device.Port
	framer framer
	chunk  [256]byte
	rough  bool // after a fault: late answers may be on their way
}

// New returns the module at a port, which stays the caller's to close.
func New(port device.Port) *Module { return &Module{port: port, rough: true} }

// Check asks the module whether it is ready. It returns nil, a Status with the
// module's own word, ErrSilent, or the port's error.
func (m *Module) Check(ctx context.Context) error {
	_, err := m.ask(ctx, State)
	return wrap("check ID-card module", err)
}

// Restart resets the module. It is ready when Check says so.
func (m *Module) Restart(ctx context.Context) error {
	_, err := m.ask(ctx, Reset)
	return wrap("reset ID-card module", err)
}

// Number returns the number of the module as makers print it, such as
// 05.03-20200101-0000000001-0000000002. It is nobody's data.
func (m *Module) Number(ctx context.Context) (string, error) {
	r, err := m.ask(ctx, SAMID)
	if err != nil {
		return "", wrap("read the number of the ID-card module", err)
	}
	u16 := func(at int) uint16 { return binary.LittleEndian.Uint16(r.Data[at:]) }
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(r.Data[at:]) }
	return fmt.Sprintf("%02d.%02d-%08d-%010d-%010d", u16(0), u16(2), u32(4), u32(8), u32(12)), nil
}

// ask sends a command up to three times.
func (m *Module) ask(ctx context.Context, c Command) (r Reply, err error) {
	for range 3 {
		if r, err = m.exchange(ctx, c); err == nil || ctx.Err() != nil || !passing(err) {
			break
		}
	}
	return r, err
}

// Read waits for a card to be laid on and reads it. A card that was read before
// and still lies there is not read again: modules answer that they see none
// until it is taken off. Whatever passes (a card taken off too early, a broken
// reply, a module that starts again) is tried anew until ctx is over.
//
// It returns ErrNoCard if ctx's deadline came and nothing had been seen, and
// what went wrong last if something had; ctx's error if ctx was cancelled;
// ErrSilent after ten seconds without an answer; a Status when the module
// refuses for good; ErrUnknownCard or ErrRecord; the port's error when it fails.
func (m *Module) Read(ctx context.Context) (Record, error) {
	const what = "read ID card"
	last, heard := ErrNoCard, time.Now()
	for {
		record, err := m.attempt(ctx)
		m.framer.wipe()
		switch {
		case err == nil:
			return record, nil
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return Record{}, wrap(what, last)
		case ctx.Err() != nil:
			return Record{}, wrap(what, ctx.Err())
		case !passing(err):
			return Record{}, wrap(what, err)
		case !errors.Is(err, ErrSilent):
			heard = time.Now()
		case time.Since(heard) >= deadTime:
			return Record{}, wrap(what, err)
		}
		if !errors.Is(err, statusNoCard) {
			last = err
		}
		backoff.Sleep(ctx, pollEvery)
	}
}

// attempt is one round: find, select, read. An answer to the read that is broken
// or lost is asked for once more, because the module finds no card twice.
func (m *Module) attempt(ctx context.Context) (record Record, err error) {
	for _, c := range []Command{Find, Select} {
		if _, err := m.exchange(ctx, c); err != nil {
			return record, err
		}
	}
	for range 2 {
		var r Reply
		if r, err = m.exchange(ctx, ReadText); err == nil {
			record, err = r.Record()
		}
		if !errors.Is(err, errDamaged) && !errors.Is(err, ErrSilent) {
			break
		}
		m.rough = true // Record may have found it
	}
	return record, err
}

// answer is the form of a good reply to a command: another may be a late reply to another command.
type answer struct {
	status Status
	size   int // of the data; negative: Record judges it
	limit  time.Duration
}

var answers = map[Command]answer{
	Reset:    {StatusOK, 0, answerTime},
	State:    {StatusOK, 0, answerTime},
	SAMID:    {StatusOK, 16, answerTime},
	Find:     {StatusFound, 4, answerTime},
	Select:   {StatusOK, 8, answerTime},
	ReadText: {StatusOK, -1, readTime},
}

// take returns a good reply, the module's refusal, or a fault.
func (a answer) take(frame []byte) (Reply, error) {
	r, err := ParseReply(frame)
	switch {
	case err != nil:
		return r, err
	case r.Status != a.status && r.Status != StatusOK && r.Status != StatusFound:
		return r, r.Status
	case r.Status != a.status || a.size >= 0 && len(r.Data) != a.size:
		return r, fmt.Errorf("%w: an answer to another question", errDamaged)
	}
	return r, nil
}

// passing reports whether a fault may be gone at the next try.
func passing(err error) bool {
	var s Status
	if errors.As(err, &s) {
		return statuses[s].again
	}
	return errors.Is(err, errDamaged) || errors.Is(err, ErrSilent)
}

// exchange sends a command and waits for its one reply, which stays in the framer until the next.
func (m *Module) exchange(ctx context.Context, c Command) (r Reply, err error) {
	defer func() {
		m.rough = err != nil
		clear(m.chunk[:])
	}()
	if err := m.drain(ctx); err != nil {
		return r, err
	}
	var frame [head + 3]byte
	if _, err := m.port.Write(c.AppendTo(frame[:0])); err != nil {
		return r, err
	}
	m.framer.wipe()
	want := answers[c]
	for end := time.Now().Add(want.limit); ; {
		left := time.Until(end)
		switch {
		case left <= 0 && m.framer.n > 0:
			return r, fmt.Errorf("%w: it broke off", errDamaged)
		case left <= 0:
			return r, ErrSilent
		}
		n, err := m.receive(ctx, min(left, slice))
		if err != nil {
			return r, err
		}
		whole, err := m.framer.push(m.chunk[:n])
		if err != nil {
			return r, err
		}
		if whole {
			return want.take(m.framer.frame())
		}
	}
}

// drain drops unexpected bytes until the line is quiet.
func (m *Module) drain(ctx context.Context) error {
	pause := quiet
	if m.rough {
		pause = longQuiet
	}
	for end := time.Now().Add(noiseTime); time.Now().Before(end); {
		n, err := m.receive(ctx, pause)
		if n == 0 || err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: bytes come without a question", errDamaged)
}

// receive reads into chunk within a time limit; 0 bytes if nothing comes.
func (m *Module) receive(ctx context.Context, limit time.Duration) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := m.port.SetReadTimeout(limit); err != nil {
		return 0, err
	}
	n, err := m.port.Read(m.chunk[:])
	for device.PortFault(err) != fault.None { // the port stays in use
		n, err = m.port.Read(m.chunk[:])
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return n, err
}

func wrap(what string, err error) error {
	if err != nil {
		err = fmt.Errorf("%s: %w", what, err)
	}
	return err
}
