package keyring

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"gatehouse/internal/access"
	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"
)

// What opens is the list with the changes that it has not settled. Both halves
// are pure functions: the same list and records give the same answer, in
// whatever order they came.

// view is what opens.
type view struct {
	grants *access.Grants
	doors  []string
	sets   [][]uint16
}

func (v *view) tables() grantlist.Doors { return grantlist.Doors{IDs: v.doors, Sets: v.sets} }

// rowsOf collects what a list (nil: none) says of the grants that records change.
func rowsOf(l *list, records []*held) map[wire.ID][]wire.Grant {
	rows := make(map[wire.ID][]wire.Grant)
	if l == nil || len(records) == 0 {
		return rows
	}
	wanted := make(map[wire.ID]bool)
	for _, h := range records {
		wanted[h.Change.Grant] = true
	}
	for r := range l.grants.All() {
		if wanted[r.ID] {
			rows[r.ID] = append(rows[r.ID], *r)
		}
	}
	return rows
}

func anyLive(rows []wire.Grant) bool {
	return slices.ContainsFunc(rows, func(r wire.Grant) bool { return r.State != wire.GrantRevoked })
}

// seen is through which records the list was made, by line; nil: there is no list.
func (l *list) seen() map[position]uint64 {
	if l == nil {
		return nil
	}
	seen := make(map[position]uint64, len(l.manifest.Seen))
	for _, s := range l.manifest.Seen {
		seen[position{s.Gateway, s.Line, 0}] = s.Number
	}
	return seen
}

// settle parts the records into those that still count beside the list, and
// those that it has settled: it was made with them, and says so.
//
// A check-in is settled when its grant is named, in whatever state, or known to
// be over; a bind, when the credential is named under its grant; an end, when
// nothing of the grant can come back; the rest, by the list having seen them,
// since its word on states and terms is the later one; a notice not before its days
// have passed, or the list's date would shorten them. Nothing is settled before
// the check-in of its grant: alone that would open a grant that is over.
func settle(l *list, rows map[wire.ID][]wire.Grant, over map[wire.ID]bool, records []*held) (left, done []*held) {
	if l == nil {
		return records, nil
	}
	seen := l.seen()
	arriving := make(map[wire.ID]bool) // grants with a check-in that still counts
	for _, h := range records {
		if c := &h.Change; c.Op == wire.OpCheckIn && (!h.seenIn(seen) || len(rows[c.Grant]) == 0 && !over[c.Grant]) {
			arriving[c.Grant] = true
		}
	}
	for _, h := range records {
		if !h.seenIn(seen) || arriving[h.Change.Grant] || h.young || !agrees(&h.Change, rows[h.Change.Grant]) {
			left = append(left, h)
		} else {
			done = append(done, h)
		}
	}
	return left, done
}

// agrees reports whether what the list says of the grant has the change in it.
func agrees(c *wire.Change, rows []wire.Grant) bool {
	switch c.Op {
	case wire.OpEnd:
		return !anyLive(rows)
	case wire.OpBind:
		return !anyLive(rows) || !slices.ContainsFunc(c.Credentials, func(id wire.CredentialID) bool {
			return !slices.ContainsFunc(rows, func(r wire.Grant) bool { return r.Credential == id })
		})
	}
	return true
}

// lastWord finds which of several changes counts: within a line the last one,
// across lines that with the latest time, and of two at the same time the larger
// value. So it does not matter which gateway was heard first.
type lastWord struct {
	line         position // with number 0
	at, value    uint32   // of this line
	bestAt, best uint32   // of the lines before
	said         bool
}

func (w *lastWord) say(line position, at, value uint32) {
	if w.said && line != w.line {
		w.bestAt, w.best, _ = w.result()
	}
	w.line, w.at, w.value, w.said = line, at, value, true
}

func (w *lastWord) result() (at, value uint32, said bool) {
	if w.at > w.bestAt || w.at == w.bestAt && w.value > w.best {
		return w.at, w.value, w.said
	}
	return w.bestAt, w.best, w.said
}

// The values of a lastWord on a card. One on a notice is its end, or noEnd.
const (
	cardOpens   = 1
	cardStopped = 2
	noEnd       = math.MaxUint32     // disputed or withdrawn
	notYet      = math.MaxUint32 - 1 // its days have not passed
)

