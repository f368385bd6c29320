package idcardtest

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"gatehouse/device/devicetest"
)

// Module is a SAM_V module, the reader of identity cards (GA 450), at 8N1.
// It does what modules do: a card that was read is not found again until it is
// taken off, and it tells no card from another before a full read. In a terminal it
// hears nothing unless Run runs. Safe for use by many goroutines.
type Module struct {
	*devicetest.Plug

	mu       sync.Mutex
	random   *rand.Rand
	faults   Faults
	card     *Card
	found    bool // by a find; the card is still there
	selected bool
	read     bool // the card was read and has not left
	deaf     bool // starting again
	heard    []byte
	commands [][2]byte
}

// Faults are ways to misbehave. The counts go down as they are used.
type Faults struct {
	Split      bool          // replies come in pieces of random size, with pauses of up to 20 ms
	Delay      time.Duration // before each reply
	Noise      int           // up to so many random bytes before each reply
	WrongCheck int           // so many replies have a wrong checksum
	LongLength int           // so many replies claim to be longer than any
	PullAt     int           // the card is taken off when so many bytes of a read's reply are out: no more come
	Reboot     time.Duration // at the next read the module starts again after half of its reply, and is deaf so long
	UnplugAt   int           // the cable is pulled when so many bytes have come from the module
	Silent     bool          // no replies
	Status     byte          // SW3 of all replies to reads; 0: as things are
	// Mangle, if not nil, returns what is sent in place of a reply.
	Mangle func(command [2]byte, reply []byte) []byte
}

// NewModule makes a module with no card on it, on a port in memory, plugged in. Its
// chances come from seed.
func NewModule(seed uint64) *Module {
	m := newModule(seed)
	m.Plug = devicetest.NewPlug(m.hear)
	return m
}

// NewTerminal makes a module with no card on it, behind a pseudo-terminal, plugged
// in, and a symbolic link to it. Its chances come from seed.
func NewTerminal(link string, seed uint64) (*Module, error) {
	m := newModule(seed)
	var err error
	if m.Plug, err = devicetest.NewTerminalPlug(link, m.hear); err != nil {
		return nil, err
	}
	return m, nil
}

func newModule(seed uint64) *Module {
	return &Module{random: rand.New(rand.NewPCG(seed, 0))}
}

// Misbehave replaces the faults.
func (m *Module) Misbehave(f Faults) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = f
}

// Place lays a card on, in place of any that is there.
func (m *Module) Place(c Card) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove()
	m.card = &c
}

// Remove takes the card off.
func (m *Module) Remove() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove()
}

// Commands returns CMD and Para of all good commands so far.
func (m *Module) Commands() [][2]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.commands)
}

func (m *Module) remove() {
	m.card, m.found, m.selected, m.read = nil, false, false, false
}

// hear takes bytes that were written to the module.
func (m *Module) hear(b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.deaf {
		return
	}
	for m.heard = append(m.heard, b...); ; {
		i := bytes.Index(m.heard, []byte{0xAA, 0xAA, 0xAA, 0x96, 0x69})
		if i < 0 || len(m.heard) < i+7 {
			return
		}
		frame := m.heard[i+5:]
		n := 2 + int(frame[0])<<8 + int(frame[1])
		if n > 64 {
			m.heard = m.heard[i+5:]
			m.reply([2]byte{}, 0x11, nil)
			continue
		}
		if len(frame) < n {
			return
		}
		m.heard = slices.Clone(frame[n:])
		m.obey(frame[:n])
	}
}

// obey answers one frame without its preamble.
func (m *Module) obey(frame []byte) {
	switch {
	case len(frame) < 5:
		m.reply([2]byte{}, 0x11, nil)
		return
	case xor(frame) != 0:
		m.reply([2]byte{}, 0x10, nil)
		return
	}
	command := [2]byte(frame[2:4])
	m.commands = append(m.commands, command)
	sw3, data := m.answer(command)
	m.reply(command, sw3, data)
}

