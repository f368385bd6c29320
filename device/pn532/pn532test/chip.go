package pn532test

import (
	"slices"
	"sync"
	"time"

	"gatehouse/device/devicetest"
)

// Chip is a simulated NXP PN532 on a serial port, by its user manual (UM0701-02): it sleeps until
// woken, acknowledges commands, and lists cards of ISO 14443 type A in its field. In memory it
// waits only by timers, so that it works under testing/synctest; on a terminal it receives only
// while Run runs. It is safe for concurrent use.
type Chip struct {
	*devicetest.Plug

	mu       sync.Mutex
	awake    bool
	ready    bool // SAMConfiguration was there
	retries  byte // of looking for a card; FF: without end, as after power comes
	field    [][]byte
	waiting  bool // InListPassiveTarget has not been answered
	heard    []byte
	last     []byte // the last answer, for NACK
	sends    []transmission
	epoch    int // answers of before an abort or a reset are not sent
	commands []byte
	mishaps  []Fault
}

// Fault is a malfunction of a Chip or its cable.
type Fault uint8

// The faults; each affects one command.
const (
	Deaf     Fault = iota + 1 // it is not heard
	Nack                      // NACK; it is not carried out
	Silent                    // ACK, and no answer
	Corrupt                   // the answer's checksum is wrong; asked again, it is right
	Garbled                   // the answer's checksum is wrong, asked again too
	Refuse                    // the error frame
	Garbage                   // bytes before ACK and answer that look like frames
	Extended                  // the answer comes as an extended frame
	Stale                     // another command's answer comes before
	Truncate                  // the answer's end is missing
	Length                    // the length of the number lies
	Dribble                   // the answer comes byte by byte, 1 ms apart
	Brownout                  // power is lost before the command
)

const (
	ackFrame   = "\x00\x00\xFF\x00\xFF\x00"
	nackFrame  = "\x00\x00\xFF\xFF\x00\x00"
	errorFrame = "\x00\x00\xFF\x01\xFF\x7F\x81\x00"

	// garbage has false starts, one with a length that would swallow a true frame.
	garbage = "\x00\xFF\x00\x00\xFF\x05\xFA\x00\x00\xFF\xFF\xFF\x01\x00\xFF\xAA\x55"

	ackAfter  = time.Millisecond
	workTime  = 5 * time.Millisecond  // of a command
	lookAgain = 10 * time.Millisecond // of each retry without a card
)

// NewChip returns a chip on a port in memory, plugged in, powered and asleep.
func NewChip() *Chip {
	c := &Chip{retries: 0xFF}
	c.Plug = devicetest.NewPlug(c.hear)
	return c
}

// NewTerminal returns a chip behind a pseudo-terminal with a symbolic link to it.
func NewTerminal(link string) (*Chip, error) {
	c := &Chip{retries: 0xFF}
	p, err := devicetest.NewTerminalPlug(link, c.hear)
	if err != nil {
		return nil, err
	}
	c.Plug = p
	return c, nil
}

// Present replaces the cards in the field, given by their UIDs of 4, 7 or 10 bytes.
func (c *Chip) Present(uids ...[]byte) {
	c.mu.Lock()
	c.field = slices.Clone(uids)
	answer := c.waiting && len(uids) > 0
	epoch := c.epoch
	c.mu.Unlock()
	if answer {
		c.list(epoch, 0)
	}
}

// Misbehave adds faults: of the next command, of the one after it, and so on.
func (c *Chip) Misbehave(faults ...Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mishaps = append(c.mishaps, faults...)
}

// Reset interrupts the power: the chip sleeps and has lost its settings.
func (c *Chip) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reset()
}

func (c *Chip) reset() {
	c.awake, c.ready, c.waiting, c.retries, c.heard, c.last = false, false, false, 0xFF, nil, nil
	c.epoch++
}

// Commands returns the codes of the commands that were executed so far.
func (c *Chip) Commands() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.commands)
}

// hear receives bytes from the host.
func (c *Chip) hear(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range b {
		if !c.awake { // the first bytes are lost: their edges only wake it
			c.awake = x == 0x55
			continue
		}
		c.heard = append(c.heard, x)
		c.parse()
	}
}

// parse removes a frame from the received bytes, or the first byte where there is none.
func (c *Chip) parse() {
	for len(c.heard) >= 6 {
		h := c.heard
		if h[0] != 0 || h[1] != 0 || h[2] != 0xFF {
			c.heard = h[1:]
			continue
		}
		switch {
		case string(h[:6]) == ackFrame: // abort
			c.epoch++
			c.waiting = false
			c.heard = h[6:]
			continue
		case string(h[:6]) == nackFrame:
			c.after(ackAfter, c.last)
			c.heard = h[6:]
			continue
		}
		size := int(h[3]) + 7
		if h[3] == 0 || h[3]+h[4] != 0 {
			c.heard = h[1:]
			continue
		}
		if len(h) < size {
			return
		}
		c.heard = h[size:]
		if data := h[5 : size-2]; sumOf(h[5:size-1]) == 0 && data[0] == 0xD4 && len(data) > 1 {
			c.obey(slices.Clone(data[1:]))
		} else {
			c.after(ackAfter, []byte(nackFrame))
		}
	}
}

