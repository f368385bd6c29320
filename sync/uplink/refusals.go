package uplink

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"gatehouse/sync/uplink/timing"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/briefs"
)

const (
	// refusedEvery is the pause between two entries about one kind of refusal; after refusedSoon
	// entries it is refusedLater. A broker that never stops must not fill the journal.
	refusedEvery = time.Minute
	refusedLater = time.Hour
	refusedSoon  = 10
	maxRefusals  = 32 // kinds that are counted apart
)

// Refusal is a kind of message that was not taken.
type Refusal struct {
	Type   string // of the message; "topic" or "other" where it has none of ours
	Reason wire.Reason
}

// refusals counts refused messages by kind. The first of a kind is recorded at once, then one entry
// a minute has the count: a flood must not fill the journal.
type refusals struct {
	kinds map[Refusal]*refusedCount
	total uint64
}

func newRefusals() refusals { return refusals{kinds: map[Refusal]*refusedCount{}} }

type refusedCount struct {
	n       uint64 // since the last entry
	told    time.Time
	entries int // made so far; forgotten after an hour without one
}

// pause returns how long after an entry the next one may be made; a kind without refusals in that
// time is forgotten.
func (c *refusedCount) pause() time.Duration {
	if c.n == 0 || c.entries >= refusedSoon {
		return refusedLater
	}
	return refusedEvery
}

// entry returns the entry about the count so far, and resets the count.
func (c *refusedCount) entry(r Refusal, now time.Time) wire.Header {
	h := wire.Header{Kind: wire.KindRefused, Outcome: wire.OutcomeRefused, Reason: r.Reason, Source: r.Type, Count: c.n}
	c.n, c.told, c.entries = 0, now, c.entries+1
	return h
}

// add counts a refusal, and reports whether it is the first of its kind since the last entry.
func (r *refusals) add(source string, why wire.Reason) (first bool) {
	r.total++
	if !incoming(source) {
		source = "other"
	}
	kind := Refusal{Type: source, Reason: why}
	c := r.kinds[kind]
	if c == nil {
		if len(r.kinds) >= maxRefusals {
			return false
		}
		c = &refusedCount{}
		r.kinds[kind] = c
	}
	c.n++
	return c.n == 1
}

func incoming(kind string) bool {
	switch kind {
	case wire.TypeAck, wire.TypeList, wire.TypeTrust, wire.TypeHouse, wire.TypeUndo,
		wire.TypeRecord, wire.TypeRoll, wire.TypeKey, wire.TypeHolding, briefs.Type, "topic":
		return true
	}
	return false
}

// due returns the entries to be made now, in the order of the kinds, and when to be called again.
func (r *refusals) due(now time.Time) (entries []wire.Header, next time.Time) {
	for _, kind := range r.list() {
		c := r.kinds[kind]
		due := c.told.Add(c.pause())
		if !now.Before(due) && c.n == 0 {
			delete(r.kinds, kind)
			continue
		}
		if !now.Before(due) {
			entries = append(entries, c.entry(kind, now))
			due = now.Add(c.pause())
		}
		next = timing.Earlier(next, due)
	}
	return entries, next
}

// ofLists returns the entries about lists that were refused before the active one. After the entry
// of the active list they would seem to be about it.
func (r *refusals) ofLists(now time.Time) (entries []wire.Header) {
	for _, kind := range r.list() {
		if c := r.kinds[kind]; kind.Type == wire.TypeList && c.n > 0 {
			entries = append(entries, c.entry(kind, now))
		}
	}
	return entries
}

// list returns the kinds of the last hour, sorted.
func (r *refusals) list() (list []Refusal) {
	for kind := range r.kinds {
		list = append(list, kind)
	}
	slices.SortFunc(list, func(a, b Refusal) int { return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Reason, b.Reason)) })
	return list
}

func reasonOf(err error) wire.Reason {
	for _, c := range [...]struct {
		err    error
		reason wire.Reason
	}{
		{wire.ErrTooLarge, wire.ReasonTooLarge}, {wire.ErrWrongAddress, wire.ReasonMisaddressed},
		{wire.ErrUnknownKey, wire.ReasonBadSignature}, {wire.ErrBadSignature, wire.ReasonBadSignature},
		{wire.ErrWrongRole, wire.ReasonBadSignature}, {wire.ErrWrongType, wire.ReasonMalformed},
		{wire.ErrWrongVersion, wire.ReasonMalformed}, {wire.ErrMalformed, wire.ReasonMalformed},
		{errFarTime, wire.ReasonClockLeapt},
	} {
		if errors.Is(err, c.err) {
			return c.reason
		}
	}
	if j, ok := errors.AsType[*Judged](err); ok && j.Reason != wire.ReasonNone {
		return j.Reason
	}
	return wire.ReasonListRefused
}
