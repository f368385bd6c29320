package osdp

import (
	"errors"
	"fmt"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// answer takes a reply to the command under way.
func (r *Reader) answer(f Frame, now time.Time) {
	r.missed, r.zeros, r.absent, r.busySince = 0, 0, false, time.Time{}
	if r.other != r.address {
		r.other = r.address
		r.note(func(s *Status) { s.Address = r.address })
	}
	clearNak := f.Code == replyNak && !f.Block.HasMAC()
	if clearNak && len(f.Data) > 0 && f.Data[0] == nakCheck {
		r.misheard(now)
		return
	}
	r.nakChecks = 0
	r.guessed = r.guessed && !r.crc // a CRC that was answered is no guess any more
	code := r.link.code
	r.link.answered()
	r.outputAt = time.Time{}
	r.mu.Lock()
	r.status.Commands++
	r.mu.Unlock()
	switch {
	case r.session == nil && f.Block.HasMAC():
		r.retreat(fault.BadMAC, now) // of a session that we don't have
		return
	case r.session != nil && !f.Block.HasMAC():
		r.inClear(code, f, now)
		return
	case r.session != nil:
		encrypted, err := r.session.open(&f)
		if err != nil {
			r.badMAC(now)
			return
		}
		if !encrypted && personalReply(f.Code) {
			r.clearText(now)
			return
		}
	case r.secured() && personalReply(f.Code):
		r.clearText(now)
		return
	}
	r.took(code, f, now)
}

// personalReply says that a reply has a card or keys in it.
func personalReply(code byte) bool {
	return code == replyRaw || code == replyFmt || code == replyKeypad
}

// clearText refuses what a reader that must be secured said in the clear.
func (r *Reader) clearText(now time.Time) {
	r.fault(fault.ClearText, cardFaults, now)
	r.retreat(fault.ClearText, now)
}

// inClear is a reply without MAC in a session. A NAK says that the reader lost the
// session, as after a loss of power: it is made anew at once. An ACK may end
// KEYSET. All else should not be.
func (r *Reader) inClear(code byte, f Frame, now time.Time) {
	switch {
	case code == cmdKeySet && (f.Code == replyAck || f.Code == replyNak):
		r.keySet(f, true, now)
	case f.Code == replyNak:
		r.retreat(fault.Refused, now)
	default:
		r.clearText(now)
	}
}

// misheard is for NAK 1: the command is repeated as it is; a reader that goes on
// so may know checksums only.
func (r *Reader) misheard(now time.Time) {
	r.retried = true
	r.nakChecks++
	if r.nakChecks < 3 {
		r.due = now
		return
	}
	r.nakChecks = 0
	r.crc, r.guessed = !r.crc, false
	r.retreat(fault.Refused, now)
}

// took handles a reply that is as protected as it must be.
func (r *Reader) took(code byte, f Frame, now time.Time) {
	switch r.step {
	case stepIdentify:
		r.identify(f, now)
	case stepGreet: // whatever it was, NAK or a card from before: it is there
		r.step = stepIdentify
	case stepCaps:
		r.capable(f, now)
	case stepChallenge:
		r.challenged(f, now)
	case stepProve:
		r.proved(f, now)
	case stepKeySet:
		r.keySet(f, false, now)
	default:
		r.ran(code, f, now)
	}
}

// identify takes the answer to ID. A reader that answers ID only in a session
// stays unnamed.
func (r *Reader) identify(f Frame, now time.Time) {
	if f.Code == replyNak && len(f.Data) > 0 && f.Data[0] == nakSequence {
		r.retreat(fault.Refused, now)
		return
	}
	r.step, r.found = stepCaps, nil
	id, err := parsePDID(f.Data)
	if f.Code != replyPDID || err != nil {
		return
	}
	r.found = &id
	if r.identity == nil {
		r.adopt(now)
		return
	}
	other := id.Vendor != r.identity.Vendor || id.Model != r.identity.Model || id.Serial != r.identity.Serial
	r.holds(fault.OtherReader, other, now)
}

// adopt makes the reader that is there the one that belongs there: the first that
// was found, or one that was just given its key.
func (r *Reader) adopt(now time.Time) {
	r.identity = r.found
	var id Identity
	if r.found != nil {
		id = *r.found
	}
	r.note(func(s *Status) { s.Identity = id })
	r.log.Info().Stringer("identity", id).Msg("reader found")
	r.holds(fault.OtherReader, false, now)
}

// capable takes the answer to CAP. It never decides whether to use encryption:
// anybody on the line can write it.
func (r *Reader) capable(f Frame, now time.Time) {
	r.known = true
	caps, err := parsePDCap(f.Data)
	if f.Code == replyPDCap && err == nil {
		r.caps = caps
		r.note(func(s *Status) { s.Capabilities = caps })
		if r.guessed && r.can(capCheck) {
			r.crc = true // perhaps it was silent for another reason: see seek
		}
		if r.secured() && !encrypts(caps) {
			r.holds(fault.Downgrade, true, now)
		}
	}
	clear(r.refused[:])
	clear(r.checked[:])
	r.step = stepRun
	if r.secured() {
		r.step = stepChallenge
	}
}

func encrypts(caps []Capability) bool {
	for _, c := range caps {
		if c.Function == capSecurity && c.Compliance&1 != 0 {
			return true
		}
	}
	return false
}

// ran takes a reply while the reader is being polled. What a reader reports comes
// by POLL, but is as true in answer to anything else.
func (r *Reader) ran(code byte, f Frame, now time.Time) {
	if f.Code == replyNak {
		r.nak(code, f, now)
		return
	}
	if code == cmdPoll {
		r.freshen(f, now)
		r.comeBack(now)
		if f.Code != replyAck {
			r.due = now // there may be more
		}
	}
	switch f.Code {
	case replyRaw:
		r.card(parseRaw, f, now)
	case replyFmt:
		r.card(parseFmt, f, now)
	case replyKeypad:
		r.pressed(f, now)
	case replyLStat:
		r.localStatus(f, now)
	case replyIStat:
		r.note(func(s *Status) { s.Inputs = flags(f.Data) })
	case replyOStat:
		r.note(func(s *Status) { s.Outputs = flags(f.Data) })
	case replyCom:
		r.configured(code, f, now)
	}
	if code == cmdComSet && r.setting != nil {
		r.endSetting(fmt.Errorf("reader answers COMSET by %s", f.Name()))
	}
}

// nak is a refusal while the reader is being polled. It ends an errand; a command
// that the reader does not know is not sent again until the next contact.
func (r *Reader) nak(code byte, f Frame, now time.Time) {
	reason, err := nakReason(f.Data)
	if err != nil {
		reason = nakUnknown
	}
	if code == cmdComSet && r.setting != nil {
		r.endSetting(errors.New("reader refuses COMSET: " + nakText(reason)))
	}
	if reason == nakSequence || reason == nakBlock || reason == nakSecurity || code == cmdPoll {
		r.retreat(fault.Refused, now)
		return
	}
	if reason == nakUnknown {
		r.refused[code] = true
	}
	if asking(code) || r.complained[code] {
		return
	}
	r.complained[code] = true
	name := Frame{Code: code}.Name()
	r.log.Warn().Str("command", name).Str("reason", nakText(reason)).Msg("reader refuses")
	r.fault(fault.Refused, 0, now)
}

// asking says that a command is a question that no reader has to know.
func asking(code byte) bool {
	return code == cmdLStat || code == cmdIStat || code == cmdOStat || code == cmdRStat
}

// freshen keeps whether what the reader reports happened just now. After a pause
// it may report what happened in it: that counts for nothing until it says once
// that it has no more.
func (r *Reader) freshen(f Frame, now time.Time) {
	if now.Sub(r.polled) > staleAfter {
		r.fresh, r.resumed = false, now
	}
	r.polled = now
	if f.Code == replyAck || now.Sub(r.resumed) > offlineAfter {
		r.fresh = true
	}
}

func (r *Reader) card(parse func([]byte) (device.Card, error), f Frame, now time.Time) {
	card, err := parse(f.Data)
	clear(f.Data)
	switch {
	case err != nil:
		r.fault(fault.Length, cardFaults, now)
	case !r.fresh:
		r.fault(fault.Stale, cardFaults, now)
	case r.cfg.Check != nil && r.cfg.Check(card) != fault.None:
		r.fault(r.cfg.Check(card), cardFaults, now)
	default:
		r.keypad.Clear() // somebody begins anew
		r.out.push(device.Event{Kind: device.CardRead, Card: card}, now)
	}
}

func (r *Reader) pressed(f Frame, now time.Time) {
	defer clear(f.Data)
	keys, err := parseKeypad(f.Data)
	at := now.Sub(time.Time{}) // any steady clock will do
	if err != nil {
		r.keypad.Spoil(at)
		r.fault(fault.KeyBurst, cardFaults, now)
		return
	}
	if !r.fresh {
		r.keypad.Spoil(at)
		r.fault(fault.Stale, cardFaults, now)
		return
	}
	for _, wire := range keys {
		key := keyOf(wire)
		if key == 0 {
			r.fault(fault.KeyBurst, cardFaults, now)
		}
		if pin, ok := r.keypad.Press(key, at); ok {
			r.out.push(device.Event{Kind: device.PINEntered, PIN: pin}, now)
		}
	}
}

func (r *Reader) localStatus(f Frame, now time.Time) {
	tamper, power, err := parseLStat(f.Data)
	if err != nil {
		r.fault(fault.Length, busFaults, now)
		return
	}
	r.note(func(s *Status) { s.Tamper, s.PowerFailure = tamper, power })
	r.holds(fault.Tamper, tamper, now)
	r.holds(fault.Power, power, now)
}

func flags(b []byte) []bool {
	all := make([]bool, len(b))
	for i, v := range b {
		all[i] = v != 0
	}
	return all
}

// configured takes COM: it came with the old address, the next command goes to the
// new one.
func (r *Reader) configured(code byte, f Frame, now time.Time) {
	address, baud, err := parseCom(f.Data)
	if code != cmdComSet || r.setting == nil || err != nil {
		return
	}
	asked := r.setting
	if address != asked.address || baud != asked.baud {
		err = fmt.Errorf("reader took address %d and %d baud", address, baud)
	}
	if address < ConfigAddress {
		r.address, r.other = address, address
		r.note(func(s *Status) { s.Address = address })
	}
	r.endSetting(err)
	r.reset()
	r.due = now
}
