package keyring

import (
	"cmp"
	"slices"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring/signedtime"
	"gatehouse/sync/wire"
)

// A notice ends a tenancy at a date, and a date is the word of a clock that the
// landlord may have set. So it counts at the doors only when its days have passed
// on the machine's own clock as well, since this gateway made or heard of it; or when
// a witness has signed that the end has come which the registry's list sets. That one
// is no earlier than so many days after the registry heard of the notice (truth T4).
// A notice that only a list tells of, since its record did not come or is gone with an
// image of before, has its days since the list came.

// heardOf is since when this gateway knows of a notice by a list.
type heardOf struct {
	Grant wire.ID `json:"grant"`
	At    uint32  `json:"at"`    // as the notice says
	Since int64   `json:"since"` // s of the machine's own clock
}

// age looks which notices are young, and reports whether that has changed. Callers
// hold mu.
func (k *Keyring) age() (changed bool) {
	r := k.registry.Load()
	if r == nil {
		return false
	}
	now, days, witness := k.own(), int64(grantlist.NoticeDays(r.House))*signedtime.Day, k.time.Marks().At
	l := k.listed()
	seen := l.seen()
	for _, h := range k.records {
		if h.Change.Op != wire.OpNotice {
			continue
		}
		end := uint32(0)
		if h.seenIn(seen) {
			end = l.noticeEnd(&h.Change)
		}
		young := h.kept != 0 && now-h.kept < days && (end == 0 || witness < int64(end))
		changed = changed || young != h.young || end != h.listed
		h.young, h.listed = young, end
	}
	listed := k.ageListed(l, now, days, witness)
	same := slices.EqualFunc(listed, k.heard, func(a, b *held) bool { return a.Change.Grant == b.Change.Grant && a.listed == b.listed })
	k.heard = listed
	return changed || !same
}

// ageListed returns the young ones of the notices that only the list tells of, as if
// their records had come.
func (k *Keyring) ageListed(l *list, now, days, witness int64) (young []*held) {
	if l == nil {
		return nil
	}
	var known []heardOf
	for i := range l.manifest.Words {
		w := &l.manifest.Words[i]
		if w.Op != wire.OpNotice || w.Proof == wire.ProofRegistry {
			continue
		}
		at, recorded := k.heardAt(w, now, now-days)
		known = append(known, heardOf{w.Grant, w.At, at})
		if !recorded && now-at < days && witness < int64(w.Until) {
			c := wire.Change{Op: w.Op, At: w.At, Proof: w.Proof, Tenancy: w.Tenancy, Grant: w.Grant, Until: w.Until, Cause: w.Cause}
			young = append(young, &held{Local: Local{Change: c}, young: true, listed: w.Until})
		}
	}
	k.marks.Notices = known
	return young
}

// heardAt is since when this gateway knows of a notice in the list, and whether it has
// its record. Of one that an earlier program kept nothing is known but that it is old.
func (k *Keyring) heardAt(w *wire.Word, now, old int64) (at int64, recorded bool) {
	at = now
	if i := slices.IndexFunc(k.marks.Notices, func(h heardOf) bool { return h.Grant == w.Grant && h.At == w.At }); i >= 0 {
		at = k.marks.Notices[i].Since
	}
	for _, h := range k.records {
		if h.Change.Op == wire.OpNotice && h.Change.Grant == w.Grant && h.Change.At == w.At {
			at, recorded = min(at, cmp.Or(h.kept, old)), true
		}
	}
	return at, recorded
}

// noticeEnd is when a notice ends its grant by what a list says of it; 0: it says
// nothing, as none of the first format does.
func (l *list) noticeEnd(c *wire.Change) uint32 {
	for i := range l.manifest.Words {
		w := &l.manifest.Words[i]
		if w.Grant == c.Grant && w.Op == wire.OpNotice && w.Proof != wire.ProofRegistry && w.At >= c.At {
			return w.Until
		}
	}
	return 0
}

// Words are what the list in force says besides its rows. A list of the first
// format says nothing (said is false), whatever is so.
func (k *Keyring) Words() (words []wire.Word, said bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.list == nil {
		return nil, false
	}
	return k.list.manifest.Words, k.list.manifest.Format >= wire.LogFormat
}

// settleNotices takes all notices as of full age, and reports whether any was not.
func (k *Keyring) settleNotices() (were bool) {
	were, k.heard = len(k.heard) > 0, nil
	for _, h := range k.records {
		were, h.young = were || h.young, false
	}
	return were
}

// objects reports whether it lifts the end that a notice set.
func (h *held) objects() bool {
	return h.Change.Op == wire.OpDispute || h.Change.Op == wire.OpWithdraw
}

// objectedTo are the grants with such records.
func objectedTo(records []*held) map[wire.ID]bool {
	grants := make(map[wire.ID]bool)
	for _, h := range records {
		if h.objects() {
			grants[h.Change.Grant] = true
		}
	}
	return grants
}

// unobjected are the records without objections, and without the notices that they
// answer where a list has seen the answer: what it says of these ends is its own.
func unobjected(records []*held, seen map[position]uint64) []*held {
	return slices.DeleteFunc(slices.Clone(records), func(h *held) bool {
		return h.objects() || h.Change.Op == wire.OpNotice && slices.ContainsFunc(records, func(o *held) bool {
			return o.objects() && o.Change.Grant == h.Change.Grant && o.after(h) && o.seenIn(seen)
		})
	})
}

// after reports whether h is a later word than o: by the numbers of one line, by the
// times of two.
func (h *held) after(o *held) bool {
	if p, q := h.place(), o.place(); p.line() == q.line() {
		return p.Number > q.Number
	}
	return h.Change.At >= o.Change.At
}
