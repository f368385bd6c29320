// Package approver has the keys that sign mandates, as the root certifies them for a district or a
// town. It refuses to know who sits there: a seat has a name, a person does not. Its functions are
// safe for concurrent use.
package approver

import (
	"fmt"

	"gatehouse/sync/wire/internal/canonical"
)

// Most bounds the approvers of a trust document: two for each of 172 towns, with room for districts.
const Most = 512

// Approver is one key that may sign mandates.
type Approver struct {
	_        struct{} `cbor:",toarray"`
	Seat     string   // [a-z0-9-]{1,32}, unique within the document
	Public   [32]byte // Ed25519
	District string
	Town     string // empty: every town of the district
}

// Holds reports whether the approver may sign for buildings of a town.
func (a Approver) Holds(district, town string) bool {
	return a.District == district && (a.Town == "" || a.Town == town)
}

// Check refuses a list that no trust document may have: seats out of order or named twice, a key
// that stands twice, no district. An error wraps canonical.ErrMalformed.
func Check(all []Approver) error {
	if len(all) > Most {
		return fmt.Errorf("%w: %d approvers, at most %d", canonical.ErrMalformed, len(all), Most)
	}
	keys := make(map[[32]byte]bool, len(all))
	for i, a := range all {
		switch {
		case !canonical.ValidName(a.Seat, false), !canonical.ValidName(a.District, false), !canonical.ValidName(a.Town, true):
			return fmt.Errorf("%w: seat, district and town of approver %d must be [a-z0-9-]{1,32}", canonical.ErrMalformed, i)
		case i > 0 && all[i-1].Seat >= a.Seat:
			return fmt.Errorf("%w: approvers not in the order of their seats, each once", canonical.ErrMalformed)
		case keys[a.Public] || a.Public == [32]byte{}:
			return fmt.Errorf("%w: the key of approver %d stands twice, or is none", canonical.ErrMalformed, i)
		}
		keys[a.Public] = true
	}
	return nil
}
