package keyring

import (
	"slices"
	"time"

	"gatehouse/internal/keyring/copies"
	"gatehouse/internal/keyring/merge"
	"gatehouse/sync/wire"
)

// Status is the state of the keyring.
type Status struct {
	HasKey    bool // of the building
	KeyNumber byte
	Issuers   int       // keys whose lists are taken
	Epoch     uint64    // of the issuer's role that signed the list
	Version   uint64    // of the list that is active and on disk; 0: none
	Hash      wire.Hash // of its manifest
	Active    ActiveList
	Last      uint64 // highest version of its epoch that was ever applied
	Lost      bool   // a list was applied once and is gone
	Over      Over
	Unproved  *Unproved // nil: no unproved list has taken anything
	Refusal   *Refusal  // nil: no list was refused since the last that was taken
	House     HouseStatus
	Records   RecordStatus
	Files     FileStatus
}

// ActiveList is the list that is active, on disk or not; zero: none.
type ActiveList struct {
	Epoch, Version uint64
	Issued         time.Time
	Grants         int // records: one for each credential of each grant
}

// Over is the set of grants that are over for good.
type Over struct {
	Grants int
	Hash   wire.Hash      // over their ids, ascending; zeros: none
	Masked []merge.Masked // of these, those that the active list gives back
}

// HouseStatus is the part of house documents that does not count.
type HouseStatus struct {
	Shut  []string // gateways that the active document gives back although their key was removed: not heard
	Doubt uint64   // version of a waiting document that does not follow the active one; 0: none
}

// RecordStatus counts changes made at the building that no list has settled yet.
type RecordStatus struct {
	Unsettled int
	Unwritten int            // of these, active and on no disk
	Overdue   map[string]int // of these, siblings' that no list has settled for more than a day, by gateway
}

// FileStatus is the state of the files.
type FileStatus struct {
	Copies [2]copies.Status
	Aside  []string // names of damaged files that were put aside since Open
	Damage []string // files that were missing or behind at Open, and how
	Labels error    // why the last labels are on no disk; nil: they are on it
}

// Unproved is the effect of lists that don't descend from the active one.
type Unproved struct {
	Epoch, Version uint64    // of the last such list
	Hash           wire.Hash // of its manifest
	Waiting        []wire.ID // grants that they would give or give back, the first 64
	More           int       // number of further grants, not in Waiting
}

// Status returns how the keyring is now.
func (k *Keyring) Status() Status {
	a := k.active
	a.mu.Lock()
	defer a.mu.Unlock()
	building, l := k.Keys.Building(), a.state.List
	s := Status{HasKey: building != nil, Issuers: len(k.Keys.Issuers()), Last: a.marks.Version, Lost: l == nil && a.marks.Version > 0,
		Over:    Over{len(a.state.Over.IDs), a.state.Over.Hash(), a.state.Masked()},
		Refusal: k.refusal, House: HouseStatus{Shut: slices.Clone(k.Authority.shut)}, Records: k.Records.status(),
		Files: FileStatus{k.Copies.Status(l), a.dir.Aside(), slices.Clone(k.damage), k.Labels.status()}}
	if s.HasKey {
		s.KeyNumber = building.Number()
	}
	if l != nil {
		s.Active = ActiveList{l.Signer.Epoch, l.Manifest.Version, time.Unix(int64(l.Manifest.Issued), 0), l.Grants.Len()}
	}
	if l := a.stored; l != nil {
		s.Epoch, s.Version, s.Hash = l.Signer.Epoch, l.Manifest.Version, l.Hash
	}
	if d := k.Authority.doubt; d != nil {
		s.House.Doubt = d.waiting
	}
	limits := &a.state.Limits
	if n := len(limits.Lists); n > 0 {
		last := limits.Lists[n-1]
		s.Unproved = &Unproved{last.Epoch, last.Version, last.Hash, slices.Clone(limits.Gives), limits.More}
	}
	return s
}
