package osdp

import (
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/osdp/protocol"
)

// step is the stage of a reader on its way from silence to being polled.
type step uint8

const (
	stepIdentify  step = iota // ID
	stepGreet                 // POLL, without which some do not answer ID
	stepCaps                  // CAP
	stepChallenge             // CHLNG
	stepProve                 // SCRYPT
	stepKeySet                // KEYSET
	stepRun                   // POLL, and the tasks
)

// mostTasks is how many commands may go between two POLLs. Cards wait for them, at 9600 baud behind
// the tasks of 15 other readers, and a card that waited for 2 s is stale.
const mostTasks = 1

// contact is the panel's conversation with one reader: it chooses each command and
// takes each answer. For the goroutine of the bus.
type contact struct {
	reader  *Reader
	events  *reporter
	due     time.Time // of the next command
	step    step
	link    link
	reach   reach
	channel channel
	secure  bool // as told by the status

	presence  presence
	equipment equipment
	indicator indicator
	input     input

	tasks   int // commands since the last POLL
	data    [maxCommand]byte
	scratch [maxCommand + 16]byte
}

func newContact(c ReaderConfig, log zerolog.Logger, wake chan<- struct{}) *contact {
	r, events := newReader(c, wake), newReporter(c, log)
	return &contact{
		reader: r, events: events, reach: newReach(c.Address), presence: presence{absent: true},
		channel:   channel{requests: &r.requests, events: events, keys: keyring{store: c.Keys}},
		indicator: indicator{profile: c.Indications},
		equipment: equipment{reader: r, events: events},
		input:     input{reader: r, events: events, keypad: c.Keypad},
	}
}

// secured reports whether clear text from this reader is refused.
func (c *contact) secured() bool { return !c.reader.cfg.ClearText }

// usable reports whether the reader is online, with a status that tells how it is protected.
func (c *contact) usable() bool {
	return c.presence.standing == online && c.secure == (c.channel.session != nil)
}

// reset begins anew with number 0, which ends the session.
func (c *contact) reset() {
	if s := c.reader.requests.configuring(); s != nil { // without an answer the reader may be at either address
		c.reach.other = s.address
		c.reader.requests.configured(errNoAnswer)
	}
	if c.step == stepKeySet {
		c.channel.keys.trying = roleNone // the reader may have the new key
	}
	c.link.restart()
	c.channel.end()
	c.step = c.first()
	c.secure = false
	c.reader.note(func(s *Status) { s.Secure = false })
}

// first returns the step after number 0.
func (c *contact) first() step {
	switch {
	case !c.equipment.known:
		return stepIdentify
	case c.secured():
		return stepChallenge
	}
	return stepRun
}

// backOff begins anew after an error: at once the first time, then ever later. The door is told the
// cause if the reader was of no use for a while.
func (c *contact) backOff(cause fault.Code, now time.Time) {
	c.reset()
	due, lost := c.presence.backoff(now)
	if c.due = due; lost {
		c.goOffline(cause, now)
	}
}

// goOffline tells the door that the reader can't be used, once for each cause.
func (c *contact) goOffline(cause fault.Code, now time.Time) {
	c.input.end()
	c.reader.requests.configured(ErrOffline)
	p := &c.presence
	if p.standing == offline && p.cause == cause {
		return
	}
	p.standing, p.cause = offline, cause
	c.reader.note(func(s *Status) { s.Online, s.Secure, s.Fault = false, false, cause })
	c.events.log.Warn().Stringer("fault", cause).Msg("reader offline")
	c.events.tell(device.Event{Kind: device.WentOffline, Fault: cause}, now)
}

// goOnline tells the door that the reader can be used: a POLL was answered properly.
func (c *contact) goOnline(now time.Time) {
	p := &c.presence
	if now.Sub(c.channel.began) >= settled {
		p.failures = 0
	}
	if c.usable() {
		return
	}
	c.secure = c.channel.session != nil
	c.reader.requests.showAgain()
	c.reader.note(func(s *Status) { s.Online, s.Secure, s.Fault = true, c.secure, fault.None })
	if p.standing == online {
		return
	}
	p.standing, p.cause = online, fault.None
	c.events.log.Info().Bool("secure", c.secure).Msg("reader online")
	c.events.tell(device.Event{Kind: device.CameOnline}, now)
	for _, f := range []fault.Code{fault.WrongKey, fault.DefaultKey, fault.NoKey, fault.Downgrade} {
		c.events.holds(f, false, now)
	}
}

// unanswered handles a command without a good reply: it is repeated unchanged until the reader
// counts as gone.
func (c *contact) unanswered(got answer, now time.Time) {
	p := &c.presence
	c.channel.repeated = true
	p.miss(got, now)
	c.reader.note(func(s *Status) { s.Retries++ })
	if got == garbled {
		c.reader.note(func(s *Status) { s.BadFrames++ })
		c.events.fault(fault.Noise, busFaults, now)
	}
	gone := c.gone(now)
	switch {
	case p.zeros >= 2 && !gone: // the reader forgot everything; once may be an accident
		c.backOff(fault.NoAnswer, now)
	case p.missed%3 == 0 && (gone || c.step != stepRun || c.reader.requests.configuring() != nil || c.reach.other != c.reach.address || c.reach.claimed()):
		c.reset()
		c.reach.rotate(c.equipment.known, p.missed)
	case p.missed%3 == 2 && c.step == stepIdentify:
		c.reset()
		c.step = stepGreet
	}
}

