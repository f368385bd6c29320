package osdptest

import (
	"time"

	"gatehouse/device"
)

// recording is a reply of a session, and the command that it answered.
type recording struct {
	command byte
	reply   []byte
}

// record keeps what an enemy at the cable would: the replies of the handshakes
// and those of POLL that report something.
func (r *Reader) record(command byte, reply []byte) {
	if command == 0x60 && reply[6] != blockReplyEnc || command != 0x60 && command != 0x76 && command != 0x77 {
		return
	}
	r.recorded = append(r.recorded, recording{command, append([]byte(nil), reply...)})
	if len(r.recorded) > maxRecorded {
		r.recorded = r.recorded[1:]
	}
}

// forge is what an enemy between reader and panel sends instead of a reply.
func (r *Reader) forge(f packet, b []byte) []byte {
	if m, ok := r.forgeCard(f); ok {
		card := r.raw(event{card: m.Card})
		b = append(b[:0], r.clear(f, 0x50, card...)...)
	}
	if f.code == 0x60 || f.code == 0x76 || f.code == 0x77 {
		if _, ok := r.strike(Replay, f.code); ok {
			b = r.replay(f, b)
		}
	}
	if f.code == 0x62 || f.code == 0x76 {
		if _, ok := r.strike(Downgrade, f.code); ok {
			b = r.downgrade(f, b)
		}
	}
	if len(b) > 6 && b[4]&controlBlock != 0 && b[6] >= blockCmdMAC {
		if _, ok := r.strike(BadMAC, f.code); ok {
			at := len(b) - checkSize(f.crc) - macSize + r.rand.IntN(macSize)
			b[at] ^= 1 << r.rand.IntN(8)
			recheck(b)
		}
	}
	return b
}

func (r *Reader) forgeCard(f packet) (Mishap, bool) {
	if f.code != 0x60 {
		return Mishap{}, false
	}
	m, ok := r.strike(ClearCard, f.code)
	return m, ok && m.Card != device.Card{}
}

// replay returns the oldest record that answers the command, made to fit, and
// moves it to the end.
func (r *Reader) replay(f packet, b []byte) []byte {
	for i, rec := range r.recorded {
		if rec.command != f.code {
			continue
		}
		b = append(b[:0], rec.reply...)
		b[1], b[4] = f.address|replyBit, b[4]&^3|f.sequence
		recheck(b)
		r.recorded = append(append(r.recorded[:i:i], r.recorded[i+1:]...), rec)
		break
	}
	return b
}

// downgrade makes the reader look as if it knew no secure channel.
func (r *Reader) downgrade(f packet, b []byte) []byte {
	if f.code == 0x76 {
		return append(b[:0], r.clear(f, 0x41, nakBlock)...)
	}
	if b[4]&controlBlock != 0 || b[5] != 0x46 {
		return b
	}
	for at := 6; at+3 <= len(b)-checkSize(f.crc); at += 3 {
		if b[at] == 9 {
			b[at+1], b[at+2] = 0, 0
		}
	}
	recheck(b)
	return b
}

// flood returns the malformed frames that are due, none longer ago than a
// tenth of a second, and whether the flood goes on.
func (r *Reader) flood(now time.Time) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dead {
		return nil, false
	}
	rate := 0
	for _, m := range r.mishaps {
		if m.Fault == Flood {
			rate = m.Rate
		}
	}
	if rate == 0 {
		return nil, false
	}
	if since := now.Add(-100 * time.Millisecond); r.floods.Before(since) {
		r.floods = since
	}
	r.frames[2] = r.frames[2][:0]
	for each := time.Second / time.Duration(rate); !r.floods.After(now); r.floods = r.floods.Add(each) {
		if _, ok := r.strike(Flood, 0); !ok {
			return r.frames[2], false
		}
		r.frames[2] = r.malformed(r.frames[2])
	}
	return r.frames[2], true
}

// malformed appends something that is no good frame: each sort as often.
func (r *Reader) malformed(dst []byte) []byte {
	f := packet{address: r.address, reply: true, sequence: byte(r.rand.IntN(4)), crc: true, code: 0x50, data: []byte{0, 1, 26, 0, 1, 2, 3, 64}}
	b := appendCheck(f.begin(r.frames[3][:0]), true)
	r.frames[3] = b
	switch r.rand.IntN(6) {
	case 0:
		b[len(b)-1] ^= byte(1 + r.rand.IntN(255)) // wrong check characters
	case 1:
		b = b[:1+r.rand.IntN(len(b)-1)] // cut short
	case 2:
		n := r.rand.IntN(1 << 16)
		b[2], b[3] = byte(n), byte(n>>8) // a length that lies
	case 3:
		b[1] = r.address // a command
		recheck(b)
	case 4:
		b[4] |= controlBlock // a security block that is none
		recheck(b)
	case 5:
		for i := range b {
			b[i] = byte(r.rand.IntN(256))
		}
	}
	return append(dst, b...)
}