// obey executes a command, with the fault whose turn it is.
func (c *Chip) obey(command []byte) {
	fault := Fault(0)
	if len(c.mishaps) > 0 {
		fault, c.mishaps = c.mishaps[0], c.mishaps[1:]
	}
	switch fault {
	case Brownout:
		c.reset()
		return
	case Deaf:
		return
	case Nack:
		c.after(ackAfter, []byte(nackFrame))
		return
	}
	if !c.ready && command[0] != 0x14 { // low battery mode: that one first
		return
	}
	c.epoch++
	c.waiting = false
	if fault == Garbage {
		c.after(0, []byte(garbage))
	}
	c.after(ackAfter, []byte(ackFrame))
	c.commands = append(c.commands, command[0])
	if answer, ok := c.answer(command); ok {
		c.reply(workTime, answer, fault)
		return
	}
	c.look(fault)
}

// answer returns the answer to a command; false for InListPassiveTarget.
func (c *Chip) answer(command []byte) ([]byte, bool) {
	switch command[0] {
	case 0x14: // SAMConfiguration
		c.ready = true
	case 0x02: // GetFirmwareVersion: PN532, firmware 1.6, all that it supports
		return []byte{0x03, 0x32, 1, 6, 7}, true
	case 0x32: // RFConfiguration
		if len(command) == 5 && command[1] == 0x05 {
			c.retries = command[4]
		}
	case 0x4A: // InListPassiveTarget
		return nil, len(command) != 3 || command[2] != 0
	default:
		return nil, true // the error frame
	}
	return []byte{command[0] + 1}, true
}

// look lists the cards in the field, or waits for one.
func (c *Chip) look(fault Fault) {
	c.waiting = true
	switch {
	case len(c.field) > 0:
		c.waiting = false
		c.reply(workTime, listed(c.field[0], fault), fault)
	case c.retries != 0xFF:
		c.waiting = false
		c.reply(workTime+time.Duration(c.retries+1)*lookAgain, []byte{0x4B, 0}, fault)
	}
}

// list answers an InListPassiveTarget that waited.
func (c *Chip) list(epoch int, fault Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting && c.epoch == epoch && len(c.field) > 0 {
		c.look(fault)
	}
}

// listed returns the answer that lists a card: its number in the list, ATQA, SAK, length, UID.
func listed(uid []byte, fault Fault) []byte {
	n := byte(len(uid))
	if fault == Length {
		n += 3
	}
	return append([]byte{0x4B, 1, 1, 0x00, 0x04, 0x08, n}, uid...)
}

// reply sends an answer with the fault applied.
func (c *Chip) reply(d time.Duration, answer []byte, fault Fault) {
	if answer == nil {
		c.after(d, []byte(errorFrame))
		return
	}
	right := encode(append([]byte{0xD5}, answer...), fault == Extended)
	wrong := slices.Clone(right)
	wrong[len(wrong)-3] ^= 0x40
	c.last = right
	switch fault {
	case Silent:
	case Corrupt:
		c.after(d, wrong)
	case Garbled:
		c.last = wrong
		c.after(d, wrong)
	case Refuse:
		c.after(d, []byte(errorFrame))
	case Stale:
		c.after(d, append(encode([]byte{0xD5, 0x41, 0x00, 0x08, 0x15}, false), right...))
	case Truncate:
		c.after(d, right[:len(right)-4])
	case Dribble:
		for i := range right {
			c.after(d+time.Duration(i)*time.Millisecond, right[i:i+1])
		}
	default:
		c.after(d, right)
	}
}

// transmission is bytes to be sent, unless the command is aborted.
type transmission struct {
	at    time.Time
	epoch int
	bytes []byte
}

// after sends bytes later, unless the command is aborted meanwhile.
func (c *Chip) after(d time.Duration, b []byte) {
	s := transmission{time.Now().Add(d), c.epoch, b}
	i := len(c.sends)
	for i > 0 && c.sends[i-1].at.After(s.at) {
		i--
	}
	c.sends = slices.Insert(c.sends, i, s)
	time.AfterFunc(d, c.sendDue)
}

// sendDue sends due transmissions in the order of their times: on a busy machine the timer of an
// answer may fire before that of its ACK.
func (c *Chip) sendDue() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for now := time.Now(); len(c.sends) > 0 && !c.sends[0].at.After(now); c.sends = c.sends[1:] {
		if s := c.sends[0]; s.epoch == c.epoch {
			_ = c.Send(s.bytes) // unplugged: lost, as on a wire
		}
	}
}

func encode(data []byte, extended bool) []byte {
	f := []byte{0, 0, 0xFF, byte(len(data)), -byte(len(data))}
	if extended {
		f = []byte{0, 0, 0xFF, 0xFF, 0xFF, 0, byte(len(data)), -byte(len(data))}
	}
	f = append(f, data...)
	return append(f, -sumOf(data), 0)
}

func sumOf(b []byte) (sum byte) {
	for _, x := range b {
		sum += x
	}
	return sum
}