// words are the changes of one grant.
type words struct {
	checkIns, binds []*wire.Change
	ended           bool
	end             lastWord
	young           uint32 // when the last notice ends it
	listed          uint32 // likewise, as the list says; 0: it does not
	cards           map[wire.CredentialID]*lastWord
}

func (w *words) add(h *held) {
	c, line := &h.Change, h.place().line()
	switch c.Op {
	case wire.OpCheckIn:
		w.checkIns = append(w.checkIns, c)
	case wire.OpBind:
		w.binds = append(w.binds, c)
	case wire.OpEnd:
		w.ended = true
	case wire.OpNotice:
		w.end.say(line, c.At, h.ends())
		w.young, w.listed = c.Until, h.listed
	case wire.OpDispute, wire.OpWithdraw:
		w.end.say(line, c.At, noEnd)
	case wire.OpSuspend, wire.OpResume:
		value := uint32(cardOpens)
		if c.Op == wire.OpSuspend {
			value = cardStopped
		}
		for _, id := range c.Credentials {
			if w.cards[id] == nil {
				w.cards[id] = &lastWord{}
			}
			w.cards[id].say(line, c.At, value)
		}
	}
}

// apply returns the rows of the grant as they count: those of the list, or where
// it does not name the grant those of the check-in, with the other changes. An
// end beats all, and what was over is over.
func (w *words) apply(listed []wire.Grant, over bool, set func([]string) (uint16, error)) ([]wire.Grant, error) {
	rows := slices.Clone(listed)
	live := !w.ended && (len(listed) == 0 && !over || anyLive(listed))
	if len(rows) == 0 {
		for _, c := range w.checkIns {
			doors, err := set(c.Doors)
			if err != nil {
				return nil, err
			}
			rows = withCards(rows, c.Credentials, wire.Grant{ID: c.Grant, Tenancy: c.Tenancy,
				Kind: c.Kind, State: wire.GrantActive, DoorSet: doors, From: c.From, Until: c.Until})
		}
	}
	if len(rows) == 0 {
		return nil, nil
	}
	for _, c := range w.binds {
		like := rows[max(0, slices.IndexFunc(rows, func(r wire.Grant) bool { return r.State != wire.GrantRevoked }))]
		like.State = wire.GrantActive
		rows = withCards(rows, c.Credentials, like)
	}
	for i := range rows {
		w.change(&rows[i], len(listed) > 0, live)
	}
	return rows, nil
}

// change makes the state and the end of one row those that count. An objection
// to a notice sets the end in the list aside, until the registry decides: it may
// be the notice's, and a tenant may not be locked out on the landlord's word alone.
func (w *words) change(r *wire.Grant, listed, live bool) {
	if word := w.cards[r.Credential]; word != nil && r.State != wire.GrantRevoked {
		r.State = wire.GrantActive
		if _, value, _ := word.result(); value == cardStopped {
			r.State = wire.GrantSuspended
		}
	}
	if _, end, said := w.end.result(); said {
		switch {
		case end < notYet && (r.Until == 0 || end < r.Until):
			r.Until = end
		case end == noEnd && listed, end == notYet && listed && (r.Until == w.young || r.Until == w.listed):
			r.Until = 0
		}
	}
	if !live {
		r.State = wire.GrantRevoked
	}
}

// withCards adds a row for each credential that has none.
func withCards(rows []wire.Grant, ids []wire.CredentialID, like wire.Grant) []wire.Grant {
	for _, id := range ids {
		like.Credential = id
		if !slices.ContainsFunc(rows, func(r wire.Grant) bool { return r.Credential == like.Credential }) {
			rows = append(rows, like)
		}
	}
	return rows
}

// merge returns the list (nil: none) with the changes of the records, which are
// in order. Buckets that no change touches are shared with the list.
func merge(l *list, rows map[wire.ID][]wire.Grant, over map[wire.ID]bool, records []*held) (view, error) {
	v := view{}
	bits, buckets := uint8(0), make([]*access.Bucket, 1)
	if l != nil {
		v = view{grants: l.grants, doors: l.manifest.Doors, sets: l.manifest.DoorSets}
		bits = l.manifest.Bits
	}
	if l != nil && len(records) == 0 {
		return v, nil
	}
	if l != nil {
		buckets = make([]*access.Bucket, 1<<bits)
		for i := range buckets {
			buckets[i] = l.grants.Bucket(i)
		}
	}
	tables := v.tables()
	changed, err := changedRows(rows, over, records, tables.Set)
	if err != nil {
		return view{}, err
	}
	if err := replaceRows(buckets, bits, changed); err != nil {
		return view{}, err
	}
	v.doors, v.sets = tables.IDs, tables.Sets
	v.grants, err = access.NewGrants(access.Doors{IDs: v.doors, Sets: v.sets}, bits, buckets)
	return v, err
}

