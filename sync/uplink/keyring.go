package uplink

import (
	"errors"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/sync/wire"
)

// Keyring is what the uplink needs of the gateway's keyring. What it refuses it says
// with a *Judged.
type Keyring interface {
	Trust() wire.Trust // in force
	House() wire.House // in force
	SetTrust(envelope []byte) error
	SetHouse(envelope []byte) error

	Lists() Lists
	Missing(manifest []byte, p Proof) ([]wire.Hash, error) // buckets that are not here
	Apply(List) error
	Holding() (Holding, error)
	Inherit(Holding) error

	ShareBuildingKey(kem []byte, address string) ([]byte, error)
	TakeBuildingKey(sealed []byte) error

	Floor() int64 // unix s
	HighestSigned() wire.Floor
	RaiseFloor(unix int64, epoch uint64) // a time that a witness of that epoch has signed
	Undo(envelope []byte) (wire.Floor, error)
}

// Lists is what a keyring has of the building's lists, and its building key.
type Lists struct {
	KeyNumber byte // of the building key; 0: none
	HasKey    bool // of the building

	Epoch   uint64    // of the issuer's role that signed the list
	Version uint64    // of the list that is in force and on disk; 0: none
	Hash    wire.Hash // of its manifest
	// InForce and its epoch are those of the list in force, on disk or not.
	InForceEpoch, InForce uint64
	Issued                time.Time // of the list in force; zero: no list

	Over     int       // grants that are over for good
	OverHash wire.Hash // over their ids
	Masked   []Masked  // of these, such that the list in force gives back
	Unproved uint64    // version of the last list that is here and proves nothing; 0: none
}

// Masked is a grant that is over and that a list gives back.
type Masked struct{ Grant, Tenancy wire.ID }

// Proof shows that the list in force is in the log which a manifest names.
type Proof struct {
	Index  uint64
	Hashes []wire.Hash
}

// List is a whole list as it came.
type List struct {
	Manifest []byte   // the envelope
	Second   []byte   // envelope of a second issuer; empty: none
	Buckets  [][]byte // in any order: the manifest has their hashes
	Proof    Proof
}

// Holding is what a gateway holds of its building's lists, for one that has none.
type Holding struct {
	Manifest []byte // envelope of the list in force; empty: none
	Second   []byte // of a second issuer; empty: none
	Buckets  [][]byte
	Over     []wire.ID // grants that are over for good
	House    []byte    // envelope of the house document; empty: none
}

// Judged is a keyring's error.
type Judged struct {
	Err     error
	Reason  wire.Reason // for the journal
	InForce bool        // what came is in force, and on no disk
}

func (j *Judged) Error() string { return j.Err.Error() }

func (j *Judged) Unwrap() error { return j.Err }

// isUnproved says whether a list was refused because it proves nothing.
func isUnproved(err error) bool {
	j, ok := errors.AsType[*Judged](err)
	return ok && j.Reason == wire.ReasonUnproved
}

// withoutDisk logs that something is in force and on no disk: that is no
// refusal.
func withoutDisk(log zerolog.Logger, err error) error {
	if j, ok := errors.AsType[*Judged](err); ok && j.InForce {
		log.Error().Err(err).Msg("in force until the next start")
		return nil
	}
	return err
}
