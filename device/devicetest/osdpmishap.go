package devicetest

import (
	"fmt"
	"slices"
	"time"

	"gatehouse/device"
)

// OSDPFault is a way in which an OSDPReader, or somebody between it and the
// panel, does what it should not.
type OSDPFault uint8

// The faults. Those of the reader itself come first, then those of the cable,
// then those of an enemy at the cable.
const (
	OSDPDeaf        OSDPFault = iota + 1 // the command is not heard
	OSDPDeafToCRC                        // nor one with a CRC, whatever PDCAP says
	OSDPBusy                             // BUSY; the command is not carried out
	OSDPRefuse                           // NAK 3 in the clear
	OSDPReboot                           // forgets session and sequence before the command
	OSDPWrongKey                         // CHLNG is answered under another key
	OSDPClearStatus                      // in a session LSTATR, ISTATR, OSTATR and RSTATR go out in the clear under block 15 with the right MAC, as those of libosdp 3.2.0 do
	OSDPWrongNumber                      // the reply has another sequence number
	OSDPNumberZero                       // the reply has the number 0, which asks for a restart

	OSDPDrop       // the reply is lost; the command is carried out
	OSDPCorrupt    // 1 to 3 bits of the reply are turned
	OSDPTruncate   // the end of the reply is missing
	OSDPLength     // the length in the reply lies, and the check characters agree
	OSDPDuplicate  // the reply comes twice
	OSDPLate       // the reply comes later by Delay
	OSDPTrickle    // the bytes of the reply are apart by Delay
	OSDPOtherReply // the reply comes from another address

	OSDPBadMAC    // one bit of the MAC is turned, the check characters agree
	OSDPDowngrade // PDCAP in the clear denies the secure channel, CHLNG is answered by NAK 5
	OSDPClearCard // POLL is answered by a RAW of Card in the clear, with the right number
	OSDPReplay    // POLL is answered by a reply of a session before that had a card, CHLNG and SCRYPT by those of before: right number and check characters, their old MAC
	OSDPFlood     // malformed frames without being asked, Rate a second
)

var osdpFaults = [...]string{
	"", "deaf", "deaf_to_crc", "busy", "refuse", "reboot", "wrong_key", "clear_status", "wrong_number", "number_zero",
	"drop", "corrupt", "truncate", "length", "duplicate", "late", "trickle", "other_reply",
	"bad_mac", "downgrade", "clear_card", "replay", "flood",
}

// String returns the name, as the simulator has it.
func (f OSDPFault) String() string {
	if f > 0 && int(f) < len(osdpFaults) {
		return osdpFaults[f]
	}
	return fmt.Sprintf("fault_%d", uint8(f))
}

// OSDPFaults lists all of them.
func OSDPFaults() []OSDPFault {
	all := make([]OSDPFault, 0, len(osdpFaults)-1)
	for f := range len(osdpFaults) - 1 {
		all = append(all, OSDPFault(f+1))
	}
	return all
}

// OSDPMishap is one fault and when it strikes.
type OSDPMishap struct {
	Fault   OSDPFault
	Times   int           // strikes so often; 0: until Behave
	Chance  float64       // each time with this probability; 0: always
	Command byte          // only at this command; 0: at any
	Delay   time.Duration // of OSDPLate (0: 300 ms) and OSDPTrickle (0: 5 ms)
	Card    device.Card   // of OSDPClearCard
	Rate    int           // of OSDPFlood, frames a second; 0: 10,000
}

// Misbehave adds a fault.
func (r *OSDPReader) Misbehave(m OSDPMishap) {
	if m.Rate <= 0 {
		m.Rate = 10_000
	}
	if m.Delay <= 0 {
		m.Delay = 300 * time.Millisecond
		if m.Fault == OSDPTrickle {
			m.Delay = 5 * time.Millisecond
		}
	}
	r.mu.Lock()
	r.mishaps = append(r.mishaps, &m)
	if m.Fault == OSDPFlood {
		r.floods = time.Now()
	}
	changed := r.changed
	r.mu.Unlock()
	if changed != nil {
		changed()
	}
}

// Behave ends all faults.
func (r *OSDPReader) Behave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mishaps = nil
}

// Misbehaves tells whether any fault is still to strike.
func (r *OSDPReader) Misbehaves() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.mishaps) > 0
}

// strike tells whether a fault strikes at this command, and counts it.
func (r *OSDPReader) strike(f OSDPFault, command byte) (OSDPMishap, bool) {
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
	return OSDPMishap{}, false
}

// transmit sends a reply, or what the faults make of it. The reply itself stays
// as it is: a repetition may go well.
func (r *OSDPReader) transmit(f osdpFrame, reply []byte) {
	if len(r.mishaps) == 0 {
		r.sends = append(r.sends, osdpSend{after: r.cfg.Turnaround, data: reply})
		return
	}
	b := append(r.frames[1][:0], reply...)
	b = r.spoil(f, r.forge(f, b))
	r.frames[1] = b
	if _, ok := r.strike(OSDPDrop, f.code); ok {
		return
	}
	s := osdpSend{after: r.cfg.Turnaround, data: b}
	if m, ok := r.strike(OSDPLate, f.code); ok {
		s.after += m.Delay
	}
	if m, ok := r.strike(OSDPTrickle, f.code); ok {
		s.gap = m.Delay
	}
	r.sends = append(r.sends, s)
	if _, ok := r.strike(OSDPDuplicate, f.code); ok {
		s.next = true
		r.sends = append(r.sends, s)
	}
}

// spoil is what cable and reader do to the bytes of a reply.
func (r *OSDPReader) spoil(f osdpFrame, b []byte) []byte {
	strike := func(fault OSDPFault) bool { _, ok := r.strike(fault, f.code); return ok }
	if strike(OSDPWrongNumber) {
		b[4] = b[4]&^3 | (b[4]+1+byte(r.rand.IntN(3)))&3
		recheck(b)
	}
	if strike(OSDPNumberZero) {
		b[4] &^= 3
		recheck(b)
	}
	if strike(OSDPOtherReply) {
		b[1] = osdpReplyBit | (b[1]+1)&0x7F
		recheck(b)
	}
	if strike(OSDPLength) {
		n := []int{0, 6, len(b) - 1, len(b) + 1 + r.rand.IntN(64), osdpMax, 0xFFFF}[r.rand.IntN(6)]
		b[2], b[3] = byte(n), byte(n>>8)
		recheck(b)
	}
	if strike(OSDPCorrupt) {
		for range 1 + r.rand.IntN(3) {
			b[r.rand.IntN(len(b))] ^= 1 << r.rand.IntN(8)
		}
	}
	if strike(OSDPTruncate) {
		b = b[:r.rand.IntN(len(b))]
	}
	return b
}
