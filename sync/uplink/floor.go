package uplink

import (
	"errors"
	"time"

	"gatehouse/sync/wire/journaled"
)

// Limits on how far the registry's time may be ahead of what a gateway knows, and still raise the
// floor (the earliest possible time, where nothing fresher tells it). The witness's key, which
// signs the time, is on a busy server.
const (
	aheadTrusted = 24 * time.Hour // ahead of a trusted clock
	// aheadUnsure is the limit against the newest document of root or issuer where no clock is
	// trusted. That reference is the same at every start, so repeated small steps lead no further.
	aheadUnsure = 60 * 24 * time.Hour
	// settleFor is how long a clock may take to be set by a time server before a step of more than
	// a day is believed without it.
	settleFor = 10 * time.Minute
)

var errFarTime = errors.New("the registry's time is too far ahead to be believed")

// SignedTime is a time that a witness has signed for a nonce of ours. It can't be a replay, so it
// is an upper bound too.
type SignedTime struct {
	Unix   int64         // s
	Epoch  uint64        // of the witness's key
	Within time.Duration // it was signed at most this long ago
}

// floor judges the times that witnesses sign.
type floor struct {
	keyring Keyring
	clock   func() journaled.Stamp
	first   time.Time // the first ack of this run
}

// hear takes the time of an ack (unix s) and the epoch of the key that signed it.
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

// latest returns the latest time (unix s) that is believed of a witness now.
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
