package osdptest

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"gatehouse/device"
)

// TestMishaps: each fault shows on the wire as what it is, strikes as often
// as it should, and the reader answers well after it.
func TestMishaps(t *testing.T) {
	for _, c := range []struct {
		mishap  Mishap
		command byte
		code    byte // of what the panel takes for the reply; 0: nothing; FF: wrong MAC
		acted   bool // the command was carried out
		lost    bool // a repetition gets the right answer
	}{
		{Mishap{Fault: Deaf}, 0x60, 0, false, true},
		{Mishap{Fault: DeafToCRC}, 0x60, 0, false, true},
		{Mishap{Fault: Busy}, 0x60, 0x79, false, true},
		{Mishap{Fault: Refuse}, 0x60, 0x41, false, true},
		{Mishap{Fault: Drop}, 0x60, 0, true, true},
		{Mishap{Fault: Truncate}, 0x60, 0, true, true},
		{Mishap{Fault: Length}, 0x60, 0, true, true},
		{Mishap{Fault: Corrupt}, 0x60, 0, true, true},
		{Mishap{Fault: BadMAC}, 0x60, 0xFF, true, true},
		{Mishap{Fault: Late}, 0x60, 0, true, true},
		{Mishap{Fault: Trickle}, 0x60, 0x40, true, false},
		{Mishap{Fault: ClearCard, Card: device.CardOf(1, 26)}, 0x60, 0x50, true, true},
		{Mishap{Fault: ClearStatus}, 0x64, 0x48, true, false},
		{Mishap{Fault: Reboot}, 0x60, 0x41, false, false},
	} {
		r := NewReader(Config{Address: 4, Key: &testKey, Seed: 3})
		onLine(t, func(t *testing.T, l *Line, p *panel) {
			if !p.connect(testKey, 1) {
				t.Fatal("no session")
			}
			c.mishap.Times = 1
			r.Misbehave(c.mishap)
			if code, _ := p.ask(c.command); code != c.code {
				t.Errorf("%v: reply %02X, want %02X", c.mishap.Fault, code, c.code)
			}
			if acted := r.State().Commands[c.command] == 1; acted != c.acted {
				t.Errorf("%v: carried out: %v", c.mishap.Fault, acted)
			}
			if r.Misbehaves() {
				t.Errorf("%v: does not end", c.mishap.Fault)
			}
			time.Sleep(500 * time.Millisecond)
			p.drain()
			if c.lost {
				if f := p.repeat(); f.code != 0x40 {
					t.Errorf("%v: repeated: %02X", c.mishap.Fault, f.code)
				}
			}
			if c.mishap.Fault == Reboot && !p.connect(testKey, 1) {
				t.Error("no session after a reboot")
			}
			p.want(c.mishap.Fault.String()+": the next", 0x40, nil)(p.ask(0x60))
		}, r)
	}
}

// drain takes all that came.
func (p *panel) drain() {
	p.t.Helper()
	for p.listen(10*time.Millisecond).code != 0 {
	}
	p.scan = scanner{}
}

// TestMishapHeaders: the faults that show in the header of a reply. A reader misbehaves by a seed, so it does the same in each run.
func TestMishapHeaders(t *testing.T) {
	r := NewReader(Config{Address: 4})
	onLine(t, func(t *testing.T, l *Line, p *panel) {
		p.want("restart", 0x40, nil)(p.ask(0x60))
		for _, c := range []struct {
			fault Fault
			right func(packet) bool
		}{
			{WrongNumber, func(f packet) bool { return f.sequence != p.sent[4]&3 }},
			{NumberZero, func(f packet) bool { return f.sequence == 0 }},
			{OtherReply, func(f packet) bool { return f.address == 5 }},
		} {
			r.Misbehave(Mishap{Fault: c.fault, Times: 1})
			p.sent = appendCheck((&packet{address: 4, crc: true, sequence: p.number, code: 0x60}).begin(nil), true)
			if f := p.repeat(); f.code != 0x40 || !c.right(f) {
				t.Errorf("%v: %+v", c.fault, f)
			}
			if f := p.repeat(); f.address != 4 || f.sequence != p.number {
				t.Errorf("%v, repeated: %+v", c.fault, f)
			}
			p.next()
		}
		r.Misbehave(Mishap{Fault: Duplicate, Times: 1})
		p.want("once", 0x40, nil)(p.ask(0x60))
		if f := p.listen(100 * time.Millisecond); f.code != 0x40 {
			t.Error("comes once")
		}
		r.Misbehave(Mishap{Fault: Drop, Chance: 0.5})
		lost := 0
		for range 200 {
			if code, _ := p.ask(0x60); code == 0 {
				lost++
			}
		}
		if lost < 60 || lost > 140 {
			t.Errorf("lost %d of 200 with a chance of a half", lost)
		}
		r.Behave()
		l.SetEcho(true)
		p.want("behind the echo", 0x40, nil)(p.ask(0x60))
	}, r)
}

