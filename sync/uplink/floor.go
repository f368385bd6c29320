package uplink

import (
	"errors"
	"time"

	"gatehouse/sync/wire"
)

// How far ahead of what a gateway knows the registry's time may be. A floor that
// is too high ends keys for good, and the witness's key, which signs it, is on a
// busy server: whoever steals that must not be able to expire a city.
const (
	aheadTrusted = 24 * time.Hour // of a clock that is trusted
	// aheadUnsure is the same of the floor that was there at the start, and the time
	// that has passed since, where no clock is trusted: longer without power than
	// that, and time has to come from elsewhere.
	aheadUnsure = 60 * 24 * time.Hour
)

var errFarTime = errors.New("the registry's time is too far ahead to be believed")

// floorGuard says how much of a witness's time is believed.
type floorGuard struct {
	began time.Time // monotonic
	floor int64     // then; 0: none is known, so the first one is believed
}

// hearTime takes the time of an ack.
func (a *actor) hearTime(unix int64, now time.Time) error {
	g := &a.guard
	if g.floor == 0 {
		g.began, g.floor = now, a.o.Keyring.Floor()
	}
	most := g.floor + int64((aheadUnsure+now.Sub(g.began))/time.Second)
	if stamp := a.o.Clock(); stamp.Trusted {
		most = stamp.Wall/1000 + int64(aheadTrusted/time.Second)
	} else if g.floor == 0 {
		most = unix
	}
	if unix > most {
		return errFarTime
	}
	a.o.Keyring.RaiseFloor(unix)
	return nil
}

// takeTime does so, and records a time that is not believed. The rest of the
// ack counts all the same.
func (a *actor) takeTime(k wire.Ack, now time.Time) {
	if err := a.hearTime(int64(k.Time), now); err != nil {
		a.refuse(wire.TypeAck, err)
	}
}
