package sealed

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"unicode/utf8"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
)

// About is what a resident finds wrong. Numbers are for ever.
type About uint8

const (
	AboutEntry  About = 1 // of the log
	AboutName   About = 2
	AboutNumber About = 3 // of the document
	AboutFlat   About = 4
	AboutTerm   About = 5
	AboutCard   About = 6
	AboutOther  About = 7
)

var abouts = map[About]string{AboutEntry: "entry", AboutName: "name", AboutNumber: "number", AboutFlat: "flat", AboutTerm: "term", AboutCard: "card", AboutOther: "other"}

// String returns the stable name.
func (a About) String() string {
	if name, ok := abouts[a]; ok {
		return name
	}
	return fmt.Sprintf("about_%d", uint8(a))
}

// AboutOf is what String names.
func AboutOf(name string) (About, bool) {
	for a, n := range abouts {
		if n == name {
			return a, true
		}
	}
	return 0, false
}

// Correction is a resident's request, for the registry's clerks. It names nobody but by tenancy and card.
type Correction struct {
	Tenancy  wire.ID           `cbor:"1,keyasint"`
	Card     wire.CredentialID `cbor:"2,keyasint"` // that was held up
	About    About             `cbor:"3,keyasint"`
	Epoch    uint64            `cbor:"4,keyasint,omitempty"` // of the entry that it is about; 0: of none
	Sequence uint64            `cbor:"5,keyasint,omitempty"`
	Text     string            `cbor:"6,keyasint"`
}

// MaxCorrection is the most bytes of Correction.Text, so that its encoding fits into Record.Fixed, sealed.
const MaxCorrection = 560

func (c Correction) check() error {
	if c.About == 0 || c.Text == "" || len(c.Text) > MaxCorrection || !utf8.ValidString(c.Text) || c.Epoch == 0 && c.Sequence != 0 || (c.About == AboutEntry) != (c.Epoch != 0) {
		return fmt.Errorf("correction: %w", wire.ErrMalformed)
	}
	return nil
}

// ErrErased means that nobody can open the request any more: its who part was erased, and the key in it.
var ErrErased = errors.New("the request was erased")

// Record returns the record of the request, and the who part for its entry. The request is sealed once more, under a key
// that stands in the who part alone: who erases that, erases the request, and the entry's header and the tree stay.
func (c Correction) Record() (Record, wire.Who, error) {
	if err := c.check(); err != nil {
		return Record{}, wire.Who{}, err
	}
	b, err := canonical.Marshal(c)
	if err != nil {
		return Record{}, wire.Who{}, fmt.Errorf("encode correction: %w", err)
	}
	var key wire.ID
	rand.Read(key[:]) // never fails: it ends the program instead
	text, err := correctionKey(key)
	if err != nil {
		return Record{}, wire.Who{}, err
	}
	return Record{What: Correct, Fixed: text.Seal(nil, nonce[:], b, nil)}, wire.Who{Tenancy: &c.Tenancy, Grant: &key}, nil
}

// CorrectionOf reads the record of a request with the who part of its entry, and nothing else. Requests of before the
// second seal are read without one. ErrErased: there is no who part any more.
func CorrectionOf(r Record, who wire.Who) (c Correction, err error) {
	if r.What != Correct {
		return c, fmt.Errorf("correction: %w: a record of %s", wire.ErrMalformed, r.What)
	}
	b := r.Fixed
	if who.Grant != nil {
		key, err := correctionKey(*who.Grant)
		if err != nil {
			return c, err
		}
		if b, err = key.Open(nil, nonce[:], b, nil); err != nil {
			return c, fmt.Errorf("correction: %w: another key", wire.ErrMalformed)
		}
	}
	err = canonical.Decode("correction", b, &c)
	if err == nil {
		err = c.check()
	}
	switch {
	case err == nil && (who.Tenancy == nil || *who.Tenancy == c.Tenancy):
		return c, nil
	case err == nil:
		return Correction{}, fmt.Errorf("correction: %w: of another tenancy", wire.ErrMalformed)
	case who.Grant == nil && len(b) > tagSize:
		return Correction{}, ErrErased // no bytes of before begin otherwise than as a request
	}
	return Correction{}, err
}

func correctionKey(key wire.ID) (cipher.AEAD, error) {
	return keyOf(hmac.New(sha256.New, key[:]), "gatehouse correction v1\x00", nil)
}
