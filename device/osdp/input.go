package osdp

import (
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/osdp/protocol"
)

// input handles cards, keys and tamper of a reader. What happened before the reader was polled does
// not count. For one goroutine.
type input struct {
	reader  *Reader
	events  *reporter
	keypad  device.Keypad
	fresh   bool      // reports are of things that happened just now
	resumed time.Time // when fresh became false
}

// end drops unfinished input, because the reader can't be used any more.
func (i *input) end() {
	i.keypad.Clear()
	i.fresh = false
}

// polled updates whether reports are of things that happened just now. After a pause a reader may
// report what happened in it: that does not count until the reader has said once that it has no
// more.
func (i *input) polled(pause time.Duration, nothing bool, now time.Time) {
	if pause > staleAfter {
		i.fresh, i.resumed = false, now
	}
	if nothing || now.Sub(i.resumed) > offlineAfter {
		i.fresh = true
	}
}

// take handles a report.
func (i *input) take(f protocol.Frame, now time.Time) {
	switch f.Code {
	case protocol.ReplyRaw, protocol.ReplyFmt:
		i.card(f, now)
	case protocol.ReplyKeypad:
		i.keys(f, now)
	case protocol.ReplyLStat:
		tamper, power, err := f.LocalStatus()
		if err != nil {
			i.events.fault(fault.Length, busFaults, now)
			return
		}
		i.reader.note(func(s *Status) { s.Tamper, s.PowerFailure = tamper, power })
		i.events.holds(fault.Tamper, tamper, now)
		i.events.holds(fault.Power, power, now)
	case protocol.ReplyIStat:
		i.reader.note(func(s *Status) { s.Inputs = flags(f.Data) })
	case protocol.ReplyOStat:
		i.reader.note(func(s *Status) { s.Outputs = flags(f.Data) })
	}
}

func (i *input) card(f protocol.Frame, now time.Time) {
	card, err := f.Card()
	clear(f.Data)
	code := fault.None
	switch check := i.reader.cfg.Check; {
	case err != nil:
		code = fault.Length
	case !i.fresh:
		code = fault.Stale
	case check != nil:
		code = check(card)
	}
	if code != fault.None {
		i.events.fault(code, cardFaults, now)
		return
	}
	i.keypad.Clear() // typing starts anew
	i.events.tell(device.Event{Kind: device.CardRead, Card: card}, now)
}

func (i *input) keys(f protocol.Frame, now time.Time) {
	var buf [device.MaxPIN]byte
	keys, err := f.Keys(buf[:0])
	clear(f.Data)
	defer clear(keys)
	at := now.Sub(time.Time{}) // any steady clock will do
	if err != nil || !i.fresh {
		code := fault.Stale
		if err != nil {
			code = fault.KeyBurst
		}
		i.keypad.Spoil(at)
		i.events.fault(code, cardFaults, now)
		return
	}
	for _, key := range keys {
		if key == 0 {
			i.events.fault(fault.KeyBurst, cardFaults, now)
		}
		if pin, ok := i.keypad.Press(key, at); ok {
			i.events.tell(device.Event{Kind: device.PINEntered, PIN: pin}, now)
		}
	}
}

func flags(b []byte) []bool {
	all := make([]bool, len(b))
	for i, v := range b {
		all[i] = v != 0
	}
	return all
}
