// Package lists brings a building's lists of grants to a gateway and from it: it asks the
// registry for the parts that are lacking until a list is whole, borrows one of the siblings
// where there is none, and lends what the gateway holds.
//
// It refuses to judge a list, which the keyring does, and to send anything itself: it returns
// what is to be said.
package lists

import (
	"time"

	"gatehouse/sync/wire"
)

// State is what a keyring has of the building's lists, and its building key.
type State struct {
	KeyNumber byte // of the building key; 0: none
	HasKey    bool // there is a building key

	Epoch   uint64    // of the issuer's role that signed the list
	Version uint64    // of the list that is active and on disk; 0: none
	Hash    wire.Hash // of its manifest
	// Active and ActiveEpoch are those of the active list, on disk or not.
	ActiveEpoch, Active uint64
	Issued              time.Time // of the active list; zero: no list

	Over     int       // grants that are over for good
	OverHash wire.Hash // hash over their ids
	Masked   []Masked  // those of Over that the active list gives back
	Unproved uint64    // version of the last list that is here without a proof; 0: none
}

// Masked is a grant that is over and that a list gives back.
type Masked struct{ Grant, Tenancy wire.ID }

// Proof shows that the active list is in the log of a manifest.
type Proof struct {
	Index  uint64
	Hashes []wire.Hash
}

// List is a whole list as it came.
type List struct {
	Manifest []byte   // the envelope
	Second   []byte   // envelope of a second issuer; empty: none
	Buckets  [][]byte // in any order: the manifest names their hashes
	Proof    Proof
}

// Holding is what a gateway holds of its building's lists, for a peer that has none.
type Holding struct {
	Manifest []byte // envelope of the active list; empty: none
	Second   []byte // of a second issuer; empty: none
	Buckets  [][]byte
	Over     []wire.ID // grants that are over for good
	House    []byte    // envelope of the house document; empty: none
}

// Version is the version of a list, ordered by the issuer role's epoch first. Acks of format 1 have
// no epoch, which is 0.
type Version struct{ Epoch, Number uint64 }

// Before reports whether o is newer.
func (v Version) Before(o Version) bool {
	return v.Epoch < o.Epoch || v.Number < o.Number && (v.Epoch == o.Epoch || o.Epoch == 0)
}

// Newest returns the version of the active list, on disk or not.
func (s State) Newest() Version { return Version{s.ActiveEpoch, s.Active} }
