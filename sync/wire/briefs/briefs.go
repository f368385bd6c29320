// Package briefs has the bytes of a building's list of tenancies whom logs name for a shorter time: an issuer signs it
// for all gateways of the building, as each keeps its own log.
//
// It refuses to say why, and when that ends: no age, birthday or name is in it. Its functions are safe for concurrent use.
package briefs

import (
	"bytes"
	"crypto"
	"fmt"
	"slices"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
)

// Type is the type of a list's envelope, and of the message to a gateway that it is: role issuer, address: the building.
const Type = "briefs"

// Most is how many tenancies a list may have: with its envelope it is one message.
const Most = 3072

// List is the payload.
type List struct {
	Tenancies []wire.ID `cbor:"1,keyasint"` // ascending; none: the issuer knows of no such tenancy
}

// Sign returns the envelope for a building, by an issuer's key of an epoch. An error wraps wire.ErrMalformed where there
// are too many, or they are out of order.
func (l List) Sign(building string, epoch uint64, key crypto.Signer) ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("sign list of tenancies kept briefly: %w", err)
	}
	l.Tenancies = append([]wire.ID{}, l.Tenancies...) // an empty list is not null
	payload, err := canonical.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("sign list of tenancies kept briefly: %w", err)
	}
	return wire.Sign(wire.Protected{Type: Type, Role: wire.RoleIssuer, Epoch: epoch, Address: building}, payload, key)
}

// Open returns the list of an envelope that one of the issuers has signed for a building. Errors are those of
// wire.Open and wire.Decode.
func Open(envelope []byte, building string, issuers []wire.Key) (l List, err error) {
	payload, _, err := wire.Open(envelope, wire.Expect{Type: Type, Role: wire.RoleIssuer, Address: building}, issuers)
	if err == nil {
		err = canonical.Decode(Type, payload, &l)
	}
	if err == nil {
		err = l.check()
	}
	if err != nil {
		return List{}, fmt.Errorf("list of tenancies kept briefly: %w", err)
	}
	return l, nil
}

func (l List) check() error {
	if len(l.Tenancies) > Most {
		return fmt.Errorf("%w: %d tenancies, at most %d", wire.ErrMalformed, len(l.Tenancies), Most)
	}
	last := wire.ID{} // that is none
	for _, id := range l.Tenancies {
		if bytes.Compare(last[:], id[:]) >= 0 {
			return fmt.Errorf("%w: tenancies out of order", wire.ErrMalformed)
		}
		last = id
	}
	return nil
}

// Of returns the list of some tenancies, each once and in order; beyond Most the last ones are not in it.
func Of(tenancies []wire.ID) List {
	all := slices.Clone(tenancies)
	slices.SortFunc(all, func(a, b wire.ID) int { return bytes.Compare(a[:], b[:]) })
	all = slices.Compact(all)
	return List{all[:min(len(all), Most)]}
}
