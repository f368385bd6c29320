package pn532

import (
	"errors"
	"fmt"
	"os"
	"time"

	"gatehouse/device"
)

// Commands (user manual, section 7). The chip answers each with a code one
// higher.
const (
	getFirmwareVersion  = 0x02
	samConfiguration    = 0x14
	rfConfiguration     = 0x32
	inListPassiveTarget = 0x4A
)

const (
	attempts = 3
	overtime = 100 * time.Millisecond // for bytes that wait because the reader was busy; a flood gets no more
)

// limits are the timeouts of the module.
type limits struct{ ack, reply time.Duration }

var usual = limits{
	ack:   100 * time.Millisecond, // the manual has 15 ms, a USB adapter keeps bytes up to 16 ms
	reply: 500 * time.Millisecond, // a card is listed or not in less than 50 ms with our retries
}

// errRefused means that the chip refuses a command, or does not know it.
var errRefused = errors.New("the module refuses a command")

// errGarbled means that every repetition of an answer had a wrong checksum.
var errGarbled = errors.New("the module's answer has a wrong checksum")

// chip is the host's side of one module on an open port. It is for one goroutine.
type chip struct {
	port   device.Port
	limits limits
	// disturbed reports whether an error is the act of another program, after which the port still
	// works.
	disturbed func(error) bool

	dec  decoder
	cmd  []byte
	out  []byte
	in   [64]byte
	n, i int // bytes in in, and how many are decoded
}

// version is the type of chip and its firmware.
type version struct{ chip, major, minor byte }

func (v version) String() string {
	return fmt.Sprintf("PN5%02X firmware %d.%d", v.chip, v.major, v.minor)
}

// setUp wakes the module and configures it to list cards. Without a number of retries
// InListPassiveTarget would wait for a card for ever.
func (c *chip) setUp() (version, error) {
	c.dec.reset()
	if _, err := c.port.Write([]byte(wakeUp)); err != nil {
		return version{}, err
	}
	// Normal mode, no time limit, the interrupt line as it is after reset.
	if _, err := c.command(samConfiguration, 0x01, 0x14, 0x01); err != nil {
		return version{}, fmt.Errorf("wake the module: %w", err)
	}
	got, err := c.command(getFirmwareVersion)
	if err != nil {
		return version{}, fmt.Errorf("ask for the firmware: %w", err)
	}
	if len(got) != 4 {
		return version{}, fmt.Errorf("firmware version of %d bytes: %w", len(got), errRefused)
	}
	v := version{got[0], got[1], got[2]}
	// Retries: ATR without end, PSL one, search for a card two.
	if _, err := c.command(rfConfiguration, 0x05, 0xFF, 0x01, 0x02); err != nil {
		return version{}, fmt.Errorf("set the retries: %w", err)
	}
	return v, nil
}

// list returns the module's list of the cards in its field: at most one, of ISO 14443 type A.
func (c *chip) list() ([]byte, error) {
	got, err := c.command(inListPassiveTarget, 0x01, 0x00)
	if err != nil {
		return nil, fmt.Errorf("look for a card: %w", err)
	}
	return got, nil
}

// command sends a command until the module acknowledges it, and returns the bytes of the answer
// after its code, which are valid until the next command. The error wraps device.ErrNoAnswer,
// errRefused, errGarbled or the port's.
func (c *chip) command(code byte, parameters ...byte) ([]byte, error) {
	c.dec.forget()
	c.cmd = append(append(c.cmd[:0], toChip, code), parameters...)
	c.out = appendFrame(c.out[:0], c.cmd)
	var err error
	for range attempts {
		if _, err = c.port.Write(c.out); err != nil {
			return nil, err
		}
		if err = c.acknowledged(); errors.Is(err, device.ErrNoAnswer) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return c.reply(code + 1)
	}
	return nil, err
}

// acknowledged waits for ACK. It drops older frames.
func (c *chip) acknowledged() error {
	for deadline := time.Now().Add(c.limits.ack); ; {
		got, err := c.next(deadline)
		switch {
		case err != nil:
			return err
		case got == frameAck:
			return nil
		case got == frameNack:
			return device.ErrNoAnswer // it got less than was sent: repeat the command
		}
	}
}

// reply waits for the answer with that code. It requests one with a wrong checksum again (NACK),
// and aborts a command that times out (ACK).
func (c *chip) reply(code byte) ([]byte, error) {
	deadline := time.Now().Add(c.limits.reply)
	for garbled := 0; ; {
		got, err := c.next(deadline)
		switch {
		case errors.Is(err, device.ErrNoAnswer):
			if _, err := c.port.Write([]byte(ack)); err != nil {
				return nil, err
			}
			return nil, err
		case err != nil:
			return nil, err
		case got == frameError:
			return nil, errRefused
		case got == frameSum:
			if garbled++; garbled == attempts {
				return nil, errGarbled
			}
			if _, err := c.port.Write([]byte(nack)); err != nil {
				return nil, err
			}
		case got == frameData && c.dec.data[0] == code:
			return c.dec.data[1:], nil
		}
	}
}

// next waits for the next frame. Bytes that are already in the port are read even after the
// deadline.
func (c *chip) next(deadline time.Time) (frame, error) {
	for {
		left := time.Until(deadline)
		if left < -overtime {
			c.i, c.n = 0, 0
			c.dec.reset()
			return frameNone, device.ErrNoAnswer
		}
		for c.i < c.n {
			b := c.in[c.i]
			c.i++
			if f := c.dec.push(b); f != frameNone {
				return f, nil
			}
		}
		if err := c.port.SetReadTimeout(max(left, 0)); err != nil {
			return frameNone, err
		}
		clear(c.in[:])
		n, err := c.port.Read(c.in[:])
		c.i, c.n = 0, n
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			c.dec.reset()
			return frameNone, device.ErrNoAnswer
		}
		if err != nil && !c.disturbed(err) && n == 0 {
			return frameNone, err
		}
	}
}
