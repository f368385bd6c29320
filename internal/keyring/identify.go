package keyring

import (
	"errors"
	"slices"

	"gatehouse/device"
	"gatehouse/internal/cardnumber"
	"gatehouse/sync/wire"
)

// Identify returns the id of a card in this building; it fails where the
// gateway has no building key.
func (k *Keyring) Identify(c device.Card) (wire.CredentialID, error) {
	b := k.building.Load()
	if b == nil {
		return wire.CredentialID{}, errors.New("identify card: no building key")
	}
	return b.Identify(c), nil
}

// IdentifyAll returns the ids of the card and of the forms in which readers of this
// and of other gateways see it (DeriveFor), its own first.
func (k *Keyring) IdentifyAll(c device.Card) ([]wire.CredentialID, error) {
	var ids []wire.CredentialID
	for _, form := range cardnumber.DeriveFor(c, slices.Concat(cardnumber.DerivedShapes(), k.opts.Shapes)) {
		id, err := k.Identify(form.Card)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// Anonymous returns the id of a card under a random key that lives in memory
// only, until the next start and at most 24 h. It tells repeats from each other
// within a day, and leaves no track of strangers over days.
func (k *Keyring) Anonymous(c device.Card) wire.CredentialID { return k.daily.Identify(c) }
