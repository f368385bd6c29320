package osdptest

import (
	"fmt"
	"slices"
	"time"

	"gatehouse/device"
)

// Fault is a way in which a Reader, or somebody between it and the
// panel, does what it should not.
type Fault uint8

// The faults. Those of the reader itself come first, then those of the cable,
// then those of an enemy at the cable.
const (
	Deaf        Fault = iota + 1 // the command is not heard
	DeafToCRC                    // nor one with a CRC, whatever PDCAP says
	Busy                         // BUSY; the command is not carried out
	Refuse                       // NAK 3 in the clear
	Reboot                       // forgets session and sequence before the command
	WrongKey                     // CHLNG is answered under another key
	ClearStatus                  // in a session LSTATR, ISTATR, OSTATR and RSTATR go out in the clear under block 15 with the right MAC, as those of libosdp 3.2.0 do
	WrongNumber                  // the reply has another sequence number
	NumberZero                   // the reply has the number 0, which asks for a restart

	Drop       // the reply is lost; the command is carried out
	Corrupt    // 1 to 3 bits of the reply are turned
	Truncate   // the end of the reply is missing
	Length     // the length in the reply lies, and the check characters agree
	Duplicate  // the reply comes twice
	Late       // the reply comes later by Delay
	Trickle    // the bytes of the reply are apart by Delay
	OtherReply // the reply comes from another address

	BadMAC    // one bit of the MAC is turned, the check characters agree
	Downgrade // PDCAP in the clear denies the secure channel, CHLNG is answered by NAK 5
	ClearCard // POLL is answered by a RAW of Card in the clear, with the right number
	Replay    // POLL is answered by a reply of a session before that had a card, CHLNG and SCRYPT by those of before: right number and check characters, their old MAC
	Flood     // malformed frames without being asked, Rate a second
)

var faultNames = [...]string{
	"", "deaf", "deaf_to_crc", "busy", "refuse", "reboot", "wrong_key", "clear_status", "wrong_number", "number_zero",
	"drop", "corrupt", "truncate", "length", "duplicate", "late", "trickle", "other_reply",
	"bad_mac", "downgrade", "clear_card", "replay", "flood",
}

// String returns the name, as the simulator has it.
func (f Fault) String() string {
	if f > 0 && int(f) < len(faultNames) {
		return faultNames[f]
	}
	return fmt.Sprintf("fault_%d", uint8(f))
}

// Faults lists all of them.
func Faults() []Fault {
	all := make([]Fault, 0, len(faultNames)-1)
	for f := range len(faultNames) - 1 {
		all = append(all, Fault(f+1))
	}
	return all
}

// Mishap is one fault and when it strikes.
type Mishap struct {
	Fault   Fault
	Times   int           // strikes so often; 0: until Behave
	Chance  float64       // each time with this probability; 0: always
	Command byte          // only at this command; 0: at any
	Delay   time.Duration // of Late (0: 300 ms) and Trickle (0: 5 ms)
	Card    device.Card   // of ClearCard
	Rate    int           // of Flood, frames a second; 0: 10,000
}

// Misbehave adds a fault.
func (r *Reader) Misbehave(m Mishap) {
	if m.Rate <= 0 {
		m.Rate = 10_000
	}
	if m.Delay <= 0 {
		m.Delay = 300 * time.Millisecond
		if m.Fault == Trickle {
			m.Delay = 5 * time.Millisecond
		}
	}
	r.mu.Lock()
	r.mishaps = append(r.mishaps, &m)
	if m.Fault == Flood {
		r.floods = time.Now()
	}
	changed := r.changed
	r.mu.Unlock()
	if changed != nil {
		changed()
	}
}

// Behave ends all faults.
func (r *Reader) Behave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mishaps = nil
}

// Misbehaves tells whether any fault is still to strike.
func (r *Reader) Misbehaves() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.mishaps) > 0
}

// strike tells whether a fault strikes at this command, and counts it.
func (r *Reader) strike(f Fault, command byte) (Mishap, bool) {
	for i, m := range r.mishaps {
		if m.Fault != f || m.Command != 0 && m.Command != command || m.Chance > 0 && r.rand.Float64() >= m.Chance {
			continue
		}
		if m.Times > 0 {
			if m.Times--; m.Times == 0 {
				r.mishaps = slices.Delete(r.mishaps, i, i+1)
			}
		}
		return *m, true
	}
	return Mishap{}, false
}

// transmit sends a reply, or what the faults make of it. The reply itself stays
// as it is: a repetition may go well.
func (r *Reader) transmit(f packet, reply []byte) {
	if len(r.mishaps) == 0 {
		r.sends = append(r.sends, transmission{after: r.cfg.Turnaround, data: reply})
		return
	}
	b := append(r.frames[1][:0], reply...)
	b = r.spoil(f, r.forge(f, b))
	r.frames[1] = b
	if _, ok := r.strike(Drop, f.code); ok {
		return
	}
	s := transmission{after: r.cfg.Turnaround, data: b}
	if m, ok := r.strike(Late, f.code); ok {
		s.after += m.Delay
	}
	if m, ok := r.strike(Trickle, f.code); ok {
		s.gap = m.Delay
	}
	r.sends = append(r.sends, s)
	if _, ok := r.strike(Duplicate, f.code); ok {
		s.next = true
		r.sends = append(r.sends, s)
	}
}

// spoil is what cable and reader do to the bytes of a reply.
func (r *Reader) spoil(f packet, b []byte) []byte {
	strike := func(fault Fault) bool { _, ok := r.strike(fault, f.code); return ok }
	if strike(WrongNumber) {
		b[4] = b[4]&^3 | (b[4]+1+byte(r.rand.IntN(3)))&3
		recheck(b)
	}
	if strike(NumberZero) {
		b[4] &^= 3
		recheck(b)
	}
	if strike(OtherReply) {
		b[1] = replyBit | (b[1]+1)&0x7F
		recheck(b)
	}
	if strike(Length) {
		n := []int{0, 6, len(b) - 1, len(b) + 1 + r.rand.IntN(64), maxMessage, 0xFFFF}[r.rand.IntN(6)]
		b[2], b[3] = byte(n), byte(n>>8)
		recheck(b)
	}
	if strike(Corrupt) {
		for range 1 + r.rand.IntN(3) {
			b[r.rand.IntN(len(b))] ^= 1 << r.rand.IntN(8)
		}
	}
	if strike(Truncate) {
		b = b[:r.rand.IntN(len(b))]
	}
	return b
}
