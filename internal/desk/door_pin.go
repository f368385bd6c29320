package desk

import (
	"crypto/subtle"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/sync/wire"
)

// doorPINs are the PINs as the doors see them: copies that never change, so that
// no door waits for the desk. Wrong ones are counted apart from the desk's, in
// memory: whoever types at a door holds the card already.
type doorPINs struct {
	mu    sync.Mutex
	wrong map[wire.ID]wrongPINs
}

// wrongPINs counts those in a row. Times are of the monotonic clock.
type wrongPINs struct {
	n    int
	last time.Time
}

// doorPause is how long a tenancy's PIN is not taken after five wrong ones in a
// row and each one more. It is short: a resident who mistypes is to get in, and
// ten thousand PINs still take four days. The alarm is what stops a thief.
const doorPause = 30 * time.Second

// HasPIN reports whether the tenancy chose a PIN at this gateway. It is one
// atomic load, for the doors.
func (d *Desk) HasPIN(tenancy wire.ID) bool { return (*d.pins.Load())[tenancy] != nil }

// CheckPIN reports whether the PIN is the tenancy's. It computes for as long as a
// hash that is slow on purpose takes. After five wrong ones in a row there is an
// alarm, and one try each half minute.
func (d *Desk) CheckPIN(tenancy wire.ID, typed device.PIN) (bool, error) {
	p := (*d.pins.Load())[tenancy]
	if p == nil || d.doors.paused(tenancy, time.Now()) {
		return false, nil
	}
	hash, err := p.derive(typed.Digits())
	if err != nil {
		return false, err
	}
	right := subtle.ConstantTimeCompare(hash, p.Hash) == 1
	if d.doors.count(tenancy, right, time.Now()) == pinTries {
		d.p.Journal.Queue(wire.Header{Kind: wire.KindTenancy, Outcome: wire.OutcomeRefused, Reason: wire.ReasonWrongPIN, Count: pinTries},
			wire.Who{Tenancy: &tenancy})
	}
	return right, nil
}

func (w *doorPINs) paused(tenancy wire.ID, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.wrong[tenancy]
	return t.n >= pinTries && now.Sub(t.last) < doorPause
}

// count returns how many wrong ones there are now in a row.
func (w *doorPINs) count(tenancy wire.ID, right bool, now time.Time) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if right {
		delete(w.wrong, tenancy)
		return 0
	}
	n := w.wrong[tenancy].n + 1
	w.wrong[tenancy] = wrongPINs{n, now}
	return n
}
