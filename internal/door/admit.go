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

// admission is somebody who shows who it is without a card.
type admission struct {
	head   wire.Header // of a denial
	a      Admission
	answer chan<- wire.Reason // nil: nobody waits for it
}

// admit records an admission without a card, or its denial.
func (d *Door) admit(m admission) {
	m.head.Reason = m.a.Reason
	if m.a.Reason != wire.ReasonGranted {
		d.granted(grant{head: m.head, who: m.a.Who, done: m.answer})
		return
	}
	m.head.Detail = m.a.Detail
	g := d.cfg.granting(m.head, m.a.Who, m.a.Doubtful)
	g.until, g.strict, g.done = time.Now().Add(admitMost), true, m.answer
	d.grant(g)
}

// undone records an admission that was decided on when the door stopped: it opened nothing.
func (r records) undone(m admission) {
	if m.head.Reason = m.a.Reason; m.a.Reason == wire.ReasonGranted {
		m.head.Outcome, m.head.Detail = wire.OutcomeGranted, m.a.Detail
	}
	r.queue(m.head, m.a.Who)
}
