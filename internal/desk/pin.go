package desk

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/idnumber"
	"gatehouse/sync/wire"
)

// Limits of PINs. A short secret is not saved by slow hashing alone, so wrong
// ones are counted on disk, before they are looked at.
const (
	pinLeast, pinMost = 4, 8
	pinRounds         = 100_000 // of PBKDF2-HMAC-SHA256
	pinTries          = 5
	pinPause          = 15 * time.Minute
)

// pin is a tenant's PIN, salted and hashed.
type pin struct {
	Salt   []byte `json:"salt"`
	Hash   []byte `json:"hash"`
	Rounds int    `json:"rounds"`
	Wrong  int    `json:"wrong,omitempty"` // in a row
	Own    bool   `json:"own,omitempty"`   // chosen on the tenant's word; else the landlord may know it, and it proves nothing at the desk
}

// newPIN hashes a PIN that a tenant chose; nil for none.
func newPIN(text string) (*pin, error) {
	text = idnumber.Fold(text)
	switch {
	case text == "":
		return nil, nil
	case len(text) < pinLeast || len(text) > pinMost || strings.Trim(text, "0123456789") != "":
		return nil, refuse("or leave it empty: then only a card proves who it is", "a PIN has %d to %d digits", pinLeast, pinMost)
	case strings.Trim(text, text[:1]) == "" || strings.Contains("0123456789876543210", text):
		return nil, refuse("", "this PIN is the first that anybody would try")
	}
	p := &pin{Salt: make([]byte, 16), Rounds: pinRounds}
	_, _ = rand.Read(p.Salt) // never fails
	hash, err := p.derive(text)
	p.Hash = hash
	return p, err
}

func (p *pin) derive(text string) ([]byte, error) {
	hash, err := pbkdf2.Key(sha256.New, text, p.Salt, p.Rounds, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("hash PIN: %w", err)
	}
	return hash, nil
}

// checkPIN proves a tenant by PIN. Five wrong ones in a row cost a quarter of an
// hour; a restart in between begins it anew.
func (d *Desk) checkPIN(t *tenancy, text string) error {
	if t.PIN == nil {
		return refuse("prove it by card", "this tenancy has no PIN here")
	}
	until, paused := d.pauses[t.ID]
	if t.PIN.Wrong >= pinTries && !paused {
		until = time.Now().Add(pinPause)
		d.pauses[t.ID] = until
	}
	if wait := time.Until(until); wait > 0 {
		d.enterWrongPIN(t)
		return refuse("or prove it by card", "too many wrong PINs: wait %s", amount.Of(int((wait+time.Minute-1)/time.Minute), "minute"))
	}
	if t.PIN.Wrong >= pinTries {
		t.PIN.Wrong = 0
	}
	delete(d.pauses, t.ID)
	t.PIN.Wrong++
	if err := d.save(); err != nil {
		t.PIN.Wrong--
		return fmt.Errorf("a try that can't be counted is not taken: %w", err)
	}
	hash, err := t.PIN.derive(idnumber.Fold(text))
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(hash, t.PIN.Hash) == 1 {
		t.PIN.Wrong = 0
		_ = d.save() // logged there; at worst a right one counts as a try
		return nil
	}
	d.enterWrongPIN(t)
	if t.PIN.Wrong >= pinTries {
		d.pauses[t.ID] = time.Now().Add(pinPause)
	}
	return refuse("after five wrong ones it waits for a quarter of an hour", "wrong PIN")
}

// keepPIN writes a PIN that the tenant chose, and that it was chosen.
func (d *Desk) keepPIN(t *tenancy, chosen *pin) (remarks []string) {
	chosen.Own = true
	if d.book.find(t.ID) == nil { // only the list knew it
		d.book.Tenancies = append(d.book.Tenancies, t)
	}
	t.PIN = chosen
	delete(d.pauses, t.ID)
	if d.save() != nil {
		remarks = append(remarks, "the PIN could not be written: see gatehouse status about the disk")
	}
	id := t.ID
	d.p.Journal.Queue(wire.Header{Kind: wire.KindTenancy, Outcome: wire.OutcomeDone, Reason: wire.ReasonPINChosen}, wire.Who{Tenancy: &id})
	return remarks
}

func (d *Desk) enterWrongPIN(t *tenancy) {
	id := t.ID
	d.p.Journal.Queue(wire.Header{Kind: wire.KindTenancy, Outcome: wire.OutcomeRefused, Reason: wire.ReasonWrongPIN}, wire.Who{Tenancy: &id})
}
