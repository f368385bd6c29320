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
	// aheadUnsure is the same of the newest document that root or issuer signed,
	// where no clock is trusted. It is the same at every start: step by step leads
	// no further.
	aheadUnsure = 60 * 24 * time.Hour
	// settleFor is how long a clock is given to be set by a time server before
	// more than a day is believed without it.
	settleFor = 10 * time.Minute
)

var errFarTime = errors.New("the registry's time is too far ahead to be believed")

// hearTime takes the time of an ack.
func (a *actor) hearTime(unix int64, now time.Time) error {
	if a.heardFirst.IsZero() {
		a.heardFirst = now
	}
	if unix > a.latest(now) {
		return errFarTime
	}
	a.o.Keyring.RaiseFloor(unix)
	return nil
}

// latest is the latest time of a witness that is believed now, unix s.
func (a *actor) latest(now time.Time) int64 {
	const day = int64(aheadTrusted / time.Second)
	if stamp := a.o.Clock(); stamp.Trusted {
		return stamp.Wall/1000 + day
	}
	reg := a.o.Keyring.Registry()
	signed := max(int64(reg.Trust.Issued), int64(reg.House.Issued), a.o.Keyring.Status().Issued.Unix())
	if now.Sub(a.heardFirst) < settleFor {
		return max(signed, a.o.Keyring.Floor()) + day
	}
	return signed + int64(aheadUnsure/time.Second)
}

// takeTime does so, but not where the registry doubts its own clock, and records a time that is not believed. The rest of the
// ack counts all the same.
func (a *actor) takeTime(k wire.Ack2, now time.Time) {
	if k.NoTime {
		return
	}
	if err := a.hearTime(int64(k.Time), now); err != nil {
		a.refuse(wire.TypeAck, err)
	}
}
