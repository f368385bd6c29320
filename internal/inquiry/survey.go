package inquiry

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"gatehouse/internal/inquiry/when"
	"gatehouse/internal/mandate"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealed"
)

// scope is what a mandate asks of this gateway.
type scope struct {
	mandate.Scope
	fixed sealed.Fixed
	span  when.Span // ms, both inclusive
}

func newScope(use mandate.Use, gateway string, f sealed.Fixed) scope {
	r := use.Mandate.Request
	return scope{Scope: mandate.ScopeOf(r, gateway, f.Tenancies, f.Cards), fixed: f, span: spanOf(r)}
}

func spanOf(r mandates.Request) when.Span {
	return when.Span{From: int64(r.From) * 1000, To: int64(r.Until)*1000 - 1}
}

func (s scope) meets(t when.Span) bool { return t.From <= s.span.To && t.To >= s.span.From }

// run is entries of one epoch without a hole between them.
type run struct {
	epoch, first, end uint64
	from, to          uint64 // the entries in the mandate's time, to exclusive; none: from is the largest number
	before            uint64 // behind the last one that was surely before the mandate's time; first: there is none
	boots             []uint64
}

// surveyed is what a first look finds: where the entries of the mandate's time are.
type surveyed struct {
	scope
	runs []run
	// unsure are those of the mandate's time that do not know their own, by epoch and sequence.
	unsure   map[journaled.Position]bool
	software map[uint64]string // that ran, by the boot's number, where its entry is still here
	when.Line
	began  journaled.Head     // of the log, before the walk
	behind journaled.Position // how far the walk has come
}

func newSurvey(asked when.Span, head journaled.Head) *surveyed {
	v := &surveyed{scope: scope{span: asked}, unsure: map[journaled.Position]bool{}, software: map[uint64]string{}, began: head}
	v.Line = when.NewLine(v.place)
	return v
}

// survey looks at all entries of the log, as far as it went when the mandate was used. The walk that found
// the uses has seen all but the last of them. What it saw does not count where an epoch was begun or a file
// went since, nor afresh: for a use of before it went too far, and after a wait entries may have been erased.
func (q *query) survey(ctx context.Context, s scope, afresh bool) (*surveyed, error) {
	v := q.found
	if now := q.Log.Head(); afresh || v.began.Epoch != s.fixed.Epoch || now.Oldest != v.began.Oldest {
		v = newSurvey(s.span, now)
	}
	v.scope = s
	err := v.walk(ctx, q.Log, v.behind, func(e *journaled.Headed) error {
		if e.Epoch == s.fixed.Epoch && e.Sequence >= s.fixed.Size {
			return errEnough
		}
		return nil
	})
	v.settleAt(s.fixed)
	return v, err
}

// walk takes all entries from a place on, until use says that it is enough.
func (v *surveyed) walk(ctx context.Context, log Log, from journaled.Position, use func(*journaled.Headed) error) (err error) {
	v.behind, err = each(ctx, log, from, headers, func(e *journaled.Headed) error {
		if e.Kind == 0 {
			return fmt.Errorf("entry %d of the log: %w", e.Sequence, wire.ErrMalformed)
		}
		if err := use(e); err != nil {
			return err
		}
		if e.Kind == wire.KindBoot {
			v.software[e.Boot] = journaled.Software(e.Detail)
		}
		r := v.take(e)
		if len(r.boots) == 0 || r.boots[len(r.boots)-1] != e.Boot {
			r.boots = append(r.boots, e.Boot)
		}
		v.Next(when.Moment{Number: uint64(len(v.runs)-1)<<runShift | e.Sequence, Boot: e.Boot, BootTime: e.BootTime, Wall: e.Wall, Clock: e.Clock})
		return nil
	})
	return err
}

// runShift puts the number of a run beside a sequence number, for the timeline, which goes over the ends
// of runs: no epoch has so many entries.
const runShift = 48

// take puts an entry into the last run, or begins one.
func (v *surveyed) take(e *journaled.Headed) *run {
	if n := len(v.runs); n == 0 || v.runs[n-1].epoch != e.Epoch || v.runs[n-1].end != e.Sequence {
		v.runs = append(v.runs, run{epoch: e.Epoch, first: e.Sequence, end: e.Sequence, from: math.MaxUint64, before: e.Sequence})
	}
	r := &v.runs[len(v.runs)-1]
	r.end++
	return r
}

// settleAt settles what waits at the end of the log by the moment of the query.
func (v *surveyed) settleAt(f sealed.Fixed) {
	var now *when.Moment
	if when.Sure(f.Clock) {
		now = &when.Moment{Boot: f.Boot, BootTime: f.BootTime, Wall: f.Wall, Clock: f.Clock}
	}
	v.Settle(now, f.Latest*1000)
}

// place notes when an entry was made.
func (v *surveyed) place(at uint64, t when.Span) {
	r, sequence := &v.runs[at>>runShift], at&(1<<runShift-1)
	switch {
	case v.meets(t):
		r.from, r.to = min(r.from, sequence), max(r.to, sequence+1)
		if t.From != t.To {
			v.unsure[journaled.Position{Epoch: r.epoch, Sequence: sequence}] = true
		}
	case t.To < v.span.From:
		r.before = sequence + 1
	}
}

// parts are the runs that go into files, cut to the mandate's time and the entry on each side of it, which
// shows that nothing is missing there. Where nothing happened in that time it is those two.
func (v *surveyed) parts() (all []run) {
	for _, r := range v.runs {
		if r.from < r.to {
			all = append(all, r.cut(r.from, r.to))
		}
	}
	if len(all) == 0 && len(v.runs) > 0 {
		r := v.runs[len(v.runs)-1]
		all = []run{r.cut(r.before, r.before)}
	}
	return all
}

func (r run) cut(from, to uint64) run {
	r.first, r.end = max(r.first, from-min(from, 1)), min(r.end, to+1)
	return r
}

// sees reports whether the file tells who an entry names: it is of one of the mandate's doors, within its
// time, and of somebody whom it asks for. Who was erased may be anybody.
func (v *surveyed) sees(e *journaled.Entry) (bool, error) {
	if len(e.Who) == 0 && !e.Erased {
		return false, nil
	}
	h, err := wire.DecodeHeader(e.Header)
	if err != nil || !v.At(h.Door) {
		return false, err
	}
	if when.Sure(h.Clock) && !v.meets(when.Span{From: h.Wall, To: h.Wall}) || !when.Sure(h.Clock) && !v.unsure[e.Position] {
		return false, nil
	}
	if e.Erased {
		return true, nil
	}
	who, err := wire.DecodeWho(e.Who)
	return err == nil && v.Names(who), err
}

// pinsOf are the pins of runs of the daemon, by number.
func (v *surveyed) pinsOf(boots []uint64) (all []when.Moment) {
	for _, boot := range slices.Sorted(maps.Keys(v.Pins)) {
		if slices.Contains(boots, boot) {
			all = append(all, v.Pins[boot])
		}
	}
	slices.SortFunc(all, func(a, b when.Moment) int { return cmp.Compare(a.Boot, b.Boot) })
	return all
}
