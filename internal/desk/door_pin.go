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
// alarm (another after each five more), and one try each half minute.
func (d *Desk) CheckPIN(tenancy wire.ID, typed device.PIN) (bool, error) {
	p := (*d.pins.Load())[tenancy]
	if p == nil {
		return false, nil
	}
	n, ok := d.doors.try(tenancy, time.Now())
	if !ok {
		return false, nil
	}
	hash, err := p.derive(typed.Digits())
	if err != nil {
		return false, err
	}
	if subtle.ConstantTimeCompare(hash, p.Hash) == 1 {
		d.doors.forgive(tenancy)
		return true, nil
	}
	if n%pinTries == 0 {
		d.p.Journal.Queue(wire.Header{Kind: wire.KindTenancy, Outcome: wire.OutcomeRefused, Reason: wire.ReasonWrongPIN, Count: uint64(n)},
			wire.Who{Tenancy: &tenancy})
	}
	return false, nil
}

// try counts a try as a wrong one before it is looked at, so that several doors
// at once get no more of them. It returns how many there are in a row, and false
// where the tenancy has to wait.
func (w *doorPINs) try(tenancy wire.ID, now time.Time) (int, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.wrong[tenancy]
	if t.n >= pinTries && now.Sub(t.last) < doorPause {
		return t.n, false
	}
	w.wrong[tenancy] = wrongPINs{t.n + 1, now}
	return t.n + 1, true
}

// forgive forgets the wrong ones: the right one came.
func (w *doorPINs) forgive(tenancy wire.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.wrong, tenancy)
}
