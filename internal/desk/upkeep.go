package desk

import (
	"context"
	"slices"
	"time"

	"gatehouse/internal/desk/tenancy"
	"gatehouse/sync/wire"
)

// stops counts down the days of cards that the landlord alone wants to stop: each goes on opening
// for the days of a notice, in time that this gateway runs. If a door takes the card meanwhile,
// here or at a sibling, it is evidently not lost, and it stays.
type stops struct {
	records *Records
	clock   func() tenancy.Time
}

// count subtracts the time that has passed from the days that cards still open.
func (s *stops) count(ctx context.Context, passed time.Duration) {
	b := s.records.book
	b.Lock()
	defer b.Unlock()
	b.foldUses()
	for _, t := range b.Tenancies {
		for i := range t.Cards {
			k := &t.Cards[i]
			switch gone := uint32(min(max(passed, 0)/time.Second, 1<<31)); {
			case k.Stop == nil:
			case k.Stopped && k.Stop.Used:
				s.say(ctx, t, k, wire.OpResume, wire.ProofCard)
			case k.Stop.Left > gone:
				k.Stop.Left -= gone
			case k.Stop.Left > 0:
				s.end(ctx, t, k)
			}
		}
	}
}

// end stops a card at the end of its days, unless it was used or is the last one that opens.
func (s *stops) end(ctx context.Context, t *tenancy.Tenancy, k *tenancy.KeptCard) {
	b := s.records.book
	st := b.stands(t)
	if k.Stop.Used || st.Others(k) == 0 || t.State(st, s.clock().Surely()) == tenancy.Ended {
		k.Stop = nil
		_ = b.save() // logged there; after a restart the last hour is counted again
		return
	}
	s.say(ctx, t, k, wire.OpSuspend, wire.ProofLandlord)
}

// say records a suspension or its end; if that fails it is tried again in a minute.
func (s *stops) say(ctx context.Context, t *tenancy.Tenancy, k *tenancy.KeptCard, op wire.Op, proof wire.Proof) {
	clock := s.clock()
	c := wire.Change{Op: op, At: max(clock.NotBefore(), k.Changed+1), Clock: clock.Quality, Proof: proof, Tenancy: t.ID, Grant: k.Grant, Credentials: slices.Clone(k.Credentials)}
	reg, err := s.records.registry()
	if err == nil {
		_, err = s.records.record(ctx, reg, c, nil)
	}
	if err != nil {
		s.records.log.Warn().Err(err).Str("change", op.String()).Msg("a card's change waits; it is tried again")
	}
}

// save saves the days that are left, if a card has any.
func (s *stops) save() {
	b := s.records.book
	b.Lock()
	defer b.Unlock()
	if len(b.doors.seen.Load().stops) > 0 {
		_ = b.save() // logged there
	}
}

// toldEvery is the shortest time between two entries that a tenant was told at one door.
const toldEvery = time.Hour

type toldAt struct {
	tenancy wire.ID
	door    string
}

// teller enters that tenants were told of a notice, or that a card which was to stop was used. The
// book's lock guards it.
type teller struct {
	book    *book
	journal Journal
	last    map[toldAt]time.Time
}

// tell enters that a tenant was told, of a notice at most once an hour and door.
func (l *teller) tell(s sighting) {
	l.book.Lock()
	defer l.book.Unlock()
	if s.stop {
		l.book.foldUses()
		l.enter(s, wire.ReasonSuspend)
		_ = l.book.save() // logged there; the mark stays in memory
	}
	at, now := toldAt{*s.who.Tenancy, s.door}, time.Now()
	t := l.book.Tenancies.Find(at.tenancy)
	if last, ok := l.last[at]; t == nil || !l.book.doors.OnNotice(at.tenancy) || ok && now.Sub(last) < toldEvery {
		return
	}
	l.last[at] = now
	l.enter(s, wire.ReasonNotice)
	if !t.Told {
		t.Told = true
		_ = l.book.save() // logged there; the entry counts
	}
}

func (l *teller) enter(s sighting, of wire.Reason) {
	if s.recorded {
		l.journal.Queue(wire.Header{Kind: wire.KindTold, Outcome: wire.OutcomeDone, Reason: of, Door: s.door, Source: s.source, Ref: &s.ref},
			wire.Who{Credential: s.who.Credential, Grant: s.who.Grant, Tenancy: s.who.Tenancy})
	}
}

// forget drops times that are older than toldEvery. Callers hold the lock.
func (l *teller) forget() {
	for at, last := range l.last {
		if time.Since(last) >= toldEvery {
			delete(l.last, at)
		}
	}
}
