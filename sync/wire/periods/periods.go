// Package periods has the policy of a registry of how long it is kept who passed, as its root signs it for all buildings.
//
// It refuses to lengthen anything: a policy says at most, and whoever keeps less by its own setting goes on doing so. Its functions are safe
// for concurrent use.
package periods

import (
	"fmt"
	"time"

	"gatehouse/sync/wire/internal/canonical"
)

// Most is the longest period that a policy may name, in days: twice what a registry keeps acts for unless it is told otherwise.
const Most = 400

// Brief is for how many days whoever is under 14 is named where no policy says less.
const Brief = 7

// Periods are for how many days who parts stay, by class; 0: nothing is said of it.
type Periods struct {
	Whos     uint16 `cbor:"1,keyasint,omitempty"` // at a gateway, after their file was closed
	Children uint16 `cbor:"2,keyasint,omitempty"` // at a gateway likewise, and at the registry after it has come, of who is under 14
	Passages uint16 `cbor:"3,keyasint,omitempty"` // at the registry: cards and codes at doors
	Acts     uint16 `cbor:"4,keyasint,omitempty"` // at the registry: all else that names somebody
}

// Least returns the smaller of own periods and those of a policy, by class. Without a policy, nil, they are the own ones.
func (p *Periods) Least(own Periods) Periods {
	if p == nil {
		return own
	}
	return Periods{least(p.Whos, own.Whos), least(p.Children, own.Children), least(p.Passages, own.Passages), least(p.Acts, own.Acts)}
}

func least(a, b uint16) uint16 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// Or returns the periods with those of o in the place of what is not said.
func (p Periods) Or(o Periods) Periods {
	or := func(a, b uint16) uint16 {
		if a == 0 {
			return b
		}
		return a
	}
	return Periods{or(p.Whos, o.Whos), or(p.Children, o.Children), or(p.Passages, o.Passages), or(p.Acts, o.Acts)}
}

// Check refuses a policy that no trust document may have: one that says nothing, or a period beyond Most. None, nil, is good. An error
// wraps canonical.ErrMalformed.
func (p *Periods) Check() error {
	switch {
	case p == nil:
		return nil
	case *p == Periods{}:
		return fmt.Errorf("%w: a policy without periods", canonical.ErrMalformed)
	case max(p.Whos, p.Children, p.Passages, p.Acts) > Most:
		return fmt.Errorf("%w: a period of more than %d days", canonical.ErrMalformed, Most)
	}
	return nil
}

// Days is a period as a duration.
func Days(n uint16) time.Duration { return time.Duration(n) * 24 * time.Hour }
