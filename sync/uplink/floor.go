package uplink

import (
	"errors"
	"time"

	"gatehouse/sync/wire"
)

// How far ahead of what a gateway knows the registry's time may be to raise the
// floor, which says what it is at least where nothing fresher tells it. The
// witness's key, which signs it, is on a busy server.
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

// SignedTime is a time that a witness has signed for a nonce of ours, so that it is
// no old one: it is an upper bound too.
type SignedTime struct {
	Unix   int64         // s
	Epoch  uint64        // of the witness's key
	Within time.Duration // so long ago, at most, it was signed
}

const (
	// freshFor is how long after a nonce was first sent an answer to it is fresh.
	// The broker may keep an answer back for as long.
	freshFor = 30 * time.Second
	// apartEvery is how soon a hello follows one whose time is against what the
	// gateway knows: the wrong one may be right again.
	apartEvery = 10 * time.Minute
)

// hearFresh hands on the time of the first answer to a hello. Any other one says
// only that it is not earlier.
func (a *actor) hearFresh(k wire.Ack2, epoch uint64) {
	if a.o.Fresh == nil || k.Nonce != a.nonce || a.nonce == (wire.Nonce{}) || a.answered == a.nonce {
		return
	}
	a.answered = a.nonce
	if within := a.bootTime() - a.nonceAt; within <= freshFor {
		a.apart = a.o.Fresh(SignedTime{Unix: int64(k.Time), Epoch: epoch, Within: within})
	}
}

func (a *actor) bootTime() time.Duration { return time.Duration(a.o.Clock().BootTime) }

// greetNext is when the next hello follows one that was answered: at the hours that
// no passage moves.
func (a *actor) greetNext(now time.Time) time.Time {
	if next := now.Add(apartEvery); a.apart && next.Before(a.connection.hours(now)) {
		return next
	}
	return a.connection.hours(now)
}

// hearTime takes the time of an ack, with the epoch of the key that signed it.
func (a *actor) hearTime(unix int64, epoch uint64, now time.Time) error {
	if a.heardFirst.IsZero() {
		a.heardFirst = now
	}
	if unix > a.latest(now) {
		return errFarTime
	}
	a.o.Keyring.RaiseFloor(unix, epoch)
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

// takeTime does both, but not where the registry doubts its own clock, and records
// a time that is not believed. The rest of the ack counts all the same.
func (a *actor) takeTime(k wire.Ack2, epoch uint64, now time.Time) {
	if k.NoTime {
		return
	}
	a.hearFresh(k, epoch)
	if err := a.hearTime(int64(k.Time), epoch, now); err != nil {
		a.refuse(wire.TypeAck, err)
	}
}
