package osdptest

import (
	"testing"
	"time"
)

// TestIndications: what the reader was told can be seen, for as long as it
// lasts.
func TestIndications(t *testing.T) {
	r := NewReader(Config{Address: 0, Outputs: 2})
	onLine(t, func(t *testing.T, l *Line, p *panel) {
		p.ask(0x60)
		ok := func(what string, code byte, data ...byte) {
			t.Helper()
			p.want(what, 0x40, nil)(p.ask(code, data...))
		}
		ok("steady red", 0x69, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 0)
		ok("green for 2 s, blinking", 0x69, 0, 0, 2, 5, 5, 2, 0, 20, 0, 0, 0, 0, 0, 0)
		see := func(after time.Duration, want Color, temporary bool) {
			t.Helper()
			time.Sleep(after)
			if led := r.State().LEDs[0]; led.Color != want || led.Temporary != temporary {
				t.Errorf("%v later: %v, temporary %v", after, led.Color, led.Temporary)
			}
		}
		see(100*time.Millisecond, Green, true)
		see(500*time.Millisecond, Black, true)
		see(500*time.Millisecond, Green, true)
		see(time.Second, Red, false)
		ok("amber for an hour", 0x69, 0, 0, 2, 1, 0, 3, 0, 0xA0, 0x8C, 0, 0, 0, 0, 0)
		see(time.Second, Amber, true)
		ok("cancelled", 0x69, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		see(0, Red, false)
		p.want("neither on nor off", 0x41, []byte{9})(p.ask(0x69, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0))
		p.want("13 bytes", 0x41, []byte{2})(p.ask(0x69, make([]byte, 13)...))

		ok("three beeps", 0x6A, 0, 2, 1, 2, 3)
		p.want("beeps of no length", 0x41, []byte{9})(p.ask(0x6A, 0, 2, 0, 2, 3))
		if s := r.State(); s.Beeps != 3 || s.Buzzer != (Buzzer{2, 100 * time.Millisecond, 200 * time.Millisecond, 3}) {
			t.Errorf("buzzer: %+v", s.Buzzer)
		}
		ok("text", 0x6B, append([]byte{0, 1, 0, 1, 1, 4}, "idle"...)...)
		ok("text for 3 s", 0x6B, append([]byte{0, 3, 3, 1, 1, 7}, "come in"...)...)
		if got := r.State().Text; got != "come in" {
			t.Errorf("shows %q", got)
		}
		time.Sleep(4 * time.Second)
		if got := r.State().Text; got != "idle" {
			t.Errorf("shows %q", got)
		}
		p.want("length that lies", 0x41, []byte{2})(p.ask(0x6B, 0, 1, 0, 1, 1, 9, 'x'))
		ok("output 1 on for 500 ms", 0x68, 1, 5, 5, 0)
		p.want("outputs", 0x4A, []byte{0, 1})(p.ask(0x66))
		time.Sleep(500 * time.Millisecond)
		p.want("outputs", 0x4A, []byte{0, 0})(p.ask(0x66))
		ok("output 0 on", 0x68, 0, 2, 0, 0)
		if s := r.State(); !s.Outputs[0] || s.Outputs[1] {
			t.Errorf("outputs: %v", s.Outputs)
		}
		p.want("no such output", 0x41, []byte{9})(p.ask(0x68, 2, 2, 0, 0))
		p.want("no inputs", 0x41, []byte{3})(p.ask(0x65))
		ok("buffer size", 0x7B, 0, 4)
		ok("abort", 0xA2)
		p.want("reader status", 0x4B, []byte{0})(p.ask(0x67))
	}, r)
}

// TestOldReader: checksum only, and OUT answered by OSTATR.
func TestOldReader(t *testing.T) {
	r := NewReader(Config{Address: 0, ChecksumOnly: true, Outputs: 1, OutputStatus: true})
	onLine(t, func(t *testing.T, l *Line, p *panel) {
		p.want("CRC", 0x41, []byte{1})(p.ask(0x60))
		p.sum, p.number = true, 0
		p.want("checksum", 0x40, nil)(p.ask(0x60))
		p.want("output", 0x4A, []byte{1})(p.ask(0x68, 0, 2, 0, 0))
		r.SetDead(true)
		p.want("dead", 0, nil)(p.ask(0x60))
		r.SetDead(false)
		p.want("rebooted", 0x41, []byte{4})(p.ask(0x60))
		if s := r.State(); s.BadChecks != 1 {
			t.Errorf("%d bad checks", s.BadChecks)
		}
	}, r)
}