// gone reports whether the reader is absent. Another may come in its place then.
func (c *contact) gone(now time.Time) bool {
	if !c.presence.silent(now) {
		return false
	}
	if c.presence.standing != offline || !c.presence.absent {
		c.forget()
		c.goOffline(fault.NoAnswer, now)
	}
	return true
}

// forget resets what is known of a reader that is gone: another may come in its place.
func (c *contact) forget() {
	c.equipment.known, c.presence.absent, c.presence.busySince = false, true, time.Time{}
	c.reach.forget()
	c.reset()
}

// portGone reports the fault of a reader whose port is gone.
func (c *contact) portGone(code fault.Code, now time.Time) {
	p := &c.presence
	if p.standing != offline || p.cause != fault.Unplugged || code != fault.Missing {
		c.goOffline(code, now)
	}
	c.forget()
	p.missed = 0
}

// busy handles BUSY.
func (c *contact) busy(now time.Time) {
	if c.presence.busy(now) {
		c.backOff(fault.NoAnswer, now)
		return
	}
	c.due = now.Add(busyPause)
}

// keep handles timeouts: the reader's absence, the window of Install, and waiting events.
func (c *contact) keep(now time.Time) {
	c.gone(now)
	if c.channel.watch(now) {
		c.presence.failures = 0
		if c.presence.standing != online {
			c.due = now
		}
	}
	c.events.flush(now)
}

// urgent reports whether a request can be sent at once.
func (c *contact) urgent() bool {
	return c.presence.standing == online && !c.link.waiting() && c.tasks < mostTasks && c.step == stepRun &&
		(c.indicator.showing() || c.reader.requests.any())
}

// prepare prepares a command: the pending one, or a new one. False: there is nothing to send now.
func (c *contact) prepare(now time.Time) bool {
	if c.link.waiting() {
		return true
	}
	if c.channel.old(now) {
		c.reset()
	}
	if c.step == stepChallenge && !c.challenge(now) {
		return false
	}
	f := c.choose(now)
	f.Address, f.CRC = c.reach.address, c.reach.crc
	err := c.link.put(f, c.channel.session, c.scratch[:])
	if err != nil {
		c.events.log.Error().Err(err).Msg("command can't be written")
		c.backOff(fault.Refused, now)
	}
	return err == nil
}

// challenge begins a handshake with number 0: a reader would answer the old number from its memory.
// False: there is no key to try, until somebody opens the window.
func (c *contact) challenge(now time.Time) bool {
	cause, ok := c.channel.challenge(now)
	if cause != fault.None {
		c.events.holds(cause, true, now)
		c.goOffline(cause, now)
		c.due = now.Add(keyPause)
	}
	if ok {
		c.reset()
	}
	return ok
}

// choose returns the next new command.
func (c *contact) choose(now time.Time) protocol.Frame {
	switch c.step {
	case stepIdentify:
		return protocol.Frame{Code: protocol.CmdID, Data: append(c.data[:0], 0)}
	case stepCaps:
		return protocol.Frame{Code: protocol.CmdCap, Data: append(c.data[:0], 0)}
	case stepChallenge, stepProve:
		return c.channel.command(c.step)
	case stepKeySet:
		return c.keySet()
	}
	if c.usable() && c.tasks < mostTasks {
		if f := c.task(now); f.Code != 0 {
			c.tasks++
			return f
		}
	}
	c.tasks = 0
	return protocol.Frame{Code: protocol.CmdPoll}
}

func (c *contact) keySet() protocol.Frame {
	return protocol.Frame{Code: protocol.CmdKeySet, Data: protocol.AppendKeySet(c.data[:0], c.channel.keys.keys.Next)}
}

// task returns the most urgent task; code 0: none.
func (c *contact) task(now time.Time) (f protocol.Frame) {
	for {
		q := c.reader.requests.next(c.indicator.showing(), now)
		if q.show {
			c.indicator.begin(q.feedback)
		}
		switch {
		case q.show, q.goOn:
			if f.Code, f.Data = c.indicator.next(&c.equipment, c.data[:0]); f.Code != 0 {
				return f
			}
		case q.setting != nil:
			return protocol.Frame{Code: protocol.CmdComSet, Data: protocol.AppendComSet(c.data[:0], q.setting.address, q.setting.baud)}
		case q.rekey:
			if c.channel.session != nil && c.channel.newKey(now) {
				c.step = stepKeySet
				return c.keySet()
			}
		default:
			c.channel.saveLate(now)
			return protocol.Frame{Code: c.equipment.check(now)}
		}
	}
}
