package door

import (
	"slices"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/sync/wire"
)

// window is how long repeats of one denial or fault are counted together, and maxKept how many
// different ones are told apart in it. The rest is one flood entry, so that a stranger with a card
// can't fill the journal.
const (
	window  = time.Minute
	maxKept = 8
	// maxInputs is how many entries of contact and exit button are kept in a window: more than
	// people cause, fewer than a loose wire does.
	maxInputs = 120
)

// repeats turns repeated denials and faults into one count a minute: the first is recorded at once,
// the rest at the end of the window. For one goroutine.
type repeats struct {
	records                 records
	denials, faults, inputs tally
	lasting                 []lasting // present faults
}

// input reports whether an entry of an input is to be made; else it is counted for the flood entry.
func (r *repeats) input(k wire.Kind) bool {
	switch k {
	case wire.KindExit, wire.KindOpened, wire.KindClosed, wire.KindForced, wire.KindHeld:
	default:
		return true
	}
	r.flush(time.Now())
	r.inputs.open(time.Now())
	if r.inputs.n++; r.inputs.n <= maxInputs {
		return true
	}
	r.inputs.flooded++
	return false
}

// tally is what was recorded within a window, and how much more came.
type tally struct {
	ends    time.Time // of the window; zero: none is open
	kept    []kept
	n       int // entries of inputs, which are not told apart
	flooded uint64
}

func (t *tally) open(now time.Time) {
	if t.ends.IsZero() {
		t.ends = now.Add(window)
	}
}

type kept struct {
	source string
	id     wire.CredentialID
	reason wire.Reason
	ref    wire.Ref
	again  uint64
}

// lasting is a present fault, and whether the journal says so.
type lasting struct {
	source string
	reason wire.Reason
	logged bool
}

func (l lasting) entry(o wire.Outcome) wire.Header {
	return wire.Header{Kind: wire.KindFault, Outcome: o, Reason: l.reason, Source: l.source}
}

// admit counts one more of k, and reports true when k is the first of its kind in this window and
// is to be recorded at once.
func (t *tally) admit(k kept, now time.Time) (*kept, bool) {
	t.open(now)
	for i := range t.kept {
		e := &t.kept[i]
		if e.source == k.source && e.id == k.id && e.reason == k.reason {
			e.again++
			return e, false
		}
	}
	if len(t.kept) == maxKept {
		t.flooded++
		return nil, false
	}
	t.kept = append(t.kept, k)
	return &t.kept[len(t.kept)-1], true
}

func (r *repeats) denial(h wire.Header, w wire.Who) {
	r.flush(time.Now())
	k := kept{source: h.Source, reason: h.Reason}
	switch {
	case w.Credential != nil:
		k.id = *w.Credential
	case w.Tenancy != nil:
		copy(k.id[:], w.Tenancy[:])
	}
	e, first := r.denials.admit(k, time.Now())
	if first {
		e.ref = r.records.queue(h, w)
	}
}

func (r *repeats) fault(e device.Event) {
	r.flush(time.Now())
	l := lasting{e.Source, wire.Reason(e.Fault), false}
	k, first := r.faults.admit(kept{source: l.source, reason: l.reason}, time.Now())
	if first {
		begin := wire.Outcome(0)
		if e.Active {
			begin = wire.OutcomeActive
		}
		k.ref = r.records.queue(l.entry(begin), wire.Who{})
	}
	if e.Active && r.find(l) < 0 {
		l.logged = first
		r.lasting = append(r.lasting, l)
	}
}

// over records that a fault has ended, unless its beginning was only counted: then its end is, too.
// An unknown fault began before this process did.
func (r *repeats) over(e device.Event) {
	r.flush(time.Now())
	l := lasting{e.Source, wire.Reason(e.Fault), true}
	if i := r.find(l); i >= 0 {
		l = r.lasting[i]
		r.lasting = slices.Delete(r.lasting, i, i+1)
	}
	if l.logged {
		r.records.queue(l.entry(wire.OutcomeIdle), wire.Who{})
	}
}

func (r *repeats) find(l lasting) int {
	return slices.IndexFunc(r.lasting, func(o lasting) bool { return o.source == l.source && o.reason == l.reason })
}

// newest returns the present fault of a reader that began last.
func (r *repeats) newest(source string) fault.Code {
	for _, l := range slices.Backward(r.lasting) {
		if l.source == source {
			return fault.Code(l.reason)
		}
	}
	return fault.None
}

func (r *repeats) deadline() (time.Time, bool) {
	var at time.Time
	for _, ends := range []time.Time{r.denials.ends, r.faults.ends, r.inputs.ends} {
		if at.IsZero() || (!ends.IsZero() && ends.Before(at)) {
			at = ends
		}
	}
	return at, !at.IsZero()
}

// flush records the counts of windows that have ended.
func (r *repeats) flush(now time.Time) {
	for _, t := range []*tally{&r.inputs, &r.denials, &r.faults} {
		if t.ends.IsZero() || now.Before(t.ends) {
			continue
		}
		for _, e := range t.kept {
			if e.again > 0 {
				r.records.queue(wire.Header{Kind: wire.KindRepeated, Reason: e.reason, Source: e.source, Ref: &e.ref, Count: e.again}, wire.Who{})
			}
		}
		if t.flooded > 0 {
			flood := wire.Header{Kind: wire.KindFlood, Count: t.flooded}
			if t == &r.inputs {
				flood.Source = "inputs"
			}
			r.records.queue(flood, wire.Who{})
		}
		*t = tally{}
		if t == &r.faults {
			r.tellLasting()
		}
	}
}

// tellLasting records the faults that were only counted when they began, and are still present.
func (r *repeats) tellLasting() {
	for i, l := range r.lasting {
		if !l.logged {
			r.records.queue(l.entry(wire.OutcomeActive), wire.Who{})
			r.lasting[i].logged = true
		}
	}
}
