package osdp

import (
	"time"

	"gatehouse/device/fault"
	"gatehouse/device/osdp/protocol"
)

// checks are polled now and then, because not every reader reports them by itself.
var checks = [...]struct {
	code, function byte // function of PDCAP that says that the check exists; 0: always
	every          time.Duration
}{
	{protocol.CmdLStat, 0, 10 * time.Second},
	{protocol.CmdIStat, protocol.CapInputs, time.Minute},
	{protocol.CmdOStat, protocol.CapOutputs, time.Minute},
	{protocol.CmdRStat, protocol.CapReaders, time.Minute},
}

// equipment is what a reader claims to be and to have. It never decides whether to use encryption,
// because anybody on the line can write it. For one goroutine.
type equipment struct {
	reader     *Reader
	events     *reporter
	known      bool               // ID and CAP were asked
	found      *protocol.Identity // of the reader that is there; nil: it does not say
	belongs    *protocol.Identity // of the reader that belongs there; nil: none said it yet
	caps       []protocol.Capability
	refused    [256]bool // commands that the reader does not know
	complained [256]bool // refused commands that were reported
	checked    [len(checks)]time.Time
}

// identify handles the answer to ID. A reader that answers ID only in a session stays unnamed.
func (e *equipment) identify(f protocol.Frame, now time.Time) {
	e.found = nil
	id, err := f.Identity()
	if err != nil {
		return
	}
	e.found = &id
	if e.belongs == nil {
		e.adopt(now)
		return
	}
	b := e.belongs
	e.events.holds(fault.OtherReader, id.Vendor != b.Vendor || id.Model != b.Model || id.Serial != b.Serial, now)
}

// adopt makes the reader that is there the one that belongs there: the first that
// was found, or one that was just given its key.
func (e *equipment) adopt(now time.Time) {
	var id protocol.Identity
	if e.belongs = e.found; e.found != nil {
		id = *e.found
	}
	e.reader.note(func(s *Status) { s.Identity = id })
	e.events.log.Info().Stringer("identity", id).Msg("reader found")
	e.events.holds(fault.OtherReader, false, now)
}

// describe handles the answer to CAP, and reports whether the reader claims CRCs.
func (e *equipment) describe(f protocol.Frame, secured bool, now time.Time) (crc bool) {
	e.known = true
	clear(e.refused[:])
	clear(e.checked[:])
	caps, err := f.Capabilities()
	if err != nil {
		return false
	}
	e.caps = caps
	e.reader.note(func(s *Status) { s.Capabilities = caps })
	if secured && e.capability(protocol.CapSecurity).Compliance&1 == 0 {
		e.events.holds(fault.Downgrade, true, now)
	}
	return e.has(protocol.CapCheck)
}

// capability returns what the reader claims about a function; zero: nothing.
func (e *equipment) capability(function byte) protocol.Capability {
	for _, c := range e.caps {
		if c.Function == function {
			return c
		}
	}
	return protocol.Capability{}
}

// has reports whether the reader claims to have any of a thing.
func (e *equipment) has(function byte) bool {
	c := e.capability(function)
	return c.Count > 0 || c.Compliance > 0
}

// refuse handles a NAK to a command; true: it is to be reported. A command that the reader does not
// know is not sent again until the next contact.
func (e *equipment) refuse(code byte, reason protocol.Reason) bool {
	if reason == protocol.ReasonUnknown {
		e.refused[code] = true
	}
	for _, c := range checks {
		if c.code == code {
			return false // a question that no reader has to know
		}
	}
	told := e.complained[code]
	e.complained[code] = true
	return !told
}

// check returns the next check that is due; 0: none.
func (e *equipment) check(now time.Time) byte {
	for i, c := range checks {
		if now.Sub(e.checked[i]) < c.every || e.refused[c.code] || c.function != 0 && !e.has(c.function) {
			continue
		}
		e.checked[i] = now
		return c.code
	}
	return 0
}
