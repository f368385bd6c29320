// Package forward fits the gateway's keyring and desk to what the uplink needs of them.
// It has no state and decides nothing.
package forward

import (
	"errors"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/sync/uplink"
	"gatehouse/sync/uplink/lists"
	"gatehouse/sync/wire"
)

// Keyring is the keyring as the uplink sees it. The gateway is enrolled.
type Keyring struct{ *keyring.Keyring }

// Trust returns the root's document.
func (k Keyring) Trust() wire.Trust { return k.Keys.Registry().Trust }

// House returns the issuer's document.
func (k Keyring) House() wire.House { return k.Keys.Registry().House }

// Lists returns what it has of the building's lists.
func (k Keyring) Lists() lists.State { return stateOf(k.Status()) }

func stateOf(s keyring.Status) lists.State {
	l := lists.State{HasKey: s.HasKey, KeyNumber: s.KeyNumber, Epoch: s.Epoch, Version: s.Version, Hash: s.Hash,
		ActiveEpoch: s.Active.Epoch, Active: s.Active.Version, Issued: s.Active.Issued, Over: s.Over.Grants, OverHash: s.Over.Hash}
	for _, m := range s.Over.Masked {
		l.Masked = append(l.Masked, lists.Masked(m))
	}
	if s.Unproved != nil {
		l.Unproved = s.Unproved.Version
	}
	return l
}

// Missing returns the buckets of a list that are not here.
func (k Keyring) Missing(manifest []byte, p lists.Proof) ([]wire.Hash, error) {
	missing, err := k.Keyring.Missing(manifest, grantlist.Proof(p))
	return missing, judged(err)
}

// Apply makes a list active.
func (k Keyring) Apply(l lists.List) error {
	return judged(k.Keyring.Apply(grantlist.Update{Manifest: l.Manifest, Second: l.Second, Buckets: l.Buckets, Proof: grantlist.Proof(l.Proof)}))
}

// Holding returns what there is for a gateway or a registry that has none.
func (k Keyring) Holding() (lists.Holding, error) {
	h, err := k.Keyring.Holding()
	return lists.Holding(h), err
}

// Inherit takes what another gateway holds.
func (k Keyring) Inherit(h lists.Holding) error {
	return judged(k.Keyring.Inherit(keyring.Holding(h)))
}

// SetTrust takes a document of the root.
func (k Keyring) SetTrust(envelope []byte) error { return judged(k.Authority.SetTrust(envelope)) }

// SetHouse takes a document of an issuer.
func (k Keyring) SetHouse(envelope []byte) error { return judged(k.Authority.SetHouse(envelope)) }

// TakeBuildingKey takes the building key that a sibling sealed.
func (k Keyring) TakeBuildingKey(sealed []byte) error {
	return judged(k.Authority.TakeBuildingKey(sealed))
}

// ShareBuildingKey seals the building's key to another gateway.
func (k Keyring) ShareBuildingKey(kem []byte, address string) ([]byte, error) {
	return k.Keys.Building().Seal(kem, address)
}

// Floor returns the highest time that was signed, unix s.
func (k Keyring) Floor() int64 { return k.Time.Floor() }

// RaiseFloor takes a time that a witness has signed, unix s, with the epoch of its key.
func (k Keyring) RaiseFloor(unix int64, epoch uint64) { k.Time.RaiseFloor(unix, epoch) }

// HighestSigned returns the highest time that was signed, with whose it was.
func (k Keyring) HighestSigned() wire.Floor { return k.Time.HighestSigned() }

// Undo takes back a time that was signed.
func (k Keyring) Undo(envelope []byte) (wire.Floor, error) {
	f, err := k.Authority.Undo(envelope)
	return f, judged(err)
}

// judged names the reason of a keyring's error.
func judged(err error) error {
	if err == nil {
		return nil
	}
	j := &uplink.Judged{Err: err, Active: errors.Is(err, keyring.ErrNotDurable)}
	for _, c := range [...]struct {
		err    error
		reason wire.Reason
	}{
		{keyring.ErrSecondNeeded, wire.ReasonSecondNeeded}, {keyring.ErrUnproved, wire.ReasonUnproved}, {keyring.ErrTooFar, wire.ReasonTooFar},
		{keys.ErrOtherFloor, wire.ReasonRolledBack}, {keyring.ErrConflict, wire.ReasonRolledBack}, {keyring.ErrRolledBack, wire.ReasonRolledBack},
	} {
		if errors.Is(err, c.err) {
			j.Reason = c.reason
			break
		}
	}
	return j
}
