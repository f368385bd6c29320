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

// Bounds of wrong codes, at one reader and in the house: a reader alone can't use up what
// the house has, so that codes go on at the others. Who guesses at all of them for a year,
// with an alarm after each five, has one chance in a hundred in a house of twenty
// tenancies, and two where each of them has all of its guest codes all the year. Cards are
// never held off.
var (
	atReader = guess.Limit{Burst: 5, Every: time.Minute}
	atHouse  = guess.Limit{Burst: 20, Every: 30 * time.Second}
)

// place is a reader of a door.
type place struct{ door, reader string }

// Open decides on a code that was typed at a reader's keys or held before it, and uses it up
// where it is granted and opens once: that is durable when it returns, or it is not granted.
//
// The first that fails is the reason: not ready (no grants, key or log yet), bad code (none
// of this gateway, or one too many wrong ones at this reader or in this house), replayed
// (used before), then a guest code's time (expired, not yet, or clock untrusted where what is
// known of the time differs about it), and what the grants of its tenancy say. A card that was
// reported lost does not stop the codes of its tenancy; one that the registry has suspended
// does. A code that opens more than once leaves no mark in the header of its entries, which
// would tell for ever that they are of one guest.
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
	dec := access.DecideHome(s.p.Grants(), c.Tenancy, s.p.Lost, access.Query{Door: doorID, Time: now})
	a.Reason, a.Doubtful = dec.Reason, dec.Doubtful
	if dec.Grant != (wire.ID{}) {
		a.Who.Grant = &dec.Grant
	}
	if a.Reason == wire.ReasonGranted && c.once() {
		a.Reason = s.used(c.Mark)
	}
	return a
}

// used takes a code as used, and says what comes of that.
func (s *Store) used(mark wire.ID) wire.Reason {
	switch first, err := s.use(mark); {
	case err != nil: // it is not on the disk, so a power cut would bring it back
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

// known returns the code that was typed, if it is one of now.
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

// wrong counts a wrong code; each five in a row at a reader are an alarm.
func (s *Store) wrong(at place) {
	if n := s.tries.Wrong(at); n%atReader.Burst == 0 {
		s.p.Journal.Queue(wire.Header{Kind: wire.KindTenancy, Outcome: wire.OutcomeRefused, Reason: wire.ReasonWrongPIN,
			Door: at.door, Source: at.reader, Count: uint64(n)}, wire.Who{})
	}
}
