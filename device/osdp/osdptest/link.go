package osdptest

import (
	"bytes"
	"io"
	"time"
)

// NAK codes.
const (
	nakCheck    = 1
	nakCommand  = 3
	nakSequence = 4
	nakBlock    = 5
	nakSecurity = 6
	nakRecord   = 9
)

// hear takes bytes that look like a frame and returns what the reader sends.
// The result is good until the next call.
func (r *Reader) hear(frame []byte, now time.Time) []transmission {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sends = r.sends[:0]
	f, nak := parse(frame)
	if r.dead || nak == 2 || f.reply || f.address != r.address && f.address != broadcast {
		return nil
	}
	if _, ok := r.strike(Deaf, f.code); ok {
		return nil
	}
	if f.crc {
		if _, ok := r.strike(DeafToCRC, f.code); ok {
			return nil
		}
	}
	r.seen = now
	r.silence(now)
	if r.cfg.ChecksumOnly && f.crc {
		f.crc, nak = false, nakCheck
	}
	if nak != 0 {
		r.told.BadChecks++
		r.transmit(f, r.clear(f, 0x41, nak))
		return r.sends
	}
	r.heard = now
	r.process(f, frame)
	return r.sends
}

// process is a command whose check characters are right.
func (r *Reader) process(f packet, frame []byte) {
	if _, ok := r.strike(Reboot, f.code); ok {
		r.reboot()
		r.heard = r.seen
	}
	if f.sequence != 0 && r.started && f.sequence == r.sequence && bytes.Equal(frame, r.command) && len(r.reply) > 0 {
		r.told.Repeats++
		r.transmit(f, r.reply)
		return
	}
	if _, ok := r.strike(Busy, f.code); ok {
		f.sequence = 0
		r.transmit(f, r.clear(f, 0x79))
		return
	}
	if _, ok := r.strike(Refuse, f.code); ok {
		r.transmit(f, r.clear(f, 0x41, nakCommand))
		return
	}
	secured := f.block >= blockCmdMAC
	switch {
	case f.sequence == 0:
		r.told.Restarts++
		r.restart()
		r.started = true
	case secured && (r.session == nil || !r.session.up):
		r.transmit(f, r.clear(f, 0x41, nakSecurity))
		return
	case !r.started || f.sequence != r.sequence%3+1:
		r.transmit(f, r.clear(f, 0x41, nakSequence))
		return
	}
	r.sequence = f.sequence
	r.command = append(r.command[:0], frame...)
	r.reply = append(r.reply[:0], r.answer(f, frame)...)
	r.transmit(f, r.reply)
	r.moveOn(f)
}

// answer makes the reply to a command that is next.
func (r *Reader) answer(f packet, frame []byte) []byte {
	switch {
	case f.block == blockChallenge:
		r.told.Commands[f.code]++
		return r.challenge(f)
	case f.block == blockSCrypt:
		r.told.Commands[f.code]++
		return r.scrypt(f)
	case f.block == blockCmdMAC || f.block == blockCmdEnc:
		return r.secured(f, frame)
	case f.block != 0:
		return r.clear(f, 0x41, nakBlock)
	case r.session != nil && r.session.up: // clear text inside a session
		r.session = nil
		return r.clear(f, 0x41, nakSecurity)
	case r.cfg.Enforce && f.code != 0x61 && f.code != 0x62 && f.code != 0x6E:
		return r.clear(f, 0x41, nakSecurity)
	}
	r.told.Commands[f.code]++
	code, data := r.act(f.code, f.data, false)
	return r.clear(f, code, data...)
}

// secured is a command inside a session.
func (r *Reader) secured(f packet, frame []byte) []byte {
	if r.session == nil || !r.session.up {
		return r.clear(f, 0x41, nakSecurity)
	}
	plain, ok := r.session.unseal(frame, f)
	if !ok {
		r.told.BadMACs++
		r.session = nil
		return r.clear(f, 0x41, nakSecurity)
	}
	r.told.Commands[f.code]++
	code, data := r.act(f.code, plain, true)
	answer := packet{address: f.address, reply: true, sequence: f.sequence, crc: f.crc, code: code, block: blockReplyMAC, data: data}
	switch _, quirk := r.strike(ClearStatus, f.code); {
	case quirk && code >= 0x48 && code <= 0x4B:
		answer.block = blockCmdMAC
	case len(data) > 0:
		answer.block, answer.data = blockReplyEnc, r.session.encrypt(data)
	}
	b := r.session.sign(answer.begin(r.buffer(0)))
	b = appendCheck(b, f.crc)
	r.frames[0] = b
	r.record(f.code, b)
	return b
}

// clear makes a reply without a security block. A reply to the configuration
// address comes from there.
func (r *Reader) clear(f packet, code byte, data ...byte) []byte {
	return r.seal(packet{address: f.address, reply: true, sequence: f.sequence, crc: f.crc, code: code, data: data})
}

func (r *Reader) seal(f packet) []byte {
	r.frames[0] = appendCheck(f.begin(r.buffer(0)), f.crc)
	return r.frames[0]
}

func (r *Reader) buffer(i int) []byte { return r.frames[i][:0] }

// challenge is CHLNG: the start of a session under the key that it names. It
// ends the session that was.
func (r *Reader) challenge(f packet) []byte {
	r.session = nil
	key, known := defaultKey(), r.install
	if f.key != 0 {
		if known = r.key != nil; known {
			key = *r.key
		}
	}
	if f.code != 0x76 || len(f.data) != 8 || f.key > 1 || !known {
		return r.clear(f, 0x41, nakBlock)
	}
	if _, ok := r.strike(WrongKey, f.code); ok {
		key[0] ^= 0x55
	}
	rndB := make([]byte, 8)
	if _, err := io.ReadFull(r.cfg.Rand, rndB); err != nil {
		return r.clear(f, 0x41, nakBlock)
	}
	r.session = newSession(key, f.key, f.data)
	proof := r.session.challenge(f.data, rndB)
	data := append(append(r.clientUID(), rndB...), proof[:]...)
	b := r.seal(packet{
		address: f.address, reply: true, sequence: f.sequence, crc: f.crc,
		block: blockCCrypt, key: f.key, code: 0x76, data: data,
	})
	r.record(f.code, b)
	return b
}

// scrypt is SCRYPT: the panel's proof.
func (r *Reader) scrypt(f packet) []byte {
	if f.code != 0x77 || len(f.data) != 16 || r.session == nil || r.session.up || f.key != r.session.key {
		r.session = nil
		return r.clear(f, 0x41, nakBlock)
	}
	answer := packet{
		address: f.address, reply: true, sequence: f.sequence, crc: f.crc,
		block: blockRMAC, key: 0x01, code: 0x78,
	}
	if r.session.accept(f.data) {
		r.told.Sessions++
	} else {
		answer.key = 0xFF
	}
	answer.data = append(answer.data, r.session.reply[:]...)
	if !r.session.up {
		r.session = nil
	}
	b := r.seal(answer)
	r.record(f.code, b)
	return b
}

// clientUID is vendor, model, version and the low three bytes of the serial
// number (D.4.3).
func (r *Reader) clientUID() []byte { return r.identity()[:8] }

// moveOn is COMSET taking effect: after the answer, which went out the old way.
func (r *Reader) moveOn(f packet) {
	if f.code != 0x6E || r.next.baud == 0 {
		return
	}
	if r.address != r.next.address || r.baud != r.next.baud {
		r.address, r.baud = r.next.address, r.next.baud
		r.restart()
		r.started = false
	}
	r.next.baud = 0
}
