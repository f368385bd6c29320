package doorcode

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"gatehouse/device"
	"gatehouse/sync/wire"
)

// GuestsMost is the most guest codes of a tenancy that are not over.
const GuestsMost = 5

// ErrGuests means that a tenancy has GuestsMost guest codes.
var ErrGuests = errors.New("the tenancy has as many guest codes as it may")

// Errors of Look.
var (
	ErrNoGuest = errors.New("no guest code that is good has these digits")
	ErrTries   = errors.New("too many wrong codes were looked at")
)

// atPage stands for the house's page, where guests type their codes too: its tries are limited as
// those of a reader.
var atPage = place{reader: "page"}

// Terms are the terms of a guest code: it opens any number of times until its end, or once.
type Terms struct {
	From  uint32 `json:"from,omitempty"` // Unix s; 0: at once
	Until uint32 `json:"until"`          // Unix s, exclusive
	Once  bool   `json:"once,omitempty"` // it opens once
}

// given is what the file has only of a guest code.
type given struct {
	ID string `json:"id"` // its name for people; the journal never has it
	Terms
}

// Guest is a guest code without its digits.
type Guest struct {
	ID      string
	Tenancy wire.ID
	Terms
	Used bool // only of one that opens once, for the tenant who gave it
}

// Invite gives a tenancy one more guest code and returns its digits, which are never shown again.
// It is durable when it returns. Codes of the tenancy that are over now (Unix s) are deleted first.
// The error is ErrGuests or that of the disk, and then nothing has changed.
func (s *Store) Invite(tenancy wire.ID, t Terms, now uint32) (digits string, g Guest, err error) {
	id := make([]byte, 4)
	_, _ = rand.Read(id) // never fails
	digits, c, err := s.draw(code{Tenancy: tenancy, Guest: &given{hex.EncodeToString(id), t}})
	if err != nil {
		return "", Guest{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stay := s.without(func(o code) bool { return o.Tenancy == tenancy && o.Guest != nil && !s.lasts(o, now) })
	n := 0
	for _, o := range stay {
		if o.Tenancy == tenancy && o.Guest != nil {
			n++
		}
	}
	if n >= GuestsMost {
		return "", Guest{}, ErrGuests
	}
	if err := s.put(append(stay, c)); err != nil {
		return "", Guest{}, err
	}
	return digits, c.shown(), nil
}

// lasts reports whether a guest code is of this epoch and not over now (Unix s). Used codes count
// too, so that no count shows whether one was used. The caller holds mu.
func (s *Store) lasts(c code, now uint32) bool {
	return c.Guest != nil && c.Guest.Until > now && c.Epoch == s.epoch()
}

func (c code) shown() Guest {
	return Guest{c.Guest.ID, c.Tenancy, c.Guest.Terms, c.Used && c.Guest.Once}
}

// Guests returns the guest codes that are not over now (Unix s), the oldest first.
func (s *Store) Guests(now uint32) (all []Guest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.file.Codes {
		if s.lasts(c, now) {
			all = append(all, c.shown())
		}
	}
	return all
}

// Uninvite deletes the guest code with that id, and returns what it was; false if there is none.
// With an error of the disk the code stays.
func (s *Store) Uninvite(id string) (Guest, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.file.Codes, func(c code) bool { return c.Guest != nil && c.Guest.ID == id })
	if i < 0 {
		return Guest{}, false, nil
	}
	g := s.file.Codes[i].shown()
	return g, true, s.put(s.without(func(c code) bool { return c.Guest != nil && c.Guest.ID == id }))
}

// Look returns the guest code that somebody has typed on the house's page, if it is not over now (Unix s). Whether it
// was used is not said: whoever has read the digits would learn that the guest came.
//
// The error is ErrTries, or else ErrNoGuest at the same cost: there is none, it is over, or it is a tenant's own. That
// is no reason for an alarm where the code is one of this gateway.
func (s *Store) Look(typed device.PIN, now uint32) (Guest, error) {
	if s.p.Key == nil || typed.Len() != Digits {
		return Guest{}, ErrNoGuest
	}
	if !s.tries.Take(atPage, time.Now()) {
		return Guest{}, ErrTries
	}
	c, ok := s.known(typed)
	if !ok {
		s.wrong(atPage)
		return Guest{}, ErrNoGuest
	}
	s.mu.Lock()
	good := s.lasts(c, now)
	s.mu.Unlock()
	if !good {
		return Guest{}, ErrNoGuest
	}
	s.tries.Right(atPage)
	g := c.shown()
	g.Used = false
	return g, nil
}

// prefix precedes the digits in the QR code of a guest code. Letters, digits and the dash are of
// the alphabet of the smallest QR codes.
const prefix = "GHG1-"

// QR returns the content of a guest code's QR code.
func QR(digits string) string { return prefix + digits }

// Scanned returns the digits of a guest code that a scanner has read; false for another code.
func (*Store) Scanned(read device.Code) (device.PIN, bool) {
	digits, ok := strings.CutPrefix(strings.TrimSpace(read.Text()), prefix)
	if !ok {
		return device.PIN{}, false
	}
	return device.NewPIN(digits)
}
