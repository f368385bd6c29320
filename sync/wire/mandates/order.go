package mandates

import (
	"crypto"
	"fmt"
	"strings"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
)

// TypeOrder is the type of an order's envelope: role officer, address: the registry.
const TypeOrder = "order"

// RoleOfficer is that of a key that an officer's certificate names.
const RoleOfficer wire.Role = "officer"

// MostPreserved is how much of a door's log an order preserves at most, in seconds.
const MostPreserved = 86400

// Order is an officer's order to preserve what one door's log says of a span: it is kept from erasing
// until a mandate can come. It shows nothing of the log to anybody.
type Order struct {
	Reference   wire.ID `cbor:"1,keyasint"` // random
	Gateway     string  `cbor:"2,keyasint"` // its address, building/gateway
	Door        string  `cbor:"3,keyasint"`
	From        uint32  `cbor:"4,keyasint"` // unix s
	Until       uint32  `cbor:"5,keyasint"` // unix s, exclusive
	Case        string  `cbor:"6,keyasint"` // its number
	Signed      uint32  `cbor:"7,keyasint"` // unix s
	Certificate []byte  `cbor:"8,keyasint"` // the envelope of the officer's certificate
}

// Sign returns the envelope for a registry, by the key of the certificate. An error wraps
// wire.ErrMalformed where a part is missing.
func (o Order) Sign(registry string, key crypto.Signer) ([]byte, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("sign order: %w", err)
	}
	payload, err := canonical.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("sign order: %w", err)
	}
	return wire.Sign(wire.Protected{Type: TypeOrder, Role: RoleOfficer, Address: registry}, payload, key)
}

// ReadOrder returns what an envelope says, and proves nothing of it.
func ReadOrder(envelope []byte) (o Order, registry string, err error) {
	payload, p, err := wire.Read(envelope)
	if err != nil {
		return o, "", fmt.Errorf("order: %w", err)
	}
	if p.Type != TypeOrder {
		return o, "", fmt.Errorf("order: %w", wire.ErrWrongType)
	}
	o, err = decodeOrder(payload)
	return o, p.Address, err
}

// Open proves that the officer of a certificate has signed the order's envelope for a registry. Whose
// word the certificate is, is proved by OpenCertificate. Errors are those of wire.Open.
func (c Certificate) Open(envelope []byte, registry string) (Order, error) {
	key := wire.Key{Role: RoleOfficer, Public: c.Public[:]}
	payload, _, err := wire.Open(envelope, wire.Expect{Type: TypeOrder, Role: RoleOfficer, Address: registry}, []wire.Key{key})
	if err != nil {
		return Order{}, fmt.Errorf("order: %w", err)
	}
	return decodeOrder(payload)
}

func decodeOrder(payload []byte) (o Order, err error) {
	if err = canonical.Decode("order", payload, &o); err == nil {
		err = o.check()
	}
	if err != nil {
		return Order{}, fmt.Errorf("order: %w", err)
	}
	return o, nil
}

func (o Order) check() error {
	building, gateway, two := strings.Cut(o.Gateway, "/")
	switch {
	case o.Reference == wire.ID{}:
		return fmt.Errorf("%w: no reference", wire.ErrMalformed)
	case !two || !wire.ValidName(building, false) || !wire.ValidName(gateway, false) || !wire.ValidName(o.Door, false):
		return fmt.Errorf("%w: building, gateway and door must be [a-z0-9-]{1,32}", wire.ErrMalformed)
	case o.From == 0 || o.Until <= o.From || o.Signed == 0:
		return fmt.Errorf("%w: a span from %d to %d, signed at %d", wire.ErrMalformed, o.From, o.Until, o.Signed)
	case !text(o.Case):
		return fmt.Errorf("%w: a case number that can't be printed, or is too long", wire.ErrMalformed)
	case len(o.Certificate) == 0 || len(o.Certificate) > maxCertificate:
		return fmt.Errorf("%w: a certificate of %d bytes", wire.ErrMalformed, len(o.Certificate))
	}
	return nil
}

// maxCertificate has room for the largest key to receive with.
const maxCertificate = 8192
