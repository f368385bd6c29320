package door

import (
	"context"
	"time"

	"gatehouse/sync/wire"
)

// admitMost is how long an admission without a card waits for its record. Such an admission never
// opens late, since a power cut could make a one-time credential good again.
const admitMost = 5 * time.Second

// Admit lets in somebody who has shown who it is without a card and a reader; source says how. It
// returns when the lock has been driven. The entry is one as a card's. The door opened if the
// reason is ReasonGranted or ReasonTermDoubtful. Safe for concurrent use.
func (d *Door) Admit(ctx context.Context, source string, a Admission) (wire.Reason, error) {
	answer := make(chan wire.Reason, 1)
	if _, err := d.command(ctx, command{admit: &admission{wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeDenied, Source: source, Direction: wire.DirectionIn}, a, answer}}); err != nil {
		return 0, err
	}
	select {
	case r := <-answer:
		return r, nil
	case <-ctx.Done():
		return 0, ErrStopped
	}
}

// admission is one request for Admit.
type admission struct {
	head   wire.Header
	a      Admission
	answer chan<- wire.Reason
}

// granting returns the entry of a grant.
func granting(head wire.Header, door string, doubtful bool) wire.Header {
	head.Door, head.Outcome = door, wire.OutcomeGranted
	if doubtful {
		head.Reason = wire.ReasonTermDoubtful
	}
	return head
}

// admit records an admission without a card, or its denial. The loop opens when the record is
// durable, and shows a denial.
func (b *beside) admit(ctx context.Context, to records, head wire.Header, a Admission, done chan<- wire.Reason) {
	head.Reason = a.Reason
	r := appendResult{head: head, who: a.Who, strict: true, done: done}
	if a.Reason == wire.ReasonGranted {
		head.Detail = a.Detail
		r.head = granting(head, to.door, a.Doubtful)
		budget, cancel := context.WithTimeout(ctx, admitMost)
		defer cancel()
		r.ref, r.err = to.to.Append(budget, r.head, a.Who)
	}
	select {
	case b.appended <- r:
	case <-ctx.Done():
		if r.head.Outcome == wire.OutcomeDenied {
			to.queue(r.head, r.who)
		}
	}
}

// opens reports whether the door opens. A strict admission does not without a durable record.
func (r *appendResult) opens() bool {
	if r.strict && r.err != nil {
		r.head = wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeDenied, Reason: wire.ReasonSlowDisk, Source: r.head.Source, Direction: r.head.Direction}
	}
	return r.head.Outcome != wire.OutcomeDenied
}

// answer sends the outcome to whoever waits for it.
func (r *appendResult) answer() {
	if r.done != nil {
		r.done <- r.head.Reason
	}
}
