// Package erasures has the bytes of an order to erase: the paper by which a registry has the gateways of a building
// forget whom the entries of one tenancy name. It refuses to say why: that stands in the registry's audit, and a
// tenancy is a random id. Its functions are safe for concurrent use.
package erasures

import (
	"crypto"
	"fmt"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
)

// Type is the type of an order's envelope: role issuer, address: the building.
const Type = "erasure"

// Order is the payload. It is for the entries of before it was made, so that who keeps it can't erase later ones by it.
type Order struct {
	Number  wire.ID `cbor:"1,keyasint"` // random: the hash of the envelope, which a gateway writes down, tells nobody the rest
	Tenancy wire.ID `cbor:"2,keyasint"`
	Made    uint32  `cbor:"3,keyasint"` // unix s
}

// Sign returns the envelope for a building, by an issuer's key of an epoch. An error wraps wire.ErrMalformed where a
// part is missing.
func (o Order) Sign(building string, epoch uint64, key crypto.Signer) ([]byte, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("sign order to erase: %w", err)
	}
	payload, err := canonical.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("sign order to erase: %w", err)
	}
	return wire.Sign(wire.Protected{Type: Type, Role: wire.RoleIssuer, Epoch: epoch, Address: building}, payload, key)
}

// Open returns the order of an envelope that one of the issuers has signed for a building. Errors are those of
// wire.Open and wire.Decode.
func Open(envelope []byte, building string, issuers []wire.Key) (o Order, err error) {
	payload, _, err := wire.Open(envelope, wire.Expect{Type: Type, Role: wire.RoleIssuer, Address: building}, issuers)
	if err == nil {
		err = canonical.Decode("order to erase", payload, &o)
	}
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return Order{}, fmt.Errorf("order to erase: %w", err)
	}
	return o, nil
}

func (o Order) check() error {
	if o.Number == (wire.ID{}) || o.Tenancy == (wire.ID{}) || o.Made == 0 {
		return fmt.Errorf("%w: no number, tenancy or time", wire.ErrMalformed)
	}
	return nil
}
