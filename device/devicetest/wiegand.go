package devicetest

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"gatehouse/device"
)

// WiegandSource is a Wiegand reader on two lines of a Board: a pulse on D0 is
// a 0, on D1 a 1 (SIA AC-01: pulses of 20 to 100 us, 200 us to 20 ms from one
// to the next). Both lines should be PullUp and ActiveLow. For one goroutine.
type WiegandSource struct {
	Board    *Board
	D0, D1   string        // names of the lines
	Width    time.Duration // of a pulse; 0: 50 us
	Interval time.Duration // from the start of one pulse to the start of the next; 0: 2 ms
	Jitter   time.Duration // each interval is off by up to this
	Pause    time.Duration // at least, from one frame's end to the next one's start; 0: 200 ms, as readers do
	Rand     *rand.Rand    // of jitter and noise; nil: the same each time
	Keypad   WiegandKeypad // of Press

	end   time.Duration // of the last pulse
	typed string        // keys that wait for the rest of a whole PIN
}

// Spoil is what goes wrong with one frame. Numbers count the card's bits from 0.
type Spoil struct {
	Swapped   bool  // D0 and D1 are exchanged
	Missing   []int // pulses that never reach the board
	Lost      []int // pulses that the kernel counts and loses
	Merged    []int // pulses whose start the kernel is too slow to see, and does not count
	Doubled   []int // bits that pulse on both lines at the same time
	Glitch    []int // bits followed, half-way to the next, by a spike of 2 us on the other line
	Echo      []int // bits followed, half-way to the next, by the same pulse again
	Bounce    []int // pulses that end with two spikes more
	Crosstalk []int // pulses that the other line follows for 2 us, 1 us late
}

const (
	glitchWidth = 2 * time.Microsecond
	noiseSlice  = 10 * time.Millisecond // of noise is played at once
)

// Send sends the card's bits as they are. The edges' times are exact and end
// now, so that Send needs not wait for the frame; it waits only as long as the
// frame would overlap the one before.
func (w *WiegandSource) Send(card device.Card) error { return w.SendSpoiled(card, Spoil{}) }

// SendSpoiled sends the card's bits with faults.
func (w *WiegandSource) SendSpoiled(card device.Card, s Spoil) error {
	_, _, pause := w.times()
	return w.send(card, s, pause)
}

func (w *WiegandSource) send(card device.Card, s Spoil, pause time.Duration) error {
	width, interval, _ := w.times()
	starts := make([]time.Duration, card.Len())
	var at time.Duration
	for i := range starts {
		starts[i] = at
		at += interval + w.jitter(interval-width)
	}
	start := w.Board.Now() - at
	if w.end != 0 && start < w.end+pause {
		time.Sleep(w.end + pause - start)
		start = w.end + pause
	}
	var steps []Step
	for i, offset := range starts {
		steps = append(steps, w.bit(card.Bit(i), i, start+offset, width, interval, s)...)
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Compare(a.At, b.At) })
	w.end = start + at
	return w.Board.Play(steps)
}

// Noise plays spikes of 2 us at random times on both lines, so many a second on
// average, and returns when d has passed.
func (w *WiegandSource) Noise(perSecond int, d time.Duration) error {
	at := max(w.Board.Now(), w.end)
	for end := at + d; at < end; {
		slice := min(at+noiseSlice, end)
		var steps []Step
		for {
			at += glitchWidth + time.Duration(w.rand().ExpFloat64()*float64(time.Second)/float64(perSecond))
			if at+glitchWidth >= slice {
				break
			}
			steps = pulse(steps, []string{w.D0, w.D1}[w.rand().IntN(2)], at, glitchWidth, Step{})
			at += glitchWidth
		}
		at = slice
		time.Sleep(slice - w.Board.Now())
		if err := w.Board.Play(steps); err != nil {
			return err
		}
		w.end = slice
	}
	return nil
}

// Short holds both lines active for d: a cable that is cut or squeezed.
func (w *WiegandSource) Short(d time.Duration) error {
	for _, active := range []bool{true, false} {
		for _, line := range []string{w.D0, w.D1} {
			if err := w.Board.Set(line, active); err != nil {
				return err
			}
		}
		if active {
			time.Sleep(d)
		}
	}
	w.end = w.Board.Now()
	return nil
}

// bit returns the steps of one bit that starts at at.
func (w *WiegandSource) bit(value byte, i int, at, width, interval time.Duration, s Spoil) []Step {
	line, other := w.D0, w.D1
	if (value == 1) != s.Swapped {
		line, other = other, line
	}
	has := func(list []int) bool { return slices.Contains(list, i) }
	var steps []Step
	if !has(s.Missing) {
		steps = pulse(steps, line, at, width, Step{Lost: has(s.Lost), Merged: has(s.Merged)})
	}
	if has(s.Doubled) {
		steps = pulse(steps, other, at, width, Step{})
	}
	if has(s.Crosstalk) {
		steps = pulse(steps, other, at+glitchWidth/2, glitchWidth, Step{})
	}
	if has(s.Bounce) {
		for n := range time.Duration(2) {
			steps = pulse(steps, line, at+width+(2*n+1)*glitchWidth, glitchWidth, Step{})
		}
	}
	if has(s.Glitch) {
		steps = pulse(steps, other, at+interval/2, glitchWidth, Step{})
	}
	if has(s.Echo) {
		steps = pulse(steps, line, at+interval/2, width, Step{})
	}
	return steps
}

// pulse appends the two edges of a pulse; how tells what the kernel does to
// the first, and to both when it loses them.
func pulse(steps []Step, line string, at, width time.Duration, how Step) []Step {
	return append(steps,
		Step{Line: line, Active: true, At: at, Lost: how.Lost, Merged: how.Merged},
		Step{Line: line, At: at + width, Lost: how.Lost})
}

func (w *WiegandSource) times() (width, interval, pause time.Duration) {
	width, interval, pause = w.Width, w.Interval, w.Pause
	if width == 0 {
		width = 50 * time.Microsecond
	}
	if interval == 0 {
		interval = 2 * time.Millisecond
	}
	if pause == 0 {
		pause = 200 * time.Millisecond
	}
	return width, interval, pause
}

// jitter never makes two pulses of a frame meet.
func (w *WiegandSource) jitter(room time.Duration) time.Duration {
	limit := min(w.Jitter, room/2)
	if limit <= 0 {
		return 0
	}
	return time.Duration(w.rand().Int64N(int64(2*limit))) - limit
}

func (w *WiegandSource) rand() *rand.Rand {
	if w.Rand == nil {
		w.Rand = rand.New(rand.NewPCG(1, 2))
	}
	return w.Rand
}
