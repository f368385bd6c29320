package uplink

import (
	"errors"

	"github.com/rs/zerolog"

	"gatehouse/sync/uplink/lists"
	"gatehouse/sync/wire"
)

// Keyring is what the uplink needs of the gateway's keyring. Refusals are returned as *Judged.
type Keyring interface {
	Trust() wire.Trust // the active one
	House() wire.House // the active one
	SetTrust(envelope []byte) error
	SetHouse(envelope []byte) error

	Lists() lists.State
	Missing(manifest []byte, p lists.Proof) ([]wire.Hash, error) // buckets that are not here
	Apply(lists.List) error
	Holding() (lists.Holding, error)
	Inherit(lists.Holding) error

	ShareBuildingKey(kem []byte, address string) ([]byte, error)
	TakeBuildingKey(sealed []byte) error

	Floor() int64 // unix s
	HighestSigned() wire.Floor
	RaiseFloor(unix int64, epoch uint64) // a time that a witness of that epoch has signed
	Undo(envelope []byte) (wire.Floor, error)
}

// Judged is a keyring's error.
type Judged struct {
	Err    error
	Reason wire.Reason // for the journal
	Active bool        // what came is active, and on no disk
}

func (j *Judged) Error() string { return j.Err.Error() }

func (j *Judged) Unwrap() error { return j.Err }

// isUnproved reports whether a list was refused for want of a proof.
func isUnproved(err error) bool {
	j, ok := errors.AsType[*Judged](err)
	return ok && j.Reason == wire.ReasonUnproved
}

// withoutDisk logs what is active but not on disk, which is no refusal.
func withoutDisk(log zerolog.Logger, err error) error {
	if j, ok := errors.AsType[*Judged](err); ok && j.Active {
		log.Error().Err(err).Msg("active until the next start")
		return nil
	}
	return err
}
