package osdp

import (
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

const (
	offlineAfter = 8 * time.Second // of silence (SIA OSDP)
	busyPause    = 250 * time.Millisecond
	firstSetback = 250 * time.Millisecond // doubles up to the most
	mostSetback  = 8 * time.Second
	lostSetbacks = 4 // in a row: the reader can't be used
	settled      = 2 * time.Second
	busFaults    = 10 * time.Second // a fault of the bus is told at most each
	cardFaults   = time.Second      // and one of a card
)

// step is where a reader is on its way from silence to being polled.
type step uint8

const (
	stepIdentify  step = iota // ID
	stepGreet                 // POLL, without which some do not answer ID
	stepCaps                  // CAP
	stepChallenge             // CHLNG
	stepProve                 // SCRYPT
	stepKeySet                // KEYSET
	stepRun                   // POLL, and what there is to do
)

// presence is what the door was told.
type presence uint8

const (
	unknown presence = iota
	away
	here
)

// contact is all that the goroutine of the bus knows of a reader.
type contact struct {
	link    link
	out     outbox
	keypad  device.Keypad
	step    step
	crc     bool // false: the reader is taken to know checksums only
	guessed bool // because it said nothing to a CRC; with crc: PDCAP claims them, and none was answered yet
	address byte
	other   byte // where the reader may be too, after a COMSET without answer

	due         time.Time // of the next command
	missed      int       // answers in a row
	missedSince time.Time
	zeros       int  // of those, in a row, replies with number 0
	absent      bool // silent for so long that it is only probed
	probes      int
	busySince   time.Time
	setbacks    int // attempts in a row that ended in no use of the reader
	nakChecks   int // NAK 1 in a row

	presence presence
	cause    fault.Code // of being away
	lasting  map[fault.Code]bool
	told     map[fault.Code]time.Time

	polled  time.Time // when a POLL was last answered
	fresh   bool      // what the reader reports happened just now
	resumed time.Time // when it stopped being so

	session   *session
	secure    bool      // and the status says so
	began     time.Time // of the session
	handshake *handshake
	panel     [8]byte // our random number
	retried   bool    // something of this handshake was repeated: its failure proves nothing
	badMACs   [5]time.Time
	keys      keyring

	known      bool      // ID and CAP were asked
	found      *Identity // what the reader that is there says it is; nil: it does not say
	identity   *Identity // what the one says that belongs there; nil: none said it yet
	caps       []Capability
	refused    [256]bool // commands that the reader does not know
	complained [256]bool // and that was told
	checked    [len(checks)]time.Time
	saved      time.Time // when a key that the disk did not take was last tried
	errands    int       // commands since the last POLL
	show       showing
	setting    *comSetting
	outputAt   time.Time // of the OUT under way that switches on

	block   [1]byte
	data    [maxCommand]byte // of the command under way
	scratch [maxCommand + 16]byte
}

func newContact(c ReaderConfig) contact {
	return contact{
		out: outbox{source: c.Source, ch: c.Events}, keypad: c.Keypad, crc: true, address: c.Address, other: c.Address,
		absent: true, lasting: map[fault.Code]bool{}, told: map[fault.Code]time.Time{}, keys: keyring{store: c.Keys},
	}
}

// secured says that clear text from this reader is not believed.
func (r *Reader) secured() bool { return r.cfg.Security == SecureRequired }

// reset begins anew with number 0, which ends the session.
func (r *Reader) reset() {
	r.unsure()
	if r.step == stepKeySet {
		r.keys.trying = roleNone // the reader may have the new key
	}
	r.link.restart()
	r.session, r.handshake, r.outputAt = nil, nil, time.Time{}
	switch {
	case !r.known:
		r.step = stepIdentify
	case r.secured():
		r.step = stepChallenge
	default:
		r.step = stepRun
	}
	r.secure = false
	r.note(func(s *Status) { s.Secure = false })
}

// retreat begins anew after something that should not be: at once the first time,
// then ever later, and for a reader that was of no use for a while the door is
// told the cause.
func (r *Reader) retreat(cause fault.Code, now time.Time) {
	r.reset()
	r.setbacks++
	r.due = now
	if r.setbacks > 1 {
		r.due = now.Add(min(firstSetback<<min(r.setbacks-2, 8), mostSetback))
	}
	if r.setbacks >= lostSetbacks || r.presence == here && now.Sub(r.polled) > offlineAfter {
		r.goAway(cause, now)
	}
}

// goAway tells the door that the reader can't be used, once for each cause.
func (r *Reader) goAway(cause fault.Code, now time.Time) {
	r.keypad.Clear()
	r.fresh = false
	r.endSetting(ErrOffline)
	if r.presence == away && r.cause == cause {
		return
	}
	r.presence, r.cause = away, cause
	r.note(func(s *Status) { s.Online, s.Secure, s.Fault = false, false, cause })
	r.log.Warn().Stringer("fault", cause).Msg("reader offline")
	r.out.push(device.Event{Kind: device.WentOffline, Fault: cause}, now)
}

// comeBack tells the door that the reader can be used: a POLL was answered as it
// must be.
func (r *Reader) comeBack(now time.Time) {
	if now.Sub(r.began) >= settled {
		r.setbacks = 0
	}
	secure := r.session != nil
	if r.presence == here && r.secure == secure {
		return
	}
	r.mu.Lock()
	r.status.Online, r.status.Secure, r.status.Fault = true, secure, fault.None
	r.asked.showLasting = true // it may have lost power and forgotten what it showed
	r.mu.Unlock()
	r.secure = secure
	if r.presence == here {
		return
	}
	r.presence, r.cause = here, fault.None
	r.log.Info().Bool("secure", secure).Msg("reader online")
	r.out.push(device.Event{Kind: device.CameOnline}, now)
	for _, f := range []fault.Code{fault.WrongKey, fault.DefaultKey, fault.NoKey, fault.Downgrade} {
		r.holds(f, false, now)
	}
}

// fault tells of something that happened, at most once in every while.
func (r *Reader) fault(f fault.Code, every time.Duration, now time.Time) {
	if last, ok := r.told[f]; ok && now.Sub(last) < every {
		return
	}
	r.told[f] = now
	r.log.Warn().Stringer("fault", f).Msg("reader fault")
	r.out.push(device.Event{Kind: device.FaultSeen, Fault: f}, now)
}

// holds tells of a fault that lasts when it begins and when it ends.
func (r *Reader) holds(f fault.Code, on bool, now time.Time) {
	if r.lasting[f] == on {
		return
	}
	kind := device.FaultCleared
	if on {
		r.log.Warn().Stringer("fault", f).Msg("reader fault")
		kind = device.FaultSeen
		r.lasting[f] = true
	} else {
		delete(r.lasting, f)
	}
	r.out.push(device.Event{Kind: kind, Fault: f, Active: on}, now)
}

// unanswered is a command without a good reply: it is repeated as it is, until
// the reader counts as gone.
func (r *Reader) unanswered(got answer, now time.Time) {
	r.missed++
	r.retried = true
	r.mu.Lock()
	r.status.Retries++
	if got == garbled {
		r.status.BadFrames++
	}
	r.mu.Unlock()
	if r.missed == 1 {
		r.missedSince = now
	}
	if got == garbled {
		r.fault(fault.Noise, busFaults, now)
	}
	r.zeros++
	if got != restart {
		r.zeros = 0
	}
	gone := r.gone(now)
	switch {
	case r.zeros >= 2 && !gone: // the reader forgot everything; once may be an accident
		r.retreat(fault.NoAnswer, now)
	case r.missed%3 == 0 && (gone || r.step != stepRun || r.setting != nil || r.other != r.address || r.claimed()):
		r.seek()
	case r.missed%3 == 2 && r.step == stepIdentify:
		r.reset()
		r.step = stepGreet
	case gone:
	case !r.outputAt.IsZero() && now.Sub(r.outputAt) > staleAfter:
		r.reset() // not repeated any more: it would come too late
	}
}

// seek asks in the other ways that a silent reader may understand: at its other
// address, and with a checksum, since some ignore what has a CRC, and some of those
// claim the contrary in PDCAP. Somebody on the line can bring that about: it takes
// nothing from a secured reader, whose messages have their MAC either way.
func (r *Reader) seek() {
	r.reset()
	r.address, r.other = r.other, r.address
	switch {
	case r.claimed():
		r.crc, r.guessed = false, false // for as long as it is there: what it claims was tried
	case !r.known && (r.address == r.other || r.missed%6 == 0):
		r.crc, r.guessed = !r.crc, r.crc
	}
}

// claimed says that a CRC is used on the word of PDCAP alone.
func (r *Reader) claimed() bool { return r.crc && r.guessed }

// gone tells whether a reader was asked, more than once, and silent for so long
// that it is not there. Then another may come in its place.
func (r *Reader) gone(now time.Time) bool {
	if r.missed < 2 || now.Sub(r.missedSince) < offlineAfter {
		return false
	}
	if r.presence != away || !r.absent {
		r.forget()
		r.goAway(fault.NoAnswer, now)
	}
	return true
}

// forget is for a reader that is gone: another may come in its place.
func (r *Reader) forget() {
	r.known, r.absent, r.crc, r.guessed = false, true, true, false
	r.busySince = time.Time{}
	r.reset()
}

// unsure ends a COMSET without answer: the reader may be at either address.
func (r *Reader) unsure() {
	if r.setting != nil {
		r.other = r.setting.address
		r.endSetting(errNoAnswer)
	}
}

// later is for BUSY.
func (r *Reader) later(now time.Time) {
	r.missed, r.absent = 0, false
	if r.busySince.IsZero() {
		r.busySince = now
	}
	if now.Sub(r.busySince) > offlineAfter {
		r.busySince = time.Time{}
		r.retreat(fault.NoAnswer, now)
		return
	}
	r.due = now.Add(busyPause)
}
