package devicetest

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"
)

// repeatEvery is how often an RDM6300 sends the card that lies on it.
const repeatEvery = 50 * time.Millisecond

// SerialModule plays a serial reader or a code scanner of any layout. It has its
// own encoders, by the modules' manuals. A module that is asked (7941w) answers
// by itself, in a terminal only while Run runs. Safe for use by many goroutines.
type SerialModule struct {
	*Plug
	layout string

	mu     sync.Mutex
	every  time.Duration
	mishap SerialMishap
	field  []byte // the card that lies there; of a module that is asked
	asked  []byte // what was heard of a command
}

// SerialMishap is what a SerialModule does wrong from now on; the zero value is
// nothing.
type SerialMishap struct {
	Noise      []byte        // comes before each frame
	Split      time.Duration // the bytes of a frame are apart by so much
	WrongCheck bool          // one bit of the checksum is turned, where there is one
	Cut        int           // so many bytes of the frame's end are lost
}

// NewSerialModule makes a module on a port in memory, plugged in. The error
// lists the layouts.
func NewSerialModule(layout string) (*SerialModule, error) {
	m, err := newSerialModule(layout)
	if err != nil {
		return nil, err
	}
	m.Plug = NewPlug(m.hear)
	return m, nil
}

// NewSerialTerminal makes a module behind a pseudo-terminal, plugged in, and a
// symbolic link to it.
func NewSerialTerminal(link, layout string) (*SerialModule, error) {
	m, err := newSerialModule(layout)
	if err == nil {
		m.Plug, err = NewTerminalPlug(link, m.hear)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

func newSerialModule(layout string) (*SerialModule, error) {
	if _, ok := serialFrames[layout]; !ok {
		return nil, fmt.Errorf("no serial module %q; known: %s", layout, strings.Join(serialLayouts(), ", "))
	}
	return &SerialModule{layout: layout, every: repeatEvery}, nil
}

// serialLayouts lists what a SerialModule can play.
func serialLayouts() []string { return slices.Sorted(maps.Keys(serialFrames)) }

// SerialFrame returns the frame that a module sends for a card, by its number's
// bytes, the most significant one first; for a scanner, by its text.
func SerialFrame(layout string, number []byte) ([]byte, error) {
	encode, ok := serialFrames[layout]
	if !ok {
		return nil, fmt.Errorf("no serial module %q; known: %s", layout, strings.Join(serialLayouts(), ", "))
	}
	frame := encode(number)
	if frame == nil {
		return nil, fmt.Errorf("%s has no frame for a number of %d bytes", layout, len(number))
	}
	return frame, nil
}

// Misbehave sets what goes wrong from now on.
func (m *SerialModule) Misbehave(w SerialMishap) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mishap = w
}

// Repeat sets how often a held card is sent; 50 ms when never set.
func (m *SerialModule) Repeat(every time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.every = every
}

// Present holds a card up: its frame at once, and again for as long as hold. It
// returns after that, or when ctx ends, or with device.ErrUnplugged. A module
// that is asked tells of the card when it is.
func (m *SerialModule) Present(ctx context.Context, number []byte, hold time.Duration) error {
	frame, err := SerialFrame(m.layout, number)
	if err != nil {
		return err
	}
	if m.layout == "7941w" {
		m.put(number)
		defer m.put(nil)
		return pause(ctx, hold)
	}
	for left := hold; ; { // by what it waits for, not by a clock that a busy machine is late for
		if err := m.transmit(ctx, frame); err != nil {
			return err
		}
		m.mu.Lock()
		every := m.every
		m.mu.Unlock()
		if left -= every; left < 0 {
			return nil
		}
		if err := pause(ctx, every); err != nil {
			return err
		}
	}
}

// Scan shows a code to a scanner once.
func (m *SerialModule) Scan(ctx context.Context, text string) error {
	return m.Present(ctx, []byte(text), 0)
}

// Ghost sends one frame of a card that is not there, as clones of the RDM6300 do.
func (m *SerialModule) Ghost(ctx context.Context) error {
	return m.Present(ctx, EM4100(0x4FFB388FFF), 0) // arendst/Tasmota issue 9522
}

// EM4100 returns the five bytes of such a card's number, the most significant one
// first: the low 40 bits.
func EM4100(number uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, number)[3:]
}

func (m *SerialModule) put(number []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.field = number
}

