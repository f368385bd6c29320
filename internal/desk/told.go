package desk

import (
	"time"

	"gatehouse/sync/wire"
)

// toldEvery is how often one tenant is told at one door, at most.
const toldEvery = time.Hour

type toldAt struct {
	tenancy wire.ID
	door    string
}

// teller enters that tenants were told of a notice, or that a card which was to stop
// was used. The book's lock guards it.
type teller struct {
	book    *book
	journal Journal
	last    map[toldAt]time.Time
}

// tell enters that a tenant was told, of a notice once an hour and door.
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

// forget drops times that no longer hold anything off. Callers hold the lock.
func (l *teller) forget() {
	for at, last := range l.last {
		if time.Since(last) >= toldEvery {
			delete(l.last, at)
		}
	}
}
