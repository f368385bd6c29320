package osdp

import (
	"crypto/rand"
	"time"

	"gatehouse/device/fault"
)

const (
	sessionLife = 24 * time.Hour // then new session keys
	keyPause    = 5 * time.Second
	macPause    = 10 * time.Second // after five wrong MACs in a minute
	macMinute   = time.Minute
)

// challenge begins a handshake with the key at hand, by number 0 and a fresh
// random number: a reader would answer the old number from its memory. False when
// there is no key to try.
func (r *Reader) challenge(now time.Time) bool {
	if err := r.keys.load(); err != nil {
		r.log.Error().Err(err).Msg("keys of reader can't be used")
		r.noKey(r.keyFault(err), now)
		if !r.installing(now) {
			return false
		}
	}
	role := r.keys.pick(r.installing(now))
	if role == roleNone {
		r.noKey(r.keyFault(nil), now)
		return false
	}
	r.reset()
	r.retried = false
	_, _ = rand.Read(r.panel[:]) // never fails: the runtime ends the program instead
	return true
}

// noKey is for a reader that no key of ours fits, until somebody opens the window.
func (r *Reader) noKey(cause fault.Code, now time.Time) {
	r.holds(cause, true, now)
	r.goAway(cause, now)
	r.keys.trying = roleNone
	r.due = now.Add(keyPause)
}

// keyBlock is the security block of CHLNG and SCRYPT.
func (r *Reader) keyBlock(typ byte) Block {
	r.block[0] = ownKeyNo
	if r.keys.trying == roleDefault {
		r.block[0] = defaultKeyNo
	}
	return Block{Type: typ, Data: r.block[:]}
}

// challenged takes CCRYPT: the reader has our key if its cryptogram is right, and
// says that it used that one.
func (r *Reader) challenged(f Frame, now time.Time) {
	if f.Code == replyNak && len(f.Data) > 0 && f.Data[0] == nakUnknown {
		r.holds(fault.Downgrade, true, now)
	}
	c, err := parseCCrypt(f.Data)
	if err != nil || f.Code != replyCCrypt || f.Block.Type != blockCCrypt || len(f.Block.Data) != 1 {
		r.keyRefused(now)
		return
	}
	h := newHandshake(r.keys.key(r.keys.trying), r.panel, c.random)
	if f.Block.Data[0] == r.block[0] && h.clientProved(c.cryptogram) {
		r.handshake, r.step = h, stepProve
		return
	}
	if r.keys.trying != roleDefault && newHandshake(&defaultKey, r.panel, c.random).clientProved(c.cryptogram) {
		r.keys.standby = true
	}
	r.keyRefused(now)
}

// proved takes RMAC_I: the session is up.
func (r *Reader) proved(f Frame, now time.Time) {
	if f.Code != replyRMAC || f.Block.Type != blockRMAC || len(f.Block.Data) != 1 || f.Block.Data[0] != ownKeyNo {
		r.keyRefused(now)
		return
	}
	s, err := r.handshake.start(f.Data)
	if err != nil {
		r.keyRefused(now)
		return
	}
	r.session, r.handshake, r.began = s, nil, now
	r.keys.rounds, r.keys.standby = 0, false
	r.opened(now)
}

// opened goes on by the key that the reader has.
func (r *Reader) opened(now time.Time) {
	k := &r.keys
	r.step = stepRun
	switch {
	case k.trying == roleDefault:
		if !r.installing(now) || !r.prepareKey(now) {
			r.retreat(fault.DefaultKey, now)
			return
		}
		r.step = stepKeySet
		r.known = false // before the key is proved: another may have come in its place so fast that nobody asked who it is
	case k.trying == roleNext:
		r.keyProved(now)
	case k.keys.Next != nil && r.prepareKey(now):
		r.step = stepKeySet
	}
}

// keyRefused goes on to the next key. When all failed twice in a row, and no
// message was lost meanwhile, the reader has another.
func (r *Reader) keyRefused(now time.Time) {
	if r.retried {
		r.retreat(fault.NoAnswer, now)
		return
	}
	r.keys.trying++
	if r.keys.pick(r.installing(now)) != roleNone {
		r.reset()
		return
	}
	r.keys.rounds++
	cause := r.keyFault(nil)
	r.retreat(cause, now)
	if r.keys.rounds >= 2 {
		r.holds(cause, true, now)
		r.goAway(cause, now)
	}
}

// keySet takes the answer to KEYSET, whose ACK may come in the clear. What else
// comes in the clear proves nothing: the reader may have either key.
func (r *Reader) keySet(f Frame, clearText bool, now time.Time) {
	switch {
	case f.Code == replyAck:
		r.reset()
	case clearText:
		r.retreat(fault.Refused, now)
	default:
		old := r.keys.trying
		r.keyFailed(fault.Refused, now)
		if old == roleDefault {
			r.retreat(fault.DefaultKey, now)
			return
		}
		r.step = stepRun
	}
}

// badMAC ends a session whose message was changed. Five in a minute are no
// accident: the reader rests for a while, which also bounds how often anybody can
// guess the four bytes.
func (r *Reader) badMAC(now time.Time) {
	r.mu.Lock()
	r.status.BadMACs++
	r.mu.Unlock()
	r.fault(fault.BadMAC, cardFaults, now)
	copy(r.badMACs[1:], r.badMACs[:])
	r.badMACs[0] = now
	r.retreat(fault.BadMAC, now)
	if oldest := r.badMACs[len(r.badMACs)-1]; !oldest.IsZero() && now.Sub(oldest) < macMinute {
		clear(r.badMACs[:])
		r.goAway(fault.BadMAC, now)
		r.due = now.Add(macPause)
	}
}
