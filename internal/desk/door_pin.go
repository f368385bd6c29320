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
	wrong map[typist]wrongPINs
}

// typist is who types a tenancy's PIN at doors: holders of its own cards, or of those
// that came on the landlord's word. Wrong ones of these cost the tenant no pause.
type typist struct {
	tenancy  wire.ID
	unproven bool
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

// typistOf says whose card a PIN followed.
func (d *Desk) typistOf(who wire.Who) typist {
	return typist{*who.Tenancy, who.Credential != nil && (*d.unproven.Load())[*who.Credential]}
}

// CheckPIN reports whether the PIN is that of the card's tenancy. It computes for as long as a
// hash that is slow on purpose takes. After five wrong ones in a row there is an
// alarm (another after each five more), and one try each half minute.
func (d *Desk) CheckPIN(who wire.Who, typed device.PIN) (bool, error) {
	if who.Tenancy == nil {
		return false, nil
	}
	p := (*d.pins.Load())[*who.Tenancy]
	if p == nil {
		return false, nil
	}
	by := d.typistOf(who)
	n, ok := d.doors.try(by, time.Now())
	if !ok {
		return false, nil
	}
	hash, err := p.derive(typed.Digits())
	if err != nil {
		return false, err
	}
	if subtle.ConstantTimeCompare(hash, p.Hash) == 1 {
		d.doors.forgive(by)
		return true, nil
	}
	if n%pinTries == 0 {
		d.p.Journal.Queue(wire.Header{Kind: wire.KindTenancy, Outcome: wire.OutcomeRefused, Reason: wire.ReasonWrongPIN, Count: uint64(n)},
			wire.Who{Tenancy: who.Tenancy})
	}
	return false, nil
}

// try counts a try as a wrong one before it is looked at, so that several doors
// at once get no more of them. It returns how many there are in a row, and false
// where they have to wait.
func (w *doorPINs) try(by typist, now time.Time) (int, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.wrong[by]
	if t.n >= pinTries && now.Sub(t.last) < doorPause {
		return t.n, false
	}
	w.wrong[by] = wrongPINs{t.n + 1, now}
	return t.n + 1, true
}

// forgive forgets the wrong ones: the right one came.
func (w *doorPINs) forgive(by typist) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.wrong, by)
}
