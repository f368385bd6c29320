package door

import (
	"maps"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/sync/wire"
)

// devices are the states of a door's readers and inputs. Its methods report whether a state
// changed. For one goroutine, but published states are never changed.
type devices struct {
	status  map[string]DeviceStatus
	repeats *repeats
}

// faulty shows a fault at its reader, unless the shown one says more; for a reader that is out of
// order, the cause.
func (d *devices) faulty(e device.Event) bool {
	last := d.status[e.Source]
	gone := !last.Online && last.Fault != fault.None
	return !last.tellsMore(e.Fault) && (!gone || e.Active) && d.set(e.Source, last.Online, e.Fault)
}

// tellsMore reports whether f is only a consequence of the shown fault: with a cut or swapped cable
// every frame has a wrong length, too.
func (s DeviceStatus) tellsMore(f fault.Code) bool {
	if s.Fault != fault.Cable && s.Fault != fault.Swapped || time.Since(s.At) > window {
		return false
	}
	return f == fault.Length || f == fault.Parity || f == fault.Trailing
}

// cleared shows that a lasting fault is over.
func (d *devices) cleared(e device.Event) bool {
	last := d.status[e.Source]
	return last.Fault == e.Fault && d.set(e.Source, last.Online, fault.None)
}

// reads shows that a reader works: its fault has passed.
func (d *devices) reads(id string) bool {
	return d.status[id].Fault != fault.None && d.set(id, true, fault.None)
}

// set changes the state of a reader or input. A present fault outweighs a past one.
func (d *devices) set(id string, online bool, f fault.Code) bool {
	s := DeviceStatus{Online: online, Fault: f, At: time.Now()}
	if there := d.repeats.newest(id); online && there != fault.None {
		s.Fault, s.Lasts = there, true
	}
	d.status = maps.Clone(d.status)
	d.status[id] = s
	return true
}

// records writes the entries of one door that nobody waits for.
type records struct {
	door string
	to   Recorder
}

func (r records) queue(h wire.Header, w wire.Who) wire.Ref {
	h.Door = r.door
	return r.to.Queue(h, w)
}

// lock drives the door's lock and keeps its error. For one goroutine.
type lock struct {
	to      device.Lock
	records records
	log     zerolog.Logger
	err     string   // why the last drive failed; empty: it did not
	grant   wire.Ref // the entry of the last grant
}

func (l *lock) drive(release bool) error {
	act := l.to.Secure
	if release {
		act = l.to.Release
	}
	err := act()
	if err == nil {
		l.err = ""
		return nil
	}
	if err.Error() != l.err { // it is repeated every second
		l.log.Error().Err(err).Bool("release", release).Msg("lock can't be driven")
	}
	if l.err == "" {
		l.records.queue(wire.Header{Kind: wire.KindFault, Reason: wire.Reason(fault.OutputRefused), Source: "relay"}, wire.Who{})
	}
	l.err = err.Error()
	return err
}

// entry returns the entry of an act, by an input, with what it refers to. refused: the lock did not move.
func (l *lock) entry(a Act, in Input, by string, refused error) wire.Header {
	h := a.Header
	if refused != nil && (h.Kind == wire.KindReleased || h.Kind == wire.KindSecured) {
		h.Outcome = wire.OutcomeRefused
	}
	switch {
	case h.Kind == wire.KindReleased && in == GrantCard, a.Granted && l.err == "":
		h.Ref = &l.grant
	case h.Kind == wire.KindFireReset:
		h.Source = by
	}
	return h
}
