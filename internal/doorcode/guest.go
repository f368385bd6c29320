package doorcode

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"gatehouse/device"
	"gatehouse/sync/wire"
)

// GuestsMost is how many guest codes a tenancy has that are not over.
const GuestsMost = 5

// ErrGuests means that a tenancy has as many guest codes as it may.
var ErrGuests = errors.New("the tenancy has as many guest codes as it may")

// Terms are those of a guest code: of one, until its end any number of times.
type Terms struct {
	From  uint32 `json:"from,omitempty"` // unix s; 0: at once
	Until uint32 `json:"until"`          // unix s, exclusive
	Once  bool   `json:"once,omitempty"` // it opens once
}

// given is what the file has of a guest code besides.
type given struct {
	ID string `json:"id"` // by which people name it; no part of the log has it
	Terms
}

// Guest is a guest code without its digits.
type Guest struct {
	ID      string
	Tenancy wire.ID
	Terms
	Used bool // of one that opens once, for who has given it; of others nobody knows
}

// Invite gives a tenancy one more guest code and returns its digits, this once. It is good
// when it returns. Those of the tenancy that are over now (unix s) make room. The error is
// ErrGuests or that of the disk, and then nothing has changed.
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

// lasts reports whether a guest code is of this log and not over now. Used ones last, so
// that no count tells whether one is. Callers hold mu.
func (s *Store) lasts(c code, now uint32) bool {
	return c.Guest != nil && c.Guest.Until > now && c.Epoch == s.epoch()
}

func (c code) shown() Guest {
	return Guest{c.Guest.ID, c.Tenancy, c.Guest.Terms, c.Used && c.Guest.Once}
}

// Guests returns the guest codes that are not over now (unix s), those that were given first
// at the front.
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

// Uninvite ends the guest code of an id, and returns what it was; false: there is none. The
// error is that of the disk, and then the code goes on.
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

// prefix begins what a scanner reads of a guest code; the digits follow. Letters, digits and
// the dash are those of the smallest QR codes.
const prefix = "GHG1-"

// QR is what the QR code of a guest code says.
func QR(digits string) string { return prefix + digits }

// Scanned returns the digits of a guest code that a scanner has read; false: it is none.
func (*Store) Scanned(read device.Code) (device.PIN, bool) {
	digits, ok := strings.CutPrefix(strings.TrimSpace(read.Text()), prefix)
	if !ok {
		return device.PIN{}, false
	}
	return device.NewPIN(digits)
}
