package keyring

import "errors"

// The errors of Apply.
var (
	// ErrRefused: not signed by who must sign it for this building, or not
	// valid. Sending it again does not help.
	ErrRefused = errors.New("refused")
	// ErrConflict: made from another list than the active one. Read the list
	// again, make the change again.
	ErrConflict = errors.New("grant list does not follow the active one")
	// ErrRolledBack stands beside ErrRefused or ErrConflict: older than what is,
	// or was, active.
	ErrRolledBack = errors.New("older than what is active")
	// ErrNotDurable: it is active, and no disk holds it.
	ErrNotDurable = errors.New("could not be written")
	// ErrTooFar stands beside ErrRefused: a list whose number is far beyond the active
	// one, so that no list of the registry could ever follow it.
	ErrTooFar = errors.New("its number is too far ahead")
	// ErrUnproved: the list does not prove that it descends from the active one. Of
	// it, only what it takes is active.
	ErrUnproved = errors.New("does not descend from the active list")
	// ErrSecondNeeded: a list that takes from more tenancies than one issuer
	// may; the active one stays.
	ErrSecondNeeded = errors.New("a second issuer's signature is needed")
)

// Refusal is a list, validly signed, that was not taken, and why: ErrRolledBack,
// ErrTooFar, ErrSecondNeeded or signedlist.ErrNewerFormat.
type Refusal struct {
	Epoch   uint64
	Version uint64
	Why     error
}
