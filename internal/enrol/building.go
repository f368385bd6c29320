package enrol

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// offeredFile is a building's key that was made here and that no registry has taken yet. It is no
// key of the building before: a gateway that was refused has none, and may enrol again or become a
// standalone house.
const offeredFile = "building.offered"

// fits reports whether the keys of an earlier request are still those of the directory.
func (e *enrolment) fits(r wire.EnrolRequest) bool {
	if !slices.Equal(r.Public[:], e.signing.Public().(ed25519.PublicKey)) {
		return false
	}
	if e.offers = false; r.Number == 0 {
		return true
	}
	building, err := keys.LoadBuildingKey(e.file(keys.BuildingKeyFile))
	if errors.Is(err, fs.ErrNotExist) {
		e.offers = true
		building, err = keys.LoadBuildingKey(e.file(offeredFile))
	}
	return err == nil && building.Number() == r.Number
}

// buildingKey returns the key that this gateway brings into the building: a new one, that of a
// standalone house, or the building's own, restored from escrow. It returns nil where a sibling
// will send it.
func (e *enrolment) buildingKey(number uint8) (*keys.BuildingKey, error) {
	path := e.file(keys.BuildingKeyFile)
	have, err := keys.LoadBuildingKey(path)
	e.offers = errors.Is(err, fs.ErrNotExist)
	switch {
	case e.offers:
		return e.offer(number)
	case err != nil:
		return nil, fmt.Errorf("enrol: %w", err)
	case number != 0 && (have.Number() != number || e.wasByItself()):
		return nil, hinted("move "+path+" away: a sibling sends the building's key; the cards of this gateway's old house are then swiped again",
			"the building has key number %d already, and this gateway has one of another house (number %d)", number, have.Number())
	}
	return have, nil
}

// offer returns the key of offeredFile. Where the building has a key already, that may be the one
// that was offered before, with the answer lost: the registry knows, and refuses any other.
func (e *enrolment) offer(number uint8) (*keys.BuildingKey, error) {
	path := e.file(offeredFile)
	key, err := keys.LoadBuildingKey(path)
	e.offers = number == 0 || err == nil && !e.behind
	switch {
	case !e.offers:
		return nil, nil
	case err == nil:
		return key, nil
	}
	if err := durable.Remove(path); err != nil { // damaged, and nobody's yet
		return nil, fmt.Errorf("enrol: %w", err)
	}
	if key, err = keys.GenerateBuildingKey(1); err == nil {
		err = keys.SaveBuildingKey(path, key)
	}
	return key, err
}

// settleOffer makes the offered key the building's where the registry took it, and deletes it where
// the building has another.
func (e *enrolment) settleOffer() error {
	if e.offers {
		return durable.Rename(e.file(offeredFile), e.file(keys.BuildingKeyFile))
	}
	return durable.Remove(e.file(offeredFile))
}

// wasByItself distinguishes a standalone house from one whose key was restored: both may have key
// number 1.
func (e *enrolment) wasByItself() bool {
	_, err := os.Stat(e.file(keys.IssuerFile))
	_, enrolled := os.Stat(e.file(keys.RegistryFile))
	return err == nil && enrolled != nil
}
