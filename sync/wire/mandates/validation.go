package mandates

import (
	"crypto"
	"fmt"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
)

// TypeValidation is the type of a validation's envelope: role approver, address: the registry.
const TypeValidation = "validation"

// Validation is the word of a second authority that a mandate of an emergency was right. It is for
// the very bytes that the first approver has signed, so that it can't be moved to another paper.
type Validation struct {
	Reference wire.ID   `cbor:"1,keyasint"` // of the mandate
	Mandate   wire.Hash `cbor:"2,keyasint"` // SHA-256 of its envelope
	By        Authority `cbor:"3,keyasint"`
}

// Sign returns the envelope for a registry. An error wraps wire.ErrMalformed where a part is missing.
func (v Validation) Sign(registry string, key crypto.Signer) ([]byte, error) {
	if err := v.check(); err != nil {
		return nil, fmt.Errorf("sign validation: %w", err)
	}
	payload, err := canonical.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("sign validation: %w", err)
	}
	return wire.Sign(wire.Protected{Type: TypeValidation, Role: wire.RoleApprover, Address: registry}, payload, key)
}

// OpenValidation returns the validation of an envelope that an approver of the trust document has
// signed, and the approver's key. Whether that one may validate it is not judged here. Errors are
// those of wire.Open and wire.Decode.
func OpenValidation(envelope []byte, trust wire.Trust) (v Validation, by wire.KeyID, err error) {
	keys := make([]wire.Key, len(trust.Approvers))
	for i, a := range trust.Approvers {
		keys[i] = wire.Key{Role: wire.RoleApprover, Public: a.Public[:]}
	}
	payload, p, err := wire.Open(envelope, wire.Expect{Type: TypeValidation, Role: wire.RoleApprover, Address: trust.Registry}, keys)
	if err != nil {
		return v, by, fmt.Errorf("validation: %w", err)
	}
	if err = canonical.Decode("validation", payload, &v); err == nil {
		err = v.check()
	}
	if err != nil {
		return Validation{}, by, fmt.Errorf("validation: %w", err)
	}
	return v, p.KeyID, nil
}

func (v Validation) check() error {
	switch {
	case v.Reference == wire.ID{} || v.Mandate == wire.Hash{}:
		return fmt.Errorf("%w: no mandate", wire.ErrMalformed)
	case !wire.ValidText(v.By.Name) || !wire.ValidText(v.By.File):
		return fmt.Errorf("%w: the validating authority and the number of its file, 1 to 64 characters each", wire.ErrMalformed)
	}
	return nil
}
