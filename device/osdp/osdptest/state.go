package osdptest

import (
	"encoding/binary"
	"time"
)

// Color is the colour of a LED, by the numbers of SIA OSDP 2.2.
type Color byte

// The colours that tests look for.
const (
	Black Color = 0
	Red   Color = 1
	Green Color = 2
	Amber Color = 3
	Blue  Color = 4
	Cyan  Color = 6
)

// Blink is how a LED is lit: On in one colour, Off in the other, again and
// again. Off 0 is steady.
type Blink struct {
	On, Off           time.Duration
	OnColor, OffColor Color
}

// color is what it shows some time after it began.
func (b Blink) color(since time.Duration) Color {
	if period := b.On + b.Off; period > 0 && since%period < b.On {
		return b.OnColor
	}
	return b.OffColor
}

// LED is one LED of reader 0 at some moment.
type LED struct {
	Color     Color // that it shows just then
	Temporary bool  // Blink is the temporary one, which covers the permanent one for a while
	Blink     Blink
}

// Buzzer is the last that the buzzer was told.
type Buzzer struct {
	Tone    byte // 0: nothing yet, 1: off, 2: the usual one
	On, Off time.Duration
	Count   byte // 0: for ever
}

// State is what a reader is and was told.
type State struct {
	Address byte
	Baud    int
	Key     *[16]byte // its own; nil: none
	Install bool      // it takes the default key
	Secure  bool      // a session is up
	Default bool      // and it runs under the default key
	Queued  int       // cards and keys that were not reported yet

	Front
	Counts
}

// Front is what people see and hear of a reader, and what its outputs switch.
type Front struct {
	LEDs    map[byte]LED
	Buzzer  Buzzer
	Beeps   int    // all that were ever asked for
	Text    string // on the display
	Outputs []bool
}

// Counts are of what a reader was sent.
type Counts struct {
	Commands  [256]int // carried out, by code; repetitions don't count
	Repeats   int      // commands that came again with their number: the answer went out again
	Restarts  int      // commands with number 0
	Sessions  int      // handshakes that succeeded
	BadChecks int      // commands with wrong check characters, or of the wrong sort
	BadMACs   int
}

// front is the state behind a Front. Its methods carry commands out and return the
// code of the NAK, 0 for none.
type front struct {
	leds    map[byte]*ledState
	buzzer  Buzzer
	beeps   int
	text    display
	outputs []relay
}

func (f *front) now(t time.Time) Front {
	s := Front{LEDs: make(map[byte]LED, len(f.leds)), Buzzer: f.buzzer, Beeps: f.beeps, Text: f.text.now(t)}
	for no, led := range f.leds {
		s.LEDs[no] = led.now(t)
	}
	for _, o := range f.outputs {
		s.Outputs = append(s.Outputs, o.now(t))
	}
	return s
}

// levels is the data of OSTATR.
func (f *front) levels(t time.Time) []byte {
	b := make([]byte, len(f.outputs))
	for i, o := range f.outputs {
		b[i] = bit(o.now(t))
	}
	return b
}

// ledState has what a LED was told, and since when.
type ledState struct {
	permanent, temporary Blink
	since, tempSince     time.Time
	tempFor              time.Duration // 0: no temporary one
}

func (l *ledState) now(t time.Time) LED {
	if since := t.Sub(l.tempSince); l.tempFor > 0 && since < l.tempFor {
		return LED{Color: l.temporary.color(since), Temporary: true, Blink: l.temporary}
	}
	return LED{Color: l.permanent.color(t.Sub(l.since)), Blink: l.permanent}
}

func blinkOf(b []byte) Blink {
	return Blink{
		On: time.Duration(b[0]) * 100 * time.Millisecond, Off: time.Duration(b[1]) * 100 * time.Millisecond,
		OnColor: Color(b[2]), OffColor: Color(b[3]),
	}
}

// light is LED: records of 14 bytes, all of them right or none is used.
func (f *front) light(data []byte, at time.Time) byte {
	if len(data) == 0 || len(data)%14 != 0 {
		return nakLength
	}
	for b := data; len(b) > 0; b = b[14:] {
		if !lights(b[:14]) {
			return nakRecord
		}
	}
	for b := data; len(b) > 0; b = b[14:] {
		led := f.leds[b[1]]
		if led == nil {
			led = &ledState{}
			f.leds[b[1]] = led
		}
		switch temp := b[2:9]; temp[0] {
		case 1:
			led.tempFor = 0
		case 2:
			led.temporary, led.tempSince, led.tempFor = blinkOf(temp[1:]), at, tenths(temp[5:])
		}
		if perm := b[9:14]; perm[0] == 1 {
			led.permanent, led.since = blinkOf(perm[1:]), at
		}
	}
	return 0
}

// lights tells whether a record of a LED is one that readers take.
func lights(b []byte) bool {
	temp, perm := b[2:9], b[9:14]
	return b[0] == 0 && temp[0] <= 2 && perm[0] <= 1 && (temp[0] != 2 || temp[1]|temp[2] != 0) && (perm[0] != 1 || perm[1]|perm[2] != 0)
}

// buzz is BUZ.
func (f *front) buzz(data []byte) byte {
	if len(data) != 5 {
		return nakLength
	}
	if data[0] != 0 || data[1] == 0 || data[1] > 2 || data[1] == 2 && data[2] == 0 {
		return nakRecord
	}
	f.buzzer = Buzzer{
		Tone: data[1], On: time.Duration(data[2]) * 100 * time.Millisecond,
		Off: time.Duration(data[3]) * 100 * time.Millisecond, Count: data[4],
	}
	if data[1] == 2 {
		f.beeps += max(1, int(data[4]))
	}
	return 0
}

// display is the display: 1 and 2 write for good, 3 and 4 for a while.
type display struct {
	permanent, temporary string
	until                time.Time
}

func (x display) now(t time.Time) string {
	if t.Before(x.until) {
		return x.temporary
	}
	return x.permanent
}

// show is TEXT.
func (f *front) show(data []byte, at time.Time) byte {
	if len(data) < 6 || len(data) != 6+int(data[5]) {
		return nakLength
	}
	text := string(data[6:])
	switch data[1] {
	case 1, 2:
		f.text = display{permanent: text}
	case 3, 4:
		f.text.temporary, f.text.until = text, at.Add(time.Duration(data[2])*time.Second)
	default:
		return nakRecord
	}
	return 0
}

// relay is one relay: a permanent state and a timed one that covers it.
type relay struct {
	permanent, timed bool
	until            time.Time
}

func (o relay) now(t time.Time) bool {
	if t.Before(o.until) {
		return o.timed
	}
	return o.permanent
}

// drive is OUT: records of four bytes, all of them right or none is used.
func (f *front) drive(data []byte, at time.Time) byte {
	if len(data) == 0 || len(data)%4 != 0 {
		return nakLength
	}
	for b := data; len(b) > 0; b = b[4:] {
		if int(b[0]) >= len(f.outputs) || b[1] > 6 {
			return nakRecord
		}
	}
	for b := data; len(b) > 0; b = b[4:] {
		o := &f.outputs[b[0]]
		switch b[1] {
		case 1, 2:
			*o = relay{permanent: b[1] == 2}
		case 3, 4:
			o.permanent = b[1] == 4
		case 5, 6:
			o.timed, o.until = b[1] == 5, at.Add(tenths(b[2:]))
		}
	}
	return 0
}

// tenths is a time of the protocol.
func tenths(b []byte) time.Duration {
	return time.Duration(binary.LittleEndian.Uint16(b)) * 100 * time.Millisecond
}