// transmit sends a frame as the mishap has it.
func (m *SerialModule) transmit(ctx context.Context, frame []byte) error {
	m.mu.Lock()
	w := m.mishap
	m.mu.Unlock()
	frame = slices.Clone(frame)
	if at := checkPlace(m.layout, len(frame)); w.WrongCheck && at >= 0 {
		frame[at] = spoil(frame[at])
	}
	frame = append(slices.Clone(w.Noise), frame[:max(len(frame)-w.Cut, 0)]...)
	if w.Split == 0 {
		return m.Send(frame)
	}
	for i := range frame {
		if err := m.Send(frame[i : i+1]); err != nil {
			return err
		}
		if err := pause(ctx, w.Split); err != nil {
			return err
		}
	}
	return nil
}

// hear answers the commands of a 7941W: AB BA, address, command, length, XOR. A
// UID answers 10, an EM4100 number 15; without one the answer is 80.
func (m *SerialModule) hear(b []byte) {
	if m.layout != "7941w" {
		return
	}
	m.mu.Lock()
	m.asked = append(m.asked, b...)
	var answers [][]byte
	for len(m.asked) >= 6 {
		c := m.asked[:6]
		if c[0] != 0xAB || c[1] != 0xBA || c[4] != 0 || c[2]^c[3]^c[4] != c[5] {
			m.asked = m.asked[1:]
			continue
		}
		m.asked = m.asked[6:]
		answer := []byte{0xCD, 0xDC, 0, 0x80, 0, 0x80}
		if em := len(m.field) == 5; len(m.field) > 0 && em == (c[3] == 0x15) {
			answer = serialFrames["7941w"](m.field)
		}
		answers = append(answers, answer)
	}
	m.mu.Unlock()
	for _, a := range answers {
		_ = m.transmit(context.Background(), a) // unplugged: nobody asks again
	}
}

// serialFrames encode a number, most significant byte first, or a text; nil for a
// number that the module has no frame for.
var serialFrames = map[string]func([]byte) []byte{
	"rdm6300": emText("\x02", "\x03"),
	"seeed":   emText("\x02", "\x03"),
	"id12":    emText("\x02", "\r\n\x03"),
	"em18":    emText("", ""),
	"7941d": func(n []byte) []byte {
		kind := map[int]byte{5: 2, 4: 1}[len(n)]
		if kind == 0 {
			return nil
		}
		inner := append([]byte{byte(len(n) + 5), kind}, n...)
		return append(append([]byte{2}, inner...), xorOf(inner), 3)
	},
	"7941w": func(n []byte) []byte {
		inner := append([]byte{0, 0x81, byte(len(n))}, n...)
		return append(append([]byte{0xCD, 0xDC}, inner...), xorOf(inner))
	},
	"idteck": func(n []byte) []byte {
		digits := map[int]int{4: 10, 3: 8}[len(n)]
		if digits == 0 {
			return nil
		}
		f := fmt.Appendf(nil, "\x02%0*d\x03", digits, new(big.Int).SetBytes(n))
		return append(f, xorOf(f))
	},
	"codatex": sized(5, func(n []byte) []byte { return fmt.Appendf(nil, "\x02R%X\x04", n) }),
	"sp-d300": sized(2, func(n []byte) []byte { return fmt.Appendf(nil, "\x02%X", n) }),
	"mf7": sized(4, func(n []byte) []byte {
		return fmt.Appendf(nil, "%02X%02X%02X%02X\r\n", n[3], n[2], n[1], n[0])
	}),
	"line": sized(4, func(n []byte) []byte { return fmt.Appendf(nil, "%010d\r\n", new(big.Int).SetBytes(n)) }),
	"code": func(text []byte) []byte { return append(slices.Clone(text), '\r', '\n') },
}

func sized(bytes int, encode func([]byte) []byte) func([]byte) []byte {
	return func(n []byte) []byte {
		if len(n) != bytes {
			return nil
		}
		return encode(n)
	}
}

func emText(start, end string) func([]byte) []byte {
	return sized(5, func(n []byte) []byte { return fmt.Appendf(nil, "%s%X%02X%s", start, n, xorOf(n), end) })
}

// checkPlace returns where a frame's checksum stands, -1 for none.
func checkPlace(layout string, size int) int {
	switch layout {
	case "rdm6300", "seeed", "7941d":
		return size - 2
	case "id12":
		return size - 4
	case "em18", "7941w", "idteck":
		return size - 1
	}
	return -1
}

// spoil turns a check byte or check digit into another.
func spoil(b byte) byte {
	if b == 'A' || b == 'F' { // their neighbours are no digits
		return '0'
	}
	return b ^ 1
}

func xorOf(b []byte) (sum byte) {
	for _, x := range b {
		sum ^= x
	}
	return sum
}
