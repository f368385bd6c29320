package mandates

import (
	"crypto"
	"fmt"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
)

// TypeOfficer is the type of an officer's certificate: role issuer, address: the registry.
const TypeOfficer = "officer"

// Certificate says that a key is an officer's, of a unit: an approver sees that it is enrolled, and a
// gateway without network that an order to preserve is one. It names nobody.
type Certificate struct {
	Public   [32]byte `cbor:"1,keyasint"` // Ed25519: what the officer signs with
	Receive  []byte   `cbor:"2,keyasint"` // HPKE public key that answers are sealed to; empty: none
	Unit     string   `cbor:"3,keyasint"`
	Badge    string   `cbor:"4,keyasint"`
	District string   `cbor:"5,keyasint"`
	Town     string   `cbor:"6,keyasint"` // empty: every town of the district
	From     uint32   `cbor:"7,keyasint"` // unix s
	Until    uint32   `cbor:"8,keyasint"` // unix s, exclusive; LongestCertificate after From at most
}

// LongestCertificate is how long a certificate may be good for, in seconds: a gateway without network
// hears of no revocation, so that it ends by itself.
const LongestCertificate = 90 * 86400

// Holds reports whether the officer is of a unit for a town.
func (c Certificate) Holds(district, town string) bool {
	return c.District == district && (c.Town == "" || c.Town == town)
}

// Names reports whether a mandate's officer is the one of the certificate.
func (c Certificate) Names(o Officer) bool {
	return o.Key == wire.IDOf(c.Public[:]) && o.Unit == c.Unit && o.Badge == c.Badge
}

// Sign returns the envelope, by an issuer's key of the epoch.
func (c Certificate) Sign(registry string, epoch uint64, key crypto.Signer) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("sign officer's certificate: %w", err)
	}
	payload, err := canonical.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("sign officer's certificate: %w", err)
	}
	return wire.Sign(wire.Protected{Type: TypeOfficer, Role: wire.RoleIssuer, Epoch: epoch, Address: registry}, payload, key)
}

// OpenCertificate returns the certificate of an envelope that an issuer of the trust document has
// signed. It reads no clock. Errors are those of wire.Open and wire.Decode.
func OpenCertificate(envelope []byte, trust wire.Trust) (c Certificate, err error) {
	payload, _, err := wire.Open(envelope, wire.Expect{Type: TypeOfficer, Role: wire.RoleIssuer, Address: trust.Registry}, trust.Keyset(wire.RoleIssuer))
	if err != nil {
		return c, fmt.Errorf("officer's certificate: %w", err)
	}
	return decodeCertificate(payload)
}

// ReadCertificate returns what an envelope says, and proves nothing of it.
func ReadCertificate(envelope []byte) (c Certificate, registry string, err error) {
	payload, p, err := wire.Read(envelope)
	if err == nil && p.Type != TypeOfficer {
		err = wire.ErrWrongType
	}
	if err != nil {
		return c, "", fmt.Errorf("officer's certificate: %w", err)
	}
	c, err = decodeCertificate(payload)
	return c, p.Address, err
}

func decodeCertificate(payload []byte) (c Certificate, err error) {
	if err = canonical.Decode("officer's certificate", payload, &c); err == nil {
		err = c.check()
	}
	if err != nil {
		return Certificate{}, fmt.Errorf("officer's certificate: %w", err)
	}
	return c, nil
}

func (c Certificate) check() error {
	switch {
	case c.Public == [32]byte{} || len(c.Receive) > maxKEM:
		return fmt.Errorf("%w: no key", wire.ErrMalformed)
	case !wire.ValidText(c.Unit) || !wire.ValidText(c.Badge):
		return fmt.Errorf("%w: unit and badge number, 1 to 64 characters each", wire.ErrMalformed)
	case !wire.ValidName(c.District, false) || !wire.ValidName(c.Town, true):
		return fmt.Errorf("%w: district and town must be [a-z0-9-]{1,32}", wire.ErrMalformed)
	case c.From == 0 || c.Until <= c.From || c.Until-c.From > LongestCertificate:
		return fmt.Errorf("%w: good from %d to %d", wire.ErrMalformed, c.From, c.Until)
	}
	return nil
}