// replaceRows puts rows, which are in order, in the places of those of the same
// credential and grant. Buckets without a change stay the same.
func replaceRows(buckets []*access.Bucket, bits uint8, changed []wire.Grant) (err error) {
	for len(changed) > 0 { // one bucket after the other
		i := bucketOf(&changed[0], bits)
		n := 1
		for n < len(changed) && bucketOf(&changed[n], bits) == i {
			n++
		}
		if buckets[i], err = access.NewBucket(bits, replaced(buckets[i].Records(), changed[:n])); err != nil {
			return err
		}
		changed = changed[n:]
	}
	return nil
}

func bucketOf(r *wire.Grant, bits uint8) int { return r.Credential.Bucket(bits) }

// changedRows returns the rows of all grants that records change, in order.
func changedRows(rows map[wire.ID][]wire.Grant, over map[wire.ID]bool, records []*held, set func([]string) (uint16, error)) ([]wire.Grant, error) {
	grants := make(map[wire.ID]*words)
	var ids []wire.ID // in the order of the records, so that door sets are found in one order
	for _, h := range records {
		id := h.Change.Grant
		if grants[id] == nil {
			grants[id] = &words{cards: make(map[wire.CredentialID]*lastWord)}
			ids = append(ids, id)
		}
		grants[id].add(h)
	}
	var all []wire.Grant
	for _, id := range ids {
		of, err := grants[id].apply(rows[id], over[id], set)
		if err != nil {
			return nil, err
		}
		all = append(all, of...)
	}
	slices.SortFunc(all, func(a, b wire.Grant) int { return a.Compare(&b) })
	return all, nil
}

// replaced returns sorted rows with others, sorted too, in their places.
func replaced(rows, by []wire.Grant) []wire.Grant {
	out := make([]wire.Grant, 0, len(rows)+len(by))
	for len(rows) > 0 && len(by) > 0 {
		switch c := rows[0].Compare(&by[0]); {
		case c < 0:
			out, rows = append(out, rows[0]), rows[1:]
		case c == 0:
			rows = rows[1:]
		default:
			out, by = append(out, by[0]), by[1:]
		}
	}
	return append(append(out, rows...), by...)
}

// position is where a record stands in the numbering of a gateway.
type position struct {
	Gateway string
	Line    uint64
	Number  uint64
}

func (p position) line() position { return position{p.Gateway, p.Line, 0} }

// held is a record that is kept beside the list.
type held struct {
	Local
	also      []position // where the same change stood before its gateway numbered anew
	kept      int64      // since when, in s of the machine's own clock; 0: not known
	young     bool       // a notice whose days have not passed since: it ends nothing yet
	listed    uint32     // when the notice ends its grant by the list in force; 0: it does not say
	unwritten bool       // in force, and on no disk yet
	stored    bool       // at the registry, as this run knows
}

// ends is when a notice ends its grant.
func (h *held) ends() uint32 {
	if h.young {
		return notYet
	}
	return h.Change.Until
}

func (h *held) place() position { return position{h.Gateway, h.Record.Line, h.Record.Number} }

func (h *held) seenIn(seen map[position]uint64) bool {
	if p := h.place(); seen[p.line()] >= p.Number {
		return true
	}
	return slices.ContainsFunc(h.also, func(p position) bool { return seen[p.line()] >= p.Number })
}

// compare orders records by gateway, line, number. The id is last: two records
// of one number are two changes, made by a gateway whose disk was set back.
func (h *held) compare(o *held) int {
	return cmp.Or(cmp.Compare(h.Gateway, o.Gateway), cmp.Compare(h.Record.Line, o.Record.Line),
		cmp.Compare(h.Record.Number, o.Record.Number), bytes.Compare(h.Record.ID[:], o.Record.ID[:]))
}
