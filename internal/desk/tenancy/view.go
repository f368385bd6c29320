package tenancy

import (
	"cmp"

	"gatehouse/sync/wire"
)

// Told says whether a tenant was told of a notice. It would reveal that somebody came home, so
// nothing is said before the notice has ended.
type Told uint8

const (
	ToldUnsaid Told = iota
	ToldNotYet
	ToldYes
)

// View is a tenancy as people see it. Times are unix s, 0 for none.
type View struct {
	ID       wire.ID
	Flat     string
	Label    string
	State    string
	Doors    []string
	Since    uint32
	Term     Term
	Notice   uint32 // when the notice ends it
	Decided  string // by the registry on the newest notice: upheld or rejected; empty: nothing
	Cause    string // of the end or notice
	Ended    uint32
	Told     Told // of the notice at a door
	HasPIN   bool
	OwnPIN   bool // the tenant chose it with a card, so that it proves who asks
	Cards    []Card
	Unstored int  // changes that the registry's list does not know yet
	Doubtful bool // only doubt about the time keeps it open: by some clock it is over
	Counting bool // only days that are still counted keep it open: the date of its notice has come
}

// Term is the time of a lease, unix s, 0 for none.
type Term struct {
	From  uint32 // 0: it counted from the start
	Until uint32
}

// shownDecision is what the registry decided on a notice; "": nothing.
func (t *Tenancy) shownDecision(s Standing) string {
	switch {
	case s.upheld != 0:
		return "upheld"
	case t.Decided.rejected != 0 && t.OnNotice() == 0:
		return "rejected"
	}
	return ""
}

// shownCause returns why it ended, or will end by a notice; "": neither.
func (t *Tenancy) shownCause() string {
	switch cause := cmp.Or(t.End.Cause, t.Decided.cause); {
	case cause != 0:
		return cause.String()
	case t.OnNotice() != 0:
		return t.Notice.Cause.String()
	}
	return ""
}

// Show returns the tenancy for people, at the likeliest time: one that has not begun is not shown
// as active, whatever its cards would do.
func (t *Tenancy) Show(s Standing, clock Time, unstored int) View {
	surely := clock.Surely()
	v := View{ID: t.ID, Flat: t.Lease.Flat, Label: t.Lease.Label, State: t.State(s, surely), Doors: t.Lease.Doors, Since: t.Lease.Since,
		Term: Term{s.from, t.Lease.Until}, Notice: t.OnNotice(), Ended: t.End.At, HasPIN: t.PIN != nil, OwnPIN: t.PIN.Proves(), Cards: s.Cards, Unstored: unstored}
	switch end := max(s.upheld, s.noticed); {
	case end != 0:
		v.Notice = end
	case v.Notice == 0:
		v.Term.Until = s.end
	}
	v.Decided, v.Cause = t.shownDecision(s), t.shownCause()
	if v.Ended == 0 {
		v.Ended = t.End.Gone
	}
	if v.Notice != 0 && surely >= v.Notice && v.State == Ended {
		v.Told = ToldNotYet
		if t.Told {
			v.Told = ToldYes
		}
	}
	v.Counting = v.State == OnNotice && v.Notice <= clock.NotBefore() && (s.end == 0 || s.end > v.Notice)
	v.Doubtful = v.State != Ended && s.end != 0 && clock.Latest >= int64(s.end)
	if v.State == Active && v.Term.From > clock.NotBefore() {
		v.State = NotBegun
	}
	return v
}
