package osdp

import (
	"crypto/rand"
	"errors"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/osdp/protocol"
)

const (
	sessionLife = 24 * time.Hour // then new session keys
	keyPause    = 5 * time.Second
	macPause    = 10 * time.Second // after five wrong MACs in a minute
	macMinute   = time.Minute
	keySends    = 3 // sends of one new key before it is given up
	saveAgain   = 10 * time.Second
)

// channel is the secure channel with one reader: its keys, the handshake under way and the session.
// Its steps return what the contact has to do. For one goroutine.
type channel struct {
	requests  *requests
	events    *reporter
	keys      keyring
	handshake *protocol.Handshake
	session   *protocol.Session
	began     time.Time // of the session
	panel     [8]byte   // our random number
	repeated  bool      // a message of this handshake was repeated: its failure proves nothing
	badMACs   [5]time.Time
}

// verdict is the result of a step of the secure channel.
type verdict struct {
	then  then
	step  step
	cause fault.Code
}

type then uint8

const (
	goOn    then = iota // with the next step
	freshly             // with number 0, and the present key
	backOff             // and begin anew after the cause
	giveUp              // the same, and the door is told the cause: no key fits
	proved              // the reader showed that it has its new key
)

// challenge begins a handshake with the present key and a fresh random number. A returned cause
// means that no key of ours fits; then ok is true only if the default key may be tried.
func (c *channel) challenge(now time.Time) (cause fault.Code, ok bool) {
	install := c.requests.installing(now)
	if err := c.keys.load(); err != nil {
		c.events.log.Error().Err(err).Msg("keys of reader can't be used")
		cause, c.keys.trying = c.fault(err), roleNone
		if !install {
			return cause, false
		}
	}
	if c.keys.pick(install) == roleNone {
		return c.fault(nil), false
	}
	c.repeated = false
	_, _ = rand.Read(c.panel[:]) // never fails: the runtime ends the program instead
	return cause, true
}

// command returns CHLNG or SCRYPT.
func (c *channel) command(s step) protocol.Frame {
	own := c.keys.trying != roleDefault
	if s == stepProve {
		return c.handshake.Command(own)
	}
	return protocol.Challenge(own, c.panel)
}

// challenged handles CCRYPT: the reader has our key if its cryptogram is right, and it claims to
// have used that one.
func (c *channel) challenged(f protocol.Frame, now time.Time) verdict {
	if reason, err := f.Reason(); err == nil && reason == protocol.ReasonUnknown {
		c.events.holds(fault.Downgrade, true, now)
	}
	r, err := f.Response()
	if err != nil {
		return c.refused(now)
	}
	own := c.keys.trying != roleDefault
	if h, ok := r.Prove(*c.keys.key(c.keys.trying), c.panel); ok && r.Names(own) {
		c.handshake = h
		return verdict{step: stepProve}
	}
	if _, standard := r.Prove(protocol.DefaultKey(), c.panel); standard && own {
		c.keys.standard = true
	}
	return c.refused(now)
}

// refused goes on to the next key. When all failed twice in a row, and no message was lost
// meanwhile, the reader has another key.
func (c *channel) refused(now time.Time) verdict {
	if c.repeated {
		return verdict{then: backOff, cause: fault.NoAnswer}
	}
	c.keys.trying++
	if c.keys.pick(c.requests.installing(now)) != roleNone {
		return verdict{then: freshly}
	}
	c.keys.rounds++
	v := verdict{then: backOff, cause: c.fault(nil)}
	if c.keys.rounds >= 2 {
		v.then = giveUp
	}
	return v
}

// opened handles RMAC_I: the session is up. It goes on by the key that the reader has.
func (c *channel) opened(f protocol.Frame, now time.Time) verdict {
	s, err := c.handshake.Start(f)
	if err != nil {
		return c.refused(now)
	}
	c.session, c.handshake, c.began = s, nil, now
	k := &c.keys
	k.rounds, k.standard = 0, false
	switch {
	case k.trying == roleDefault:
		if !c.requests.installing(now) || !c.newKey(now) {
			return verdict{then: backOff, cause: fault.DefaultKey}
		}
		return verdict{step: stepKeySet}
	case k.trying == roleNext:
		c.keyProved(now)
		return verdict{then: proved}
	case k.keys.Next != nil && c.newKey(now):
		return verdict{step: stepKeySet}
	}
	return verdict{step: stepRun}
}

