package osdptest

import (
	"math/rand/v2"
	"slices"
	"time"

	"gatehouse/device"
)

// maxRecorded is how many replies are kept for Replay.
const maxRecorded = 64

// transmission is bytes that a reader sends after a while, apart by gap.
type transmission struct {
	after, gap time.Duration
	next       bool // as soon as the one before is over
	data       []byte
}

// mischief turns the replies of a reader into what the reader, the cable or an
// enemy at the cable makes of them.
type mischief struct {
	rand        *rand.Rand
	turnaround  time.Duration
	unspecified bool // the reader's cards go out in format 0
	mishaps     []*Mishap
	recorded    []recording
	floods      time.Time // up to when the flood was sent

	spoiled, flooded, malformed []byte // made anew each time
}

func newMischief(c Config) mischief {
	return mischief{rand: rand.New(rand.NewPCG(c.Seed, uint64(c.Address))), turnaround: c.Turnaround, unspecified: c.Unspecified}
}

// add adds a fault.
func (x *mischief) add(m Mishap) {
	if m.Rate <= 0 {
		m.Rate = 10_000
	}
	if m.Delay <= 0 {
		m.Delay = 300 * time.Millisecond
		if m.Fault == Trickle {
			m.Delay = 5 * time.Millisecond
		}
	}
	x.mishaps = append(x.mishaps, &m)
	if m.Fault == Flood {
		x.floods = time.Now()
	}
}

// strike tells whether a fault strikes at this command, and counts it.
func (x *mischief) strike(f Fault, command byte) (Mishap, bool) {
	for i, m := range x.mishaps {
		if m.Fault != f || m.Command != 0 && m.Command != command || m.Chance > 0 && x.rand.Float64() >= m.Chance {
			continue
		}
		if m.Times > 0 {
			if m.Times--; m.Times == 0 {
				x.mishaps = slices.Delete(x.mishaps, i, i+1)
			}
		}
		return *m, true
	}
	return Mishap{}, false
}

func (x *mischief) strikes(f Fault, command byte) bool {
	_, ok := x.strike(f, command)
	return ok
}

// transmit adds a reply to what is sent, or what the faults make of it. The reply
// itself stays as it is: a repetition may go well.
func (x *mischief) transmit(sends []transmission, p packet, reply []byte) []transmission {
	if len(x.mishaps) == 0 {
		return append(sends, transmission{after: x.turnaround, data: reply})
	}
	b := x.spoil(p, x.forge(p, append(x.spoiled[:0], reply...)))
	x.spoiled = b
	if x.strikes(Drop, p.code) {
		return sends
	}
	s := transmission{after: x.turnaround, data: b}
	if m, ok := x.strike(Late, p.code); ok {
		s.after += m.Delay
	}
	if m, ok := x.strike(Trickle, p.code); ok {
		s.gap = m.Delay
	}
	sends = append(sends, s)
	if x.strikes(Duplicate, p.code) {
		s.next = true
		sends = append(sends, s)
	}
	return sends
}

// spoil is what cable and reader do to the bytes of a reply.
func (x *mischief) spoil(p packet, b []byte) []byte {
	if x.strikes(WrongNumber, p.code) {
		b[4] = b[4]&^3 | (b[4]+1+byte(x.rand.IntN(3)))&3
		recheck(b)
	}
	if x.strikes(NumberZero, p.code) {
		b[4] &^= 3
		recheck(b)
	}
	if x.strikes(OtherReply, p.code) {
		b[1] = replyBit | (b[1]+1)&0x7F
		recheck(b)
	}
	if x.strikes(Length, p.code) {
		n := []int{0, 6, len(b) - 1, len(b) + 1 + x.rand.IntN(64), maxMessage, 0xFFFF}[x.rand.IntN(6)]
		b[2], b[3] = byte(n), byte(n>>8)
		recheck(b)
	}
	if x.strikes(Corrupt, p.code) {
		for range 1 + x.rand.IntN(3) {
			b[x.rand.IntN(len(b))] ^= 1 << x.rand.IntN(8)
		}
	}
	if x.strikes(Truncate, p.code) {
		b = b[:x.rand.IntN(len(b))]
	}
	return b
}

// recording is a reply of a session, and the command that it answered.
type recording struct {
	command byte
	reply   []byte
}

