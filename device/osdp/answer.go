package osdp

import (
	"fmt"
	"time"

	"gatehouse/device/fault"
	"gatehouse/device/osdp/protocol"
)

// answer handles a reply to the pending command.
func (c *contact) answer(f protocol.Frame, now time.Time) {
	c.presence.ready()
	if c.reach.answered() {
		c.reader.note(func(s *Status) { s.Address = c.reach.address })
	}
	if f.Code == protocol.ReplyNak && !f.Block.HasMAC() {
		if reason, err := f.Reason(); err == nil && reason == protocol.ReasonCheck {
			c.misheard(now)
			return
		}
	}
	c.reach.understood()
	code := c.link.answered()
	c.reader.note(func(s *Status) { s.Commands++ })
	session := c.channel.session
	switch {
	case session == nil && f.Block.HasMAC():
		c.backOff(fault.BadMAC, now) // of a session that we don't have
	case session == nil:
		c.took(code, f, !c.secured(), now)
	case !f.Block.HasMAC():
		c.inClear(code, f, now)
	default:
		encrypted, err := session.Open(&f)
		if err != nil {
			c.badMAC(now)
			return
		}
		c.took(code, f, encrypted, now)
	}
}

// personalReply reports whether a reply contains a card or keys.
func personalReply(code byte) bool {
	return code == protocol.ReplyRaw || code == protocol.ReplyFmt || code == protocol.ReplyKeypad
}

// misheard handles NAK 1: the command is repeated unchanged; a reader that goes on so may know only
// the other check.
func (c *contact) misheard(now time.Time) {
	c.channel.repeated = true
	if c.due = now; c.reach.misheard() {
		c.backOff(fault.Refused, now)
	}
}

// clearText refuses clear text from a reader that must be secured.
func (c *contact) clearText(now time.Time) {
	c.events.fault(fault.ClearText, cardFaults, now)
	c.backOff(fault.ClearText, now)
}

// inClear handles a reply without MAC in a session. A NAK means that the reader lost the session,
// as after a loss of power: it is made anew at once. An ACK may end KEYSET. Nothing else is
// legitimate.
func (c *contact) inClear(code byte, f protocol.Frame, now time.Time) {
	switch {
	case code == protocol.CmdKeySet && (f.Code == protocol.ReplyAck || f.Code == protocol.ReplyNak):
		c.follow(c.channel.keySet(f, true, now), now)
	case f.Code == protocol.ReplyNak:
		c.backOff(fault.Refused, now)
	default:
		c.clearText(now)
	}
}

// badMAC ends a session after a message with a wrong MAC. After several the reader pauses for a
// while.
func (c *contact) badMAC(now time.Time) {
	c.reader.note(func(s *Status) { s.BadMACs++ })
	c.events.fault(fault.BadMAC, cardFaults, now)
	rest := c.channel.badMAC(now)
	c.backOff(fault.BadMAC, now)
	if rest {
		c.goOffline(fault.BadMAC, now)
		c.due = now.Add(macPause)
	}
}

// took handles a reply with the right MAC, or outside a session. private: it may have cards and
// keys, because it was encrypted, or need not be.
func (c *contact) took(code byte, f protocol.Frame, private bool, now time.Time) {
	if !private && personalReply(f.Code) {
		c.clearText(now)
		return
	}
	switch c.step {
	case stepIdentify:
		if reason, err := f.Reason(); err == nil && reason == protocol.ReasonSequence {
			c.backOff(fault.Refused, now)
			return
		}
		c.step = stepCaps
		c.equipment.identify(f, now)
	case stepGreet: // NAK, or a card from before: the reader is there
		c.step = stepIdentify
	case stepCaps:
		c.reach.claims(c.equipment.describe(f, c.secured(), now))
		c.step = c.first()
	case stepChallenge:
		c.follow(c.channel.challenged(f, now), now)
	case stepProve:
		c.follow(c.channel.opened(f, now), now)
	case stepKeySet:
		c.follow(c.channel.keySet(f, false, now), now)
	default:
		c.ran(code, f, now)
	}
}

// follow acts on the verdict of a step of the secure channel.
func (c *contact) follow(v verdict, now time.Time) {
	switch v.then {
	case goOn:
		c.step = v.step
		if c.step == stepKeySet && c.channel.keys.trying == roleDefault {
			c.equipment.known = false // before the key is proved: another reader may have come in its place so fast that its identity was not asked
		}
	case freshly:
		c.reset()
	case backOff:
		c.backOff(v.cause, now)
	case giveUp:
		c.backOff(v.cause, now)
		c.events.holds(v.cause, true, now)
		c.goOffline(v.cause, now)
	case proved:
		c.step = stepRun
		c.equipment.adopt(now)
		c.reader.note(func(s *Status) { s.Secure = true }) // before the window closes, for those who wait for that
		c.channel.closeWindow(now)
		c.events.holds(fault.WeakKey, false, now)
	}
}

// ran handles a reply while the reader is being polled. Reports come in answer to POLL, but are as
// true in any other answer.
func (c *contact) ran(code byte, f protocol.Frame, now time.Time) {
	if f.Code == protocol.ReplyNak {
		c.nak(code, f, now)
		return
	}
	if code == protocol.CmdPoll {
		nothing := f.Code == protocol.ReplyAck
		c.input.polled(now.Sub(c.presence.polled), nothing, now)
		c.presence.polled = now
		c.goOnline(now)
		if !nothing {
			c.due = now // there may be more
		}
	}
	c.input.take(f, now)
	if code == protocol.CmdComSet {
		c.configured(f, now)
	}
}

// nak handles a refusal while the reader is being polled. It ends a task.
func (c *contact) nak(code byte, f protocol.Frame, now time.Time) {
	reason, err := f.Reason()
	if err != nil {
		reason = protocol.ReasonUnknown
	}
	if code == protocol.CmdComSet && c.reader.requests.configuring() != nil {
		c.reader.requests.configured(fmt.Errorf("reader refuses COMSET: %v", reason))
	}
	switch {
	case reason == protocol.ReasonSequence, reason == protocol.ReasonBlock, reason == protocol.ReasonSecurity, code == protocol.CmdPoll:
		c.backOff(fault.Refused, now)
	case c.equipment.refuse(code, reason):
		name := protocol.Frame{Code: code}.Name()
		c.events.log.Warn().Str("command", name).Stringer("reason", reason).Msg("reader refuses")
		c.events.fault(fault.Refused, 0, now)
	}
}

// configured handles the answer to COMSET: it came with the old address, the next command goes to
// the new one.
func (c *contact) configured(f protocol.Frame, now time.Time) {
	asked := c.reader.requests.configuring()
	if asked == nil {
		return
	}
	address, baud, err := f.Com()
	if f.Code != protocol.ReplyCom || err != nil {
		c.reader.requests.configured(fmt.Errorf("reader answers COMSET by %s", f.Name()))
		return
	}
	if address != asked.address || baud != asked.baud {
		err = fmt.Errorf("reader took address %d and %d baud", address, baud)
	}
	if address < protocol.ConfigAddress {
		c.reach.moved(address)
		c.reader.note(func(s *Status) { s.Address = address })
	}
	c.reader.requests.configured(err)
	c.reset()
	c.due = now
}
