package osdptest

import (
	"io"
	"time"
)

// hear takes bytes that look like a frame and returns what the reader sends.
// The result is good until the next call.
func (r *Reader) hear(frame []byte, now time.Time) []transmission {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sends = r.sends[:0]
	p, nak := parse(frame)
	if r.dead || nak == nakLength || p.reply || p.address != r.own.address && p.address != broadcast {
		return nil
	}
	if r.mischief.strikes(Deaf, p.code) || p.crc && r.mischief.strikes(DeafToCRC, p.code) {
		return nil
	}
	r.seen = now
	r.silence(now)
	if r.cfg.ChecksumOnly && p.crc {
		p.crc, nak = false, nakCheck
	}
	if nak != 0 {
		r.counts.BadChecks++
		r.transmit(p, r.clear(p, codeNAK, nak))
		return r.sends
	}
	r.link.heard = now
	r.process(p, frame)
	return r.sends
}

func (r *Reader) transmit(p packet, reply []byte) {
	r.sends = r.mischief.transmit(r.sends, p, reply)
}

// process is a command whose check characters are right.
func (r *Reader) process(p packet, frame []byte) {
	if r.mischief.strikes(Reboot, p.code) {
		r.reboot()
		r.link.heard = r.seen
	}
	if r.link.repeats(p, frame) {
		r.counts.Repeats++
		r.transmit(p, r.link.reply)
		return
	}
	if r.mischief.strikes(Busy, p.code) {
		p.sequence = 0
		r.transmit(p, r.clear(p, 0x79))
		return
	}
	if r.mischief.strikes(Refuse, p.code) {
		r.transmit(p, r.clear(p, codeNAK, nakCommand))
		return
	}
	switch {
	case p.sequence == 0:
		r.counts.Restarts++
		r.link.reset()
		r.link.started = true
	case p.block >= blockCmdMAC && !r.link.secure():
		r.transmit(p, r.clear(p, codeNAK, nakSecurity))
		return
	case !r.link.follows(p):
		r.transmit(p, r.clear(p, codeNAK, nakSequence))
		return
	}
	r.link.begin(p, frame)
	r.link.reply = append(r.link.reply[:0], r.answer(p, frame)...)
	r.transmit(p, r.link.reply)
	r.moveOn(p)
}

// answer makes the reply to a command that is next.
func (r *Reader) answer(p packet, frame []byte) []byte {
	switch {
	case p.block == blockChallenge:
		r.counts.Commands[p.code]++
		return r.challenge(p)
	case p.block == blockSCrypt:
		r.counts.Commands[p.code]++
		return r.scrypt(p)
	case p.block == blockCmdMAC || p.block == blockCmdEnc:
		return r.secured(p, frame)
	case p.block != 0:
		return r.clear(p, codeNAK, nakBlock)
	case r.link.secure(): // clear text inside a session
		r.link.session = nil
		return r.clear(p, codeNAK, nakSecurity)
	case r.cfg.Enforce && p.code != 0x61 && p.code != 0x62 && p.code != 0x6E:
		return r.clear(p, codeNAK, nakSecurity)
	}
	r.counts.Commands[p.code]++
	code, data := r.act(p.code, p.data, false)
	return r.clear(p, code, data...)
}

// secured is a command inside a session.
func (r *Reader) secured(p packet, frame []byte) []byte {
	if !r.link.secure() {
		return r.clear(p, codeNAK, nakSecurity)
	}
	plain, ok := r.link.session.unseal(frame, p)
	if !ok {
		r.counts.BadMACs++
		r.link.session = nil
		return r.clear(p, codeNAK, nakSecurity)
	}
	r.counts.Commands[p.code]++
	code, data := r.act(p.code, plain, true)
	reply := p.answer(code, data)
	reply.block = blockReplyMAC
	switch {
	case code >= 0x48 && code <= 0x4B && r.mischief.strikes(ClearStatus, p.code),
		(code == 0x50 || code == 0x53) && r.mischief.strikes(ClearReport, p.code):
		reply.block = blockCmdMAC
	case len(data) > 0:
		reply.block, reply.data = blockReplyEnc, r.link.session.encrypt(data)
	}
	b := r.link.session.sign(reply.begin(r.out[:0]))
	r.out = appendCheck(b, p.crc)
	r.mischief.record(p.code, r.out)
	return r.out
}

// clear makes a reply without a security block. A reply to the configuration
// address comes from there.
func (r *Reader) clear(p packet, code byte, data ...byte) []byte {
	return r.encode(p.answer(code, data))
}

func (r *Reader) encode(p packet) []byte {
	r.out = p.appendTo(r.out[:0])
	return r.out
}

// challenge is CHLNG: the start of a session under the key that it names. It
// ends the session that was.
func (r *Reader) challenge(p packet) []byte {
	r.link.session = nil
	key, known := defaultKey(), r.own.install
	if p.key != 0 {
		if known = r.own.key != nil; known {
			key = *r.own.key
		}
	}
	if p.code != 0x76 || len(p.data) != 8 || p.key > 1 || !known {
		return r.clear(p, codeNAK, nakBlock)
	}
	if r.mischief.strikes(WrongKey, p.code) {
		key[0] ^= 0x55
	}
	rndB := make([]byte, 8)
	if _, err := io.ReadFull(r.cfg.Rand, rndB); err != nil {
		return r.clear(p, codeNAK, nakBlock)
	}
	r.link.session = newSession(key, p.key, p.data)
	proof := r.link.session.challenge(p.data, rndB)
	reply := p.answer(0x76, append(append(r.cfg.clientUID(), rndB...), proof[:]...))
	reply.block, reply.key = blockCCrypt, p.key
	b := r.encode(reply)
	r.mischief.record(p.code, b)
	return b
}

// scrypt is SCRYPT: the panel's proof.
func (r *Reader) scrypt(p packet) []byte {
	s := r.link.session
	if p.code != 0x77 || len(p.data) != 16 || s == nil || s.up || p.key != s.key {
		r.link.session = nil
		return r.clear(p, codeNAK, nakBlock)
	}
	reply := p.answer(0x78, nil)
	reply.block, reply.key = blockRMAC, 0x01
	if s.accept(p.data) {
		r.counts.Sessions++
	} else {
		reply.key, r.link.session = 0xFF, nil
	}
	reply.data = s.reply[:]
	b := r.encode(reply)
	r.mischief.record(p.code, b)
	return b
}

// moveOn is COMSET taking effect: after the answer, which went out the old way.
func (r *Reader) moveOn(p packet) {
	if p.code != 0x6E || r.next.baud == 0 {
		return
	}
	if r.own.address != r.next.address || r.own.baud != r.next.baud {
		r.own.address, r.own.baud = r.next.address, r.next.baud
		r.link.reset()
		r.link.started = false
	}
	r.next.baud = 0
}