// record keeps what an enemy at the cable would: the replies of the handshakes
// and those of POLL that report something.
func (x *mischief) record(command byte, reply []byte) {
	if command == 0x60 && reply[6] != blockReplyEnc || command != 0x60 && command != 0x76 && command != 0x77 {
		return
	}
	x.recorded = append(x.recorded, recording{command, append([]byte(nil), reply...)})
	if len(x.recorded) > maxRecorded {
		x.recorded = x.recorded[1:]
	}
}

// forge is what an enemy between reader and panel sends instead of a reply.
func (x *mischief) forge(p packet, b []byte) []byte {
	if m, ok := x.forgeCard(p); ok {
		reply := p.answer(0x50, rawCard(m.Card, x.unspecified))
		b = reply.appendTo(b[:0])
	}
	if p.code == 0x60 || p.code == 0x76 || p.code == 0x77 {
		if x.strikes(Replay, p.code) {
			b = x.replay(p, b)
		}
	}
	if p.code == 0x62 || p.code == 0x76 {
		if x.strikes(Downgrade, p.code) {
			b = x.downgrade(p, b)
		}
	}
	if len(b) > 6 && b[4]&controlBlock != 0 && b[6] >= blockCmdMAC {
		if x.strikes(BadMAC, p.code) {
			at := len(b) - checkSize(p.crc) - macSize + x.rand.IntN(macSize)
			b[at] ^= 1 << x.rand.IntN(8)
			recheck(b)
		}
	}
	return b
}

func (x *mischief) forgeCard(p packet) (Mishap, bool) {
	if p.code != 0x60 {
		return Mishap{}, false
	}
	m, ok := x.strike(ClearCard, p.code)
	return m, ok && m.Card != device.Card{}
}

// replay returns the oldest record that answers the command, made to fit, and
// moves it to the end.
func (x *mischief) replay(p packet, b []byte) []byte {
	for i, rec := range x.recorded {
		if rec.command != p.code {
			continue
		}
		b = append(b[:0], rec.reply...)
		b[1], b[4] = p.address|replyBit, b[4]&^3|p.sequence
		recheck(b)
		x.recorded = append(append(x.recorded[:i:i], x.recorded[i+1:]...), rec)
		break
	}
	return b
}

// downgrade makes the reader look as if it knew no secure channel.
func (x *mischief) downgrade(p packet, b []byte) []byte {
	if p.code == 0x76 {
		reply := p.answer(codeNAK, []byte{nakBlock})
		return reply.appendTo(b[:0])
	}
	if b[4]&controlBlock != 0 || b[5] != 0x46 {
		return b
	}
	for at := 6; at+3 <= len(b)-checkSize(p.crc); at += 3 {
		if b[at] == 9 {
			b[at+1], b[at+2] = 0, 0
		}
	}
	recheck(b)
	return b
}

// flood returns the malformed frames that are due, none longer ago than a
// tenth of a second, and whether the flood goes on.
func (x *mischief) flood(now time.Time, address byte) ([]byte, bool) {
	rate := 0
	for _, m := range x.mishaps {
		if m.Fault == Flood {
			rate = m.Rate
		}
	}
	if rate == 0 {
		return nil, false
	}
	if since := now.Add(-100 * time.Millisecond); x.floods.Before(since) {
		x.floods = since
	}
	x.flooded = x.flooded[:0]
	for each := time.Second / time.Duration(rate); !x.floods.After(now); x.floods = x.floods.Add(each) {
		if !x.strikes(Flood, 0) {
			return x.flooded, false
		}
		x.flooded = x.appendMalformed(x.flooded, address)
	}
	return x.flooded, true
}

// appendMalformed appends something that is no good frame: each sort as often.
func (x *mischief) appendMalformed(dst []byte, address byte) []byte {
	p := packet{address: address, reply: true, sequence: byte(x.rand.IntN(4)), crc: true, code: 0x50, data: []byte{0, 1, 26, 0, 1, 2, 3, 64}}
	b := p.appendTo(x.malformed[:0])
	x.malformed = b
	switch x.rand.IntN(6) {
	case 0:
		b[len(b)-1] ^= byte(1 + x.rand.IntN(255)) // wrong check characters
	case 1:
		b = b[:1+x.rand.IntN(len(b)-1)] // cut short
	case 2:
		n := x.rand.IntN(1 << 16)
		b[2], b[3] = byte(n), byte(n>>8) // a length that lies
	case 3:
		b[1] = address // a command
		recheck(b)
	case 4:
		b[4] |= controlBlock // a security block that is none
		recheck(b)
	case 5:
		for i := range b {
			b[i] = byte(x.rand.IntN(256))
		}
	}
	return append(dst, b...)
}