// keySet handles the answer to KEYSET, whose ACK may come in clear text. Anything else in clear
// text proves nothing: the reader may have either key.
func (c *channel) keySet(f protocol.Frame, clearText bool, now time.Time) verdict {
	switch {
	case f.Code == protocol.ReplyAck:
		return verdict{then: freshly}
	case clearText:
		return verdict{then: backOff, cause: fault.Refused}
	}
	install := c.keys.trying == roleDefault
	c.keyFailed(fault.Refused, now)
	if install {
		return verdict{then: backOff, cause: fault.DefaultKey}
	}
	return verdict{step: stepRun}
}

// end gives up the session, and a handshake under way.
func (c *channel) end() { c.session, c.handshake = nil, nil }

// old reports whether the session has lasted long enough.
func (c *channel) old(now time.Time) bool { return c.session != nil && now.Sub(c.began) >= sessionLife }

// badMAC counts a wrong MAC; true for the fifth in a minute: that is no accident, and a pause also
// limits how often the four bytes can be guessed.
func (c *channel) badMAC(now time.Time) bool {
	copy(c.badMACs[1:], c.badMACs[:])
	c.badMACs[0] = now
	oldest := c.badMACs[len(c.badMACs)-1]
	if oldest.IsZero() || now.Sub(oldest) >= macMinute {
		return false
	}
	clear(c.badMACs[:])
	return true
}

// fault returns why no key fits.
func (c *channel) fault(err error) fault.Code {
	switch {
	case errors.Is(err, protocol.ErrWeakKey):
		return fault.WeakKey
	case c.keys.standard:
		return fault.DefaultKey
	case c.events.lasting[fault.Downgrade]:
		return fault.Downgrade
	case c.keys.keys.Current == nil && c.keys.keys.Next == nil:
		return fault.NoKey
	}
	return fault.WrongKey
}

// watch reports when the window of Install opens and closes.
func (c *channel) watch(now time.Time) (opened bool) {
	opened, closed := c.requests.watchWindow(now)
	if opened {
		c.keys.restart()
		c.events.log.Info().Msg("install window open")
		c.events.tell(device.Event{Kind: device.InstallOpened}, now)
	}
	if closed {
		c.events.log.Info().Msg("install window closed")
		c.events.tell(device.Event{Kind: device.InstallClosed}, now)
	}
	return opened
}

// closeWindow ends the window: it has served its purpose.
func (c *channel) closeWindow(now time.Time) {
	c.requests.endWindow()
	c.watch(now)
}

// newKey makes the key for KEYSET, and saves it before anybody else can have it. A key that was
// sent under the default key is not sent again, because it may have been read.
func (c *channel) newKey(now time.Time) bool {
	k := &c.keys
	if k.sends >= keySends {
		c.keyFailed(fault.Refused, now)
		return false
	}
	if k.trying == roleDefault || k.keys.Next == nil {
		key := protocol.NewKey()
		if err := k.save(Keys{Current: k.keys.Current, Next: &key}); err != nil {
			c.events.log.Error().Err(err).Msg("new key of reader can't be saved, it is not sent")
			c.keyFailed(fault.IO, now)
			return false
		}
	}
	k.sends++
	c.events.log.Info().Msg("new key goes to reader")
	c.events.tell(device.Event{Kind: device.KeySent}, now)
	return true
}

// keyFailed gives up a new key: only for a reader that just showed that it has another, or when
// nothing was sent.
func (c *channel) keyFailed(cause fault.Code, now time.Time) {
	k := &c.keys
	if k.keys.Next != nil {
		if err := k.save(Keys{Current: k.keys.Current}); err != nil {
			c.events.log.Error().Err(err).Msg("keys of reader can't be saved")
		}
	}
	k.sends = 0
	c.requests.keyFailed(cause)
	c.events.log.Warn().Stringer("fault", cause).Msg("new key of reader failed")
	c.events.tell(device.Event{Kind: device.KeyFailed, Fault: cause}, now)
	c.closeWindow(now)
}

// keyProved makes the new key the only one. If that can't be saved now, the disk still has both,
// and it is saved later.
func (c *channel) keyProved(now time.Time) {
	k := &c.keys
	keys := Keys{Current: k.keys.Next}
	if err := k.save(keys); err != nil {
		c.events.log.Error().Err(err).Msg("keys of reader can't be saved, tried again")
		k.keys, k.dirty = keys, true
	}
	k.sends, k.trying = 0, roleCurrent
	c.events.log.Info().Msg("new key of reader proved")
	c.events.tell(device.Event{Kind: device.KeyProved}, now)
}

// saveLate retries a save that failed.
func (c *channel) saveLate(now time.Time) {
	if k := &c.keys; k.dirty && now.Sub(k.saved) >= saveAgain {
		k.saved = now
		if err := k.save(k.keys); err == nil {
			c.events.log.Info().Msg("keys of reader saved")
		}
	}
}
