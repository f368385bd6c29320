package protocol

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

const (
	tick    = 100 * time.Millisecond // unit of most times on the wire
	maxLEDs = 4                      // that fit into the 128 bytes that every reader takes
	maxText = 32
)

// Indication is what one kind of feedback looks and sounds like. It is plain data
// that a reader's profile can hold; the zero value shows nothing.
type Indication struct {
	LEDs   []LED    // up to 4
	Buzzer []Buzzer // up to 4
	Text   []Text   // up to 4
}

// LED is one light. Times are rounded to 100 ms, up to 25.5 s for On and Off.
type LED struct {
	Reader, LED         byte // both count from 0
	On, Off             time.Duration
	OnColour, OffColour Colour
	For                 time.Duration // up to 6553.5 s, then what it showed before; 0: until another
}

// Buzzer is one sound. On 0 silences it. Count 0 repeats until another.
type Buzzer struct {
	Reader  byte
	On, Off time.Duration
	Count   byte
}

// Text is one line on a display, up to 32 bytes of ASCII. Row and Column count
// from 1; 0 is 1.
type Text struct {
	Reader, Row, Column byte
	Text                string
	For                 time.Duration // up to 255 s; 0: until another
}

// Colour is what a light shows.
type Colour uint8

// The colours of SIA OSDP.
const (
	Black Colour = iota
	Red
	Green
	Amber
	Blue
	Magenta
	Cyan
	White
)

var colours = [...]string{"black", "red", "green", "amber", "blue", "magenta", "cyan", "white"}

// String returns the name, as profiles have it.
func (c Colour) String() string {
	if int(c) < len(colours) {
		return colours[c]
	}
	return fmt.Sprintf("colour_%d", c)
}

// ColourNamed returns the colour of a name; false for none.
func ColourNamed(name string) (Colour, bool) {
	i := slices.Index(colours[:], name)
	return Colour(max(i, 0)), i >= 0
}

// Validate tells what no reader could show.
func (i Indication) Validate() error {
	if len(i.LEDs) > maxLEDs || len(i.Buzzer) > maxLEDs || len(i.Text) > maxLEDs {
		return fmt.Errorf("%d LEDs, %d sounds and %d texts: at most %d of each", len(i.LEDs), len(i.Buzzer), len(i.Text), maxLEDs)
	}
	for _, l := range i.LEDs {
		if l.OnColour > White || l.OffColour > White {
			return fmt.Errorf("LED %d has no colour %v or %v", l.LED, l.OnColour, l.OffColour)
		}
		if err := cmp.Or(durations(255*tick, l.On, l.Off), durations(65535*tick, l.For)); err != nil {
			return err
		}
	}
	for _, b := range i.Buzzer {
		if err := durations(255*tick, b.On, b.Off); err != nil {
			return err
		}
	}
	for _, t := range i.Text {
		if len(t.Text) > maxText {
			return fmt.Errorf("text of %d bytes: at most %d", len(t.Text), maxText)
		}
		if err := durations(255*time.Second, t.For); err != nil {
			return err
		}
	}
	return nil
}

func durations(most time.Duration, all ...time.Duration) error {
	for _, d := range all {
		if d < 0 || d > most {
			return fmt.Errorf("%v: want 0 to %v", d, most)
		}
	}
	return nil
}

// ticks rounds up, so that what is not nothing stays something.
func ticks(d time.Duration) uint16 { return uint16(min((d+tick-1)/tick, 65535)) }

// Append writes the record of a light: a temporary state over the lasting one, or
// a lasting one that ends what is shown for a time.
func (l LED) Append(dst []byte) []byte {
	on, off := byte(ticks(l.On)), byte(ticks(l.Off))
	if on == 0 && off == 0 {
		on = 1 // readers refuse a light that is neither on nor off: so it is steady
	}
	dst = append(dst, l.Reader, l.LED)
	if l.For > 0 {
		dst = append(dst, 2, on, off, byte(l.OnColour), byte(l.OffColour))
		dst = binary.LittleEndian.AppendUint16(dst, ticks(l.For))
		return append(dst, 0, 0, 0, 0, 0)
	}
	dst = append(dst, 1, 0, 0, 0, 0, 0, 0)
	return append(dst, 1, on, off, byte(l.OnColour), byte(l.OffColour))
}

// Append writes the record of a sound.
func (b Buzzer) Append(dst []byte) []byte {
	if b.On == 0 {
		return append(dst, b.Reader, 1, 1, 0, 1)
	}
	return append(dst, b.Reader, 2, byte(ticks(b.On)), byte(ticks(b.Off)), b.Count)
}

// Append writes the record of a text.
func (t Text) Append(dst []byte) []byte {
	cmd, seconds := byte(1), byte(0)
	if t.For > 0 {
		cmd, seconds = 3, byte((t.For+time.Second-1)/time.Second)
	}
	dst = append(dst, t.Reader, cmd, seconds, max(1, t.Row), max(1, t.Column), byte(len(t.Text)))
	return append(dst, t.Text...)
}
