package uplink

import (
	"errors"
	"time"

	"gatehouse/sync/wire/journaled"
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

// floor judges the times that witnesses sign.
type floor struct {
	keyring Keyring
	clock   func() journaled.Stamp
	first   time.Time // the first ack of this run
}

// hear takes the time of an ack, unix s, with the epoch of the key that signed it.
func (f *floor) hear(unix int64, epoch uint64, now time.Time) error {
	if f.first.IsZero() {
		f.first = now
	}
	if unix > f.latest(now) {
		return errFarTime
	}
	f.keyring.RaiseFloor(unix, epoch)
	return nil
}

// latest is the latest time of a witness that is believed now, unix s.
func (f *floor) latest(now time.Time) int64 {
	const day = int64(aheadTrusted / time.Second)
	if stamp := f.clock(); stamp.Trusted {
		return stamp.Wall/1000 + day
	}
	signed := max(int64(f.keyring.Trust().Issued), int64(f.keyring.House().Issued), f.keyring.Lists().Issued.Unix())
	if now.Sub(f.first) < settleFor {
		return max(signed, f.keyring.Floor()) + day
	}
	return signed + int64(aheadUnsure/time.Second)
}