// TestEnemy: what somebody at the cable can do without the key.
func TestEnemy(t *testing.T) {
	r := NewReader(Config{Address: 0, Key: &testKey})
	onLine(t, func(t *testing.T, l *Line, p *panel) {
		_, honest := p.ask(0x62)
		r.Misbehave(Mishap{Fault: Downgrade})
		_, edited := p.ask(0x62)
		if bytes.Equal(honest, edited) || !bytes.Contains(honest, []byte{9, 1, 0}) || !bytes.Contains(edited, []byte{9, 0, 0}) {
			t.Errorf("PDCAP % x edited to % x", honest, edited)
		}
		if p.connect(testKey, 1) {
			t.Error("a session in spite of the downgrade")
		}
		r.Behave()
		r.Misbehave(Mishap{Fault: WrongKey, Times: 1})
		if p.connect(testKey, 1) {
			t.Error("a session with a reader that has another key")
		}
		if !p.connect(testKey, 1) {
			t.Fatal("no session")
		}
		r.Present(device.CardOf(9, 26))
		if code, _ := p.ask(0x60); code != 0x50 {
			t.Fatalf("no card: %02X", code)
		}
		r.Misbehave(Mishap{Fault: Replay, Times: 1})
		if code, _ := p.ask(0x60); code != 0xFF {
			t.Errorf("replayed card: %02X", code)
		}
		if f := p.repeat(); f.code != 0x40 {
			t.Errorf("repeated: %02X", f.code)
		}
	}, r)
}

// TestFlood: as many malformed frames as asked for, and a good answer among
// them.
func TestFlood(t *testing.T) {
	r := NewReader(Config{Address: 0})
	onLineOf(t, false, func(t *testing.T, l *Line, p *panel) {
		r.Misbehave(Mishap{Fault: Flood, Times: 10_000})
		time.Sleep(1100 * time.Millisecond)
		if r.Misbehaves() {
			t.Error("10,000 frames take longer than a second")
		}
		var s scanner
		b := make([]byte, 1<<20)
		n, err := p.port.Read(b)
		if err != nil || n < 100_000 {
			t.Fatalf("read %d bytes, %v", n, err)
		}
		s.feed(b[:n])
		replies := 0
		for raw := s.next(); raw != nil; raw = s.next() {
			if f, nak := parse(raw); nak == 0 && f.reply && f.block == 0 {
				replies++
			}
		}
		if replies > 0 {
			t.Errorf("%d of them are good replies", replies)
		}
		p.want("and now", 0x40, nil)(p.ask(0x60))
	}, r)
}

// TestKeep: what was not reported is deleted while no panel is there, but
// for a reader with that defect.
func TestKeep(t *testing.T) {
	for _, keep := range []bool{false, true} {
		r := NewReader(Config{Address: 0, KeepCards: keep})
		onLine(t, func(t *testing.T, l *Line, p *panel) {
			if r.Present(device.CardOf(1, 26)) != keep {
				t.Error("a card before the panel was there")
			}
			for p.ask(0x60); r.State().Queued > 0; {
				p.ask(0x60)
			}
			if !r.Present(device.CardOf(2, 26)) {
				t.Error("no card while the panel is there")
			}
			time.Sleep(9 * time.Second)
			if r.Present(device.CardOf(3, 26)) != keep {
				t.Error("a card after 9 s of silence")
			}
			want := 0
			if keep {
				want = 2
			}
			if r.State().Queued != want {
				t.Errorf("keep %v: %d wait, want %d", keep, r.State().Queued, want)
			}
		}, r)
	}
}

func TestFaultNames(t *testing.T) {
	var seen []string
	for _, f := range Faults() {
		if f.String() == "" || slices.Contains(seen, f.String()) {
			t.Errorf("%d is called %q", f, f)
		}
		seen = append(seen, f.String())
	}
	if len(seen) != int(Flood) {
		t.Errorf("%d names for %d faults", len(seen), Flood)
	}
}
