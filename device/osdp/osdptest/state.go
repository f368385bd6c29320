package osdptest

import (
	"fmt"
	"time"
)

// Color is the colour of a LED.
type Color byte

// The colours of SIA OSDP 2.2.
const (
	Black Color = iota
	Red
	Green
	Amber
	Blue
	Magenta
	Cyan
	White
)

var colorNames = [...]string{"black", "red", "green", "amber", "blue", "magenta", "cyan", "white"}

// String returns the colour's name.
func (c Color) String() string {
	if int(c) < len(colorNames) {
		return colorNames[c]
	}
	return fmt.Sprintf("color_%d", byte(c))
}

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

	LEDs    map[byte]LED
	Buzzer  Buzzer
	Beeps   int    // all that were ever asked for
	Text    string // on the display
	Outputs []bool
	Queued  int // cards and keys that were not reported yet

	Commands  [256]int // carried out, by code; repetitions don't count
	Repeats   int      // commands that came again with their number: the answer went out again
	Restarts  int      // commands with number 0
	Sessions  int      // handshakes that succeeded
	BadChecks int      // commands with wrong check characters, or of the wrong sort
	BadMACs   int
}

// State returns all at this moment.
func (r *Reader) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	s := r.told
	s.Address, s.Baud, s.Install, s.Queued = r.address, r.baud, r.install, len(r.queue)
	if r.key != nil {
		key := *r.key
		s.Key = &key
	}
	if s.Secure = r.session != nil && r.session.up; s.Secure {
		s.Default = r.session.key == 0
	}
	s.LEDs = make(map[byte]LED, len(r.leds))
	for no, led := range r.leds {
		s.LEDs[no] = led.now(now)
	}
	for _, o := range r.outputs {
		s.Outputs = append(s.Outputs, o.now(now))
	}
	s.Text = r.text.now(now)
	return s
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
func (r *Reader) light(data []byte) (byte, []byte) {
	if len(data) == 0 || len(data)%14 != 0 {
		return r.nak(2)
	}
	for b := data; len(b) > 0; b = b[14:] {
		temp, perm := b[2:9], b[9:14]
		if b[0] != 0 || temp[0] > 2 || perm[0] > 1 || temp[0] == 2 && temp[1]|temp[2] == 0 || perm[0] == 1 && perm[1]|perm[2] == 0 {
			return r.nak(nakRecord)
		}
	}
	for b := data; len(b) > 0; b = b[14:] {
		led := r.leds[b[1]]
		if led == nil {
			led = &ledState{}
			r.leds[b[1]] = led
		}
		switch temp := b[2:9]; temp[0] {
		case 1:
			led.tempFor = 0
		case 2:
			led.temporary, led.tempSince, led.tempFor = blinkOf(temp[1:]), r.seen, tenths(temp[5:])
		}
		if perm := b[9:14]; perm[0] == 1 {
			led.permanent, led.since = blinkOf(perm[1:]), r.seen
		}
	}
	return 0x40, nil
}

// buzz is BUZ.
func (r *Reader) buzz(data []byte) (byte, []byte) {
	if len(data) != 5 {
		return r.nak(2)
	}
	if data[0] != 0 || data[1] == 0 || data[1] > 2 || data[1] == 2 && data[2] == 0 {
		return r.nak(nakRecord)
	}
	r.told.Buzzer = Buzzer{
		Tone: data[1], On: time.Duration(data[2]) * 100 * time.Millisecond,
		Off: time.Duration(data[3]) * 100 * time.Millisecond, Count: data[4],
	}
	if data[1] == 2 {
		r.told.Beeps += max(1, int(data[4]))
	}
	return 0x40, nil
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
func (r *Reader) show(data []byte) (byte, []byte) {
	if len(data) < 6 || len(data) != 6+int(data[5]) {
		return r.nak(2)
	}
	text := string(data[6:])
	switch data[1] {
	case 1, 2:
		r.text = display{permanent: text}
	case 3, 4:
		r.text.temporary, r.text.until = text, r.seen.Add(time.Duration(data[2])*time.Second)
	default:
		return r.nak(nakRecord)
	}
	return 0x40, nil
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
func (r *Reader) drive(data []byte) (byte, []byte) {
	if len(data) == 0 || len(data)%4 != 0 {
		return r.nak(2)
	}
	for b := data; len(b) > 0; b = b[4:] {
		if int(b[0]) >= len(r.outputs) || b[1] > 6 {
			return r.nak(nakRecord)
		}
	}
	for b := data; len(b) > 0; b = b[4:] {
		o := &r.outputs[b[0]]
		switch b[1] {
		case 1, 2:
			*o = relay{permanent: b[1] == 2}
		case 3, 4:
			o.permanent = b[1] == 4
		case 5, 6:
			o.timed, o.until = b[1] == 5, r.seen.Add(tenths(b[2:]))
		}
	}
	if r.cfg.OutputStatus {
		return r.outputStatus()
	}
	return 0x40, nil
}
