package sealed

import (
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

// MaxCorrection is the most bytes of Correction.Text, so that its encoding fits into Record.Fixed.
const MaxCorrection = 560

func (c Correction) check() error {
	if c.About == 0 || c.Text == "" || len(c.Text) > MaxCorrection || !utf8.ValidString(c.Text) || c.Epoch == 0 && c.Sequence != 0 || (c.About == AboutEntry) != (c.Epoch != 0) {
		return fmt.Errorf("correction: %w", wire.ErrMalformed)
	}
	return nil
}

// Record returns the record of the request.
func (c Correction) Record() (Record, error) {
	if err := c.check(); err != nil {
		return Record{}, err
	}
	b, err := canonical.Marshal(c)
	if err != nil {
		return Record{}, fmt.Errorf("encode correction: %w", err)
	}
	return Record{What: Correct, Fixed: b}, nil
}

// CorrectionOf reads the record of a request, and nothing else.
func CorrectionOf(r Record) (c Correction, err error) {
	if r.What != Correct {
		return c, fmt.Errorf("correction: %w: a record of %s", wire.ErrMalformed, r.What)
	}
	if err := canonical.Decode("correction", r.Fixed, &c); err != nil {
		return Correction{}, err
	}
	return c, c.check()
}
