package doorcode

import (
	"time"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/door"
	"gatehouse/internal/guess"
	"gatehouse/sync/wire"
)

var _ door.Codes = (*Store)(nil)

// Rate limits of wrong codes, at one reader and in the house: one reader alone can't exhaust the
// house's limit, so that codes still work at the others. Somebody who guesses at all of them for a year,
// with an alarm after each five tries, has a chance of 1 in 100 in a house of twenty
// tenancies, and of 2 in 100 if each has all of its guest codes all the year. Cards are
// never limited.
var (
	atReader = guess.Limit{Burst: 5, Every: time.Minute}
	atHouse  = guess.Limit{Burst: 20, Every: 30 * time.Second}
)

// place is a reader of a door.
type place struct{ door, reader string }

// Open decides on a code that was typed at a reader's keys or presented to it. A granted code that
// opens once is marked as used, durably, before Open returns; if that fails it is not granted.
//
// The first check that fails is the reason: not ready (no grants, key or journal yet), bad code
// (none of this gateway, or one too many wrong ones at this reader or in this house), replayed
// (used before), then a guest code's time (expired, not yet, or clock untrusted if the possible
// times differ), and the grants of its tenancy. A card that was reported lost does not stop the
// codes of its tenancy; one that the registry has suspended does. The header of an entry has no
// mark of a code that opens more than once, since that would show for ever which entries are of one
// guest.
func (s *Store) Open(doorID, reader string, typed device.PIN, now access.Time) door.Admission {
	if s.p.Key == nil || s.p.Grants() == nil || !s.ready() {
		return door.Admission{Reason: wire.ReasonNotReady}
	}
	at := place{doorID, reader}
	if typed.Len() != Digits || !s.tries.Take(at, time.Now()) {
		return door.Admission{Reason: wire.ReasonBadCode}
	}
	c, ok := s.known(typed)
	if !ok {
		s.wrong(at)
		return door.Admission{Reason: wire.ReasonBadCode}
	}
	s.tries.Right(at)
	a := door.Admission{Reason: wire.ReasonGranted, Who: wire.Who{Tenancy: &c.Tenancy, Method: wire.MethodCode}}
	if c.Guest != nil {
		a.Who.Method, a.Reason = wire.MethodGuest, now.Within(c.Guest.From, c.Guest.Until)
	}
	if c.once() {
		a.Detail = c.Mark[:]
	}
	if c.Used && c.once() {
		a.Reason = wire.ReasonReplayed
	}
	if a.Reason != wire.ReasonGranted {
		return a
	}
	dec := access.DecideHome(s.p.Grants(), c.Tenancy, s.p.Lost, &access.Query{Door: doorID, Time: now})
	a.Reason, a.Doubtful = dec.Reason, dec.Doubtful
	if dec.Grant != (wire.ID{}) {
		a.Who.Grant = &dec.Grant
	}
	if a.Reason == wire.ReasonGranted && c.once() {
		a.Reason = s.used(c.Mark)
	}
	return a
}

// used marks a code as used, and returns the reason that follows.
func (s *Store) used(mark wire.ID) wire.Reason {
	switch first, err := s.use(mark); {
	case err != nil: // not on disk: a power cut would bring it back
		return wire.ReasonNotReady
	case !first:
		return wire.ReasonReplayed // another door was faster
	}
	return wire.ReasonGranted
}

func (s *Store) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recalled
}

// known returns the code that was typed, if it is of the present epoch.
func (s *Store) known(typed device.PIN) (code, bool) {
	s.mu.Lock()
	salt, rounds, none := s.file.Salt, s.file.Rounds, len(s.file.Codes) == 0
	s.mu.Unlock()
	if none {
		return code{}, false
	}
	stretched, err := s.stretch(typed.Digits(), salt, rounds)
	if err != nil {
		s.p.Log.Error().Err(err).Msg("a code could not be checked")
		return code{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(stretched)
	if i < 0 || s.file.Codes[i].Epoch != s.epoch() {
		return code{}, false
	}
	return s.file.Codes[i], true
}

// wrong counts a wrong code; each five in a row at a reader raise an alarm.
func (s *Store) wrong(at place) {
	if n := s.tries.Wrong(at); n%atReader.Burst == 0 {
		s.p.Journal.Queue(wire.Header{Kind: wire.KindTenancy, Outcome: wire.OutcomeRefused, Reason: wire.ReasonWrongPIN,
			Door: at.door, Source: at.reader, Count: uint64(n)}, wire.Who{})
	}
}