func (m *Module) answer(command [2]byte) (sw3 byte, data []byte) {
	switch command {
	case [2]byte{0x10, 0xFF}:
		m.found, m.selected, m.read = false, false, false
		return 0x90, nil
	case [2]byte{0x11, 0xFF}, [2]byte{0x61, 0xFF}:
		return 0x90, nil
	case [2]byte{0x12, 0xFF}: // 05.03, 20200101, 1, 2
		return 0x90, []byte{5, 0, 3, 0, 0xA5, 0x3A, 0x34, 0x01, 1, 0, 0, 0, 2, 0, 0, 0}
	case [2]byte{0x20, 0x01}:
		if m.found = m.card != nil && !m.read; m.found {
			return 0x9F, make([]byte, 4)
		}
		return 0x80, nil
	case [2]byte{0x20, 0x02}:
		if m.selected = m.found; m.selected {
			return 0x90, make([]byte, 8)
		}
		return 0x81, nil
	case [2]byte{0x30, 0x01}, [2]byte{0x30, 0x10}:
		return m.readOut(command[1] == 0x10)
	case [2]byte{0x30, 0x03}:
		return 0x91, nil
	}
	return 0x21, nil
}

func (m *Module) readOut(fingers bool) (sw3 byte, data []byte) {
	switch {
	case m.faults.Status != 0:
		return m.faults.Status, nil
	case !m.selected:
		return 0x41, nil
	}
	m.read = true
	return 0x90, m.card.parts(fingers)
}

// piece is a part of a reply, and the pause before it.
type piece struct {
	after time.Duration
	bytes []byte
	then  func() // with the lock held, once the piece is out
}

// reply sends a reply with the faults that are due.
func (m *Module) reply(command [2]byte, sw3 byte, data []byte) {
	f := &m.faults
	frame := encode(sw3, data)
	if f.WrongCheck > 0 {
		f.WrongCheck--
		frame[len(frame)-1] ^= 0x40
	}
	if f.LongLength > 0 {
		f.LongLength--
		frame[5] |= 0x80
	}
	if f.Mangle != nil {
		frame = f.Mangle(command, frame)
	}
	var then func()
	if command[0] == 0x30 && len(data) > 0 {
		frame, then = m.mishap(frame)
	}
	if f.Silent {
		return
	}
	noise := make([]byte, 0, f.Noise)
	for range f.Noise {
		noise = append(noise, byte(m.random.Uint32()))
	}
	pieces := []piece{{after: f.Delay, bytes: append(noise, frame...)}}
	if f.Split {
		pieces = m.split(pieces[0])
	}
	pieces[len(pieces)-1].then = then
	m.play(pieces)
}

// mishap cuts the reply of a read where the card is taken off or the module
// starts again.
func (m *Module) mishap(frame []byte) ([]byte, func()) {
	f := &m.faults
	if f.PullAt > 0 && f.PullAt < len(frame) {
		frame, f.PullAt = frame[:f.PullAt], 0
		return frame, m.remove
	}
	if pause := f.Reboot; pause > 0 {
		f.Reboot = 0
		return frame[:len(frame)/2], func() {
			m.deaf, m.heard, m.found, m.selected, m.read = true, nil, false, false, false
			time.AfterFunc(pause, func() {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.deaf = false
				m.send([]byte{0, 0xAA, 0xFF}) // as lines do when power comes
			})
		}
	}
	return frame, nil
}

func (m *Module) split(whole piece) (pieces []piece) {
	for rest := whole.bytes; len(rest) > 0; {
		n := 1 + m.random.IntN(min(len(rest), 200))
		pieces = append(pieces, piece{after: whole.after, bytes: rest[:n]})
		rest, whole.after = rest[n:], time.Duration(m.random.IntN(20))*time.Millisecond
	}
	return pieces
}

// send sends bytes, as far as the cable is in.
func (m *Module) send(b []byte) {
	f := &m.faults
	cut := f.UnplugAt > 0 && len(b) >= f.UnplugAt
	if cut {
		b = b[:f.UnplugAt]
	}
	_ = m.Send(b) // unplugged: lost, as on a wire
	if f.UnplugAt > 0 {
		f.UnplugAt -= len(b)
	}
	if cut {
		_ = m.Unplug() // of a port in memory: can't fail
	}
}

// play sends the pieces with their pauses.
func (m *Module) play(pieces []piece) {
	for i, p := range pieces {
		if p.after > 0 {
			pieces[i].after = 0
			time.AfterFunc(p.after, func() {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.play(pieces[i:])
			})
			return
		}
		m.send(p.bytes)
		if p.then != nil {
			p.then()
		}
	}
}
