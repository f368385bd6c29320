package sealed

import (
	"fmt"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
)

// Fixed is what an answer is made from, whenever it is asked for: then it is the same answer.
type Fixed struct {
	Epoch     uint64              `cbor:"1,keyasint"`
	Size      uint64              `cbor:"2,keyasint"` // of the tree, without the entry that says this
	Root      wire.Hash           `cbor:"3,keyasint"`
	Cosigned  *Cosigned           `cbor:"4,keyasint,omitempty"` // nil: no witness has signed this epoch
	Wall      int64               `cbor:"5,keyasint"`           // the likeliest time, ms since 1970
	Boot      uint64              `cbor:"6,keyasint"`           // number of the run
	BootTime  uint64              `cbor:"7,keyasint"`           // CLOCK_BOOTTIME, ns
	Clock     wire.ClockQuality   `cbor:"8,keyasint"`
	Earliest  int64               `cbor:"9,keyasint"`  // it was not before, unix s
	Latest    int64               `cbor:"10,keyasint"` // nor after
	Tenancies []wire.ID           `cbor:"11,keyasint"` // of the flats and tenancies that are asked for
	Cards     []wire.CredentialID `cbor:"12,keyasint"` // and of the cards
}

// MaxSubjects is how many tenancies and cards together fit into Fixed.
const MaxSubjects = 18

// Cosigned is a checkpoint that a witness has signed.
type Cosigned struct {
	_         struct{} `cbor:",toarray"`
	Size      uint64
	Root      wire.Hash
	Witness   wire.Hash // its public key
	Time      uint64    // unix s
	Signature wire.Signature
}

// Encode returns the one encoding.
func (f Fixed) Encode() ([]byte, error) {
	b, err := canonical.Marshal(f)
	if err == nil && len(b) > MaxFixed {
		err = fmt.Errorf("%w: %d bytes", wire.ErrMalformed, len(b))
	}
	if err != nil {
		return nil, fmt.Errorf("encode what an answer is made from: %w", err)
	}
	return b, nil
}

// DecodeFixed reads what Encode makes, and nothing else.
func DecodeFixed(b []byte) (f Fixed, err error) {
	return f, canonical.Decode("what an answer is made from", b, &f)
}
