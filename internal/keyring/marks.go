package keyring

import (
	"errors"
	"io/fs"
	"slices"

	"gatehouse/internal/durable"
	"gatehouse/internal/keyring/files"
	"gatehouse/internal/keyring/merge"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/internal/keyring/signedtime"
	"gatehouse/sync/wire"
)

const marksFile = "marks.json"

// marks are values that may only rise, even if somebody swaps the files. Each copy of the list has those of
// its list; the file of their own follows within the hour, and at once where no list brings them.
type marks struct {
	Epoch     uint64      `json:"epoch,omitempty"`    // of the issuer's role that signed the highest list ever applied
	Version   uint64      `json:"version"`            // of that list
	Hash      wire.Hash   `json:"hash"`               // of its manifest
	Floor     int64       `json:"floor"`              // highest signed time ever believed, unix s
	Authority string      `json:"registry,omitempty"` // whose versions these are: the root's key; empty: the landlord's own
	Signer    *signer     `json:"signer,omitempty"`   // who signed that list
	Gateways  []wire.Hash `json:"gateways,omitempty"` // keys of siblings that were removed from the building
	Removed   []removal   `json:"removed,omitempty"`  // tenancies that lists of the last day took from
	// Floors has the highest signed time by each key epoch.
	Floors []signedtime.FloorMark `json:"floors,omitempty"`
	Undos  uint64                 `json:"undos,omitempty"` // how often two issuers took one of these back
	// Notices are the notices that the active list names.
	Notices []merge.Heard `json:"notices,omitempty"`
	signedtime.WitnessedMarks
	Changes uint64 `json:"changes,omitempty"` // how often they were changed: of two the higher are the later
}

// signer is an issuer's key.
type signer struct {
	Public wire.Hash `json:"public"`
	Epoch  uint64    `json:"epoch"`
}

func (s *signer) key() wire.Key {
	return wire.Key{Role: wire.RoleIssuer, Epoch: s.Epoch, Public: s.Public[:]}
}

// removal is a time and the tenancies that lists took from then.
type removal struct {
	At        int64     `json:"at"` // s of the machine's own clock
	Tenancies []wire.ID `json:"tenancies"`
}

// recent reports whether the removal was within the day before now, by the own clock. One in the
// future is of a program that counted otherwise.
func (r removal) recent(now int64) bool { return r.At > now-signedtime.Day && r.At <= now }

// recent returns the tenancies that lists took from within the day before now.
func (m marks) recent(now int64) map[wire.ID]bool {
	ids := make(map[wire.ID]bool)
	for _, r := range m.Removed {
		for _, id := range r.Tenancies {
			if r.recent(now) {
				ids[id] = true
			}
		}
	}
	return ids
}

func (m marks) rank() signedlist.Rank { return signedlist.Rank{Epoch: m.Epoch, Number: m.Version} }

// are reports whether the marks are those of a list.
func (m marks) are(l *signedlist.List) bool {
	return m.rank() == l.Rank() && m.Hash == l.Hash
}

// admit reports whether a found or sent list may be active.
func (m marks) admit(l *signedlist.List) bool { return l.Rank().Compare(m.rank()) > 0 || m.are(l) }

// laterThan reports whether the marks come after others of the same authority. A program from before Changes
// leaves them at 0, and so has changed them last.
func (m marks) laterThan(o marks) bool {
	if c := m.rank().Compare(o.rank()); c != 0 {
		return c > 0
	}
	return o.Changes != 0 && m.Changes > o.Changes
}

// with returns the marks with new signed times.
func (m marks) with(s signedtime.Marks) marks {
	m.Floor, m.Floors, m.Undos, m.WitnessedMarks = s.Floor, s.Floors, s.Undos, s.WitnessedMarks
	return m
}

// after returns the marks with l active, at a second of the own clock.
func (m marks) after(l *signedlist.List, issuers []wire.Key, now int64) marks {
	m.Epoch, m.Version, m.Hash, m.Signer = l.Signer.Epoch, l.Manifest.Version, l.Hash, nil
	if key := l.SignedBy(issuers); key != nil && m.Authority != "" {
		m.Signer = &signer{wire.Hash(key.Public), key.Epoch}
	}
	m.Removed = slices.DeleteFunc(slices.Clone(m.Removed), func(r removal) bool { return !r.recent(now) })
	if len(l.Removed) > 0 {
		m.Removed = append(m.Removed, removal{now, l.Removed})
	}
	return m
}

// of returns the marks for lists of an authority. A new authority begins anew: its versions are
// unrelated to those before. Time goes on.
func (m marks) of(authority string) marks {
	if m.Authority != authority {
		return marks{Floor: m.Floor, Undos: m.Undos, Authority: authority, WitnessedMarks: signedtime.WitnessedMarks{At: m.Floor}, Changes: m.Changes}
	}
	if m.Epoch == 0 && m.Signer != nil {
		m.Epoch = m.Signer.Epoch // written before lists compared by it
	}
	return m
}

// removalsFile has what unproved lists take. It is also synced before a list that costs more than one sync
// in each of the two copies: after a power cut between them it says what the list had taken, and that the
// two may differ, so that the difference is no damage.
const removalsFile = "removals.json"

// removals is the content of the file (files.WriteRow).
type removals struct {
	merge.Restraint
	Storing bool      `json:"storing,omitempty"` // the large files are being written
	Next    wire.Hash `json:"next"`              // manifest of the list that replaces the active one, if any
}

// ahead is the small file, and what the active list takes until it is stored.
type ahead struct {
	dir     *files.Dir
	there   bool
	pending merge.Restraint  // with what was laid over the list before
	storing *signedlist.List // the list that is being stored; nil: none
}

// read reads the file, for Open. A damaged file is put aside and counts as empty: its lists come
// again.
func (a *ahead) read() (r removals) {
	path := a.dir.Join(removalsFile)
	err := files.ReadRow(path, &r)
	switch {
	case err == nil:
		a.there = r.Storing || !r.Empty()
		return r
	case errors.Is(err, durable.ErrDamaged):
		a.dir.PutAside(path)
	case !errors.Is(err, fs.ErrNotExist):
		a.dir.Log.Error().Err(err).Msg("file of removals can't be read")
	}
	return removals{}
}

// keep writes what is laid over the list, and what the list takes that is not stored; with nothing
// to say it removes the file.
func (a *ahead) keep(limits merge.Restraint, storing bool) error {
	defer a.dir.DidWrite()
	path := a.dir.Join(removalsFile)
	r := removals{Restraint: limits.And(a.pending), Storing: storing}
	if a.storing != nil {
		r.Next = a.storing.Hash
	}
	if !r.Storing && r.Empty() {
		if !a.there {
			return nil
		}
		err := durable.Erase(path) // were it back after a later list, it would be laid over that
		a.there = err != nil
		return err
	}
	a.there = true
	return files.WriteRow(path, r)
}
