package keyring

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"time"

	"gatehouse/internal/keyring/signedtime"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// Authority handles changes of trust: the documents of root and issuers, the building's key from a
// sibling, and times that were signed in error. Refusals are ErrRefused. It is safe for concurrent
// use.
type Authority struct {
	active  *active // its mu guards it too
	records *Records
	doubt   *houseDoubt // a house document that waits; nil: none
	shut    []string    // siblings that the house document names although their key was removed
}

// SetTrust takes a newer document of the root: it is written, then active. The active one, given
// again, is no error. Refusals are ErrRefused, with ErrRolledBack or an error of wire.Open. Like a
// list it does not wait for a disk that fails: with ErrNotDurable it is active until the next
// start.
func (y *Authority) SetTrust(envelope []byte) error {
	a := y.active
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.keys.Registry()
	if r == nil {
		return fmt.Errorf("set trust: %w: a standalone house has no registry", ErrRefused)
	}
	t, err := keys.OpenTrust(envelope, r.Root, r.Name)
	if err != nil {
		return fmt.Errorf("set trust: %w: %w", ErrRefused, err)
	}
	if same, err := follows("set trust", t.Version, r.Trust.Version, envelope, r.TrustEnvelope); same || err != nil {
		return err
	}
	a.writeMarks() // by them the active list stays readable, whose issuer this may take back
	err = y.written(keys.TrustFile, a.keys.SetTrust(t, envelope))
	y.takeBack()
	return err
}

// follows reports whether a document is the active one. The error says that it is older, or another
// of the same version.
func follows(what string, version, active uint64, envelope, before []byte) (same bool, err error) {
	switch {
	case version > active:
		return false, nil
	case version == active && bytes.Equal(envelope, before):
		return true, nil
	}
	return false, fmt.Errorf("%s: %w: %w: version %d, version %d is active", what, ErrRefused, ErrRolledBack, version, active)
}

// written finishes the change to an active document, whether it was written or not.
func (y *Authority) written(file string, failed error) error {
	if y.active.state.List == nil {
		y.active.refresh() // a house that has issuers now may know that it knows no card
	}
	if failed != nil {
		y.active.dir.Log.Error().Err(failed).Str("file", file).Msg("word of the registry can't be written")
		return fmt.Errorf("set %s: %w: %w", file, ErrNotDurable, failed)
	}
	return nil
}

// takeBack drops the times signed by keys that the root has taken back. Callers hold mu.
func (y *Authority) takeBack() {
	a := y.active
	r := a.keys.Registry()
	if r != nil && a.time.TakeBack(func(by wire.RoleEpoch) bool { return r.Trust.IsFalse(by.Role, by.Epoch) }) {
		a.saveMarks(a.marks.with(a.time.Marks()))
	}
}

// Undo takes back the one time that two issuers name, once, and returns it. It counts when it is on
// disk. Refusals are ErrRefused, with keys.ErrOtherFloor or an error of wire.Open.
func (y *Authority) Undo(envelope []byte) (wire.Floor, error) {
	a := y.active
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.keys.Registry()
	if r == nil {
		return wire.Floor{}, fmt.Errorf("undo of a time: %w: a standalone house has no two issuers", ErrRefused)
	}
	f, err := keys.OpenUndo(envelope, r.Place, r.Trust)
	if err != nil {
		return f, fmt.Errorf("undo of a time: %w: %w", ErrRefused, err)
	}
	if f != a.time.HighestSigned() {
		return f, fmt.Errorf("undo of a time: %w: %w", ErrRefused, keys.ErrOtherFloor)
	}
	by := wire.RoleEpoch{Role: f.Role, Epoch: f.Epoch}
	err = a.time.Undo(by, func(s signedtime.Marks) error {
		m := a.marks.with(s)
		m.Changes++
		if err := a.dir.SaveEnded(marksFile, m); err != nil {
			return fmt.Errorf("undo of a time: %w", err) // it is sent again
		}
		a.marks, a.saved = m, m
		return nil
	})
	return f, err
}

// doubtFor is how long a house document waits that does not name the active one among those before
// it, by the own clock: somebody is told, and it is no dead end.
const doubtFor = 24 * time.Hour

// houseDoubt is a house document that waits.
type houseDoubt struct {
	active, waiting uint64
	since           int64 // s of the own clock
}

// followsHouse reports whether a house document names the active one among those before it, or
// begins another line: a document of format 1, or of a new issuer where the root has taken back the
// key of the active one.
func followsHouse(h wire.House, before []byte, trust wire.Trust, building string) bool {
	if len(h.Earlier) == 0 || len(before) == 0 {
		return true
	}
	if _, err := keys.OpenHouse(before, trust, building); err != nil {
		return true
	}
	payload, err := wire.PayloadOf(before)
	return err == nil && slices.Contains(h.Earlier, wire.Hash(sha256.Sum256(payload)))
}

// sameHouse reports whether two house documents have the same content. One version is signed in
// each format that gateways read: a registry that does not know yet which format this gateway reads
// sends the first, and another later.
func sameHouse(h wire.House, before []byte) bool {
	payload, err := wire.PayloadOf(before)
	var was wire.House
	if err != nil || wire.Decode(payload, &was) != nil {
		return false
	}
	h.Earlier, was.Earlier = nil, nil
	return reflect.DeepEqual(h, was)
}

// mayFollow makes an unproved house document wait. Callers hold mu.
func (y *Authority) mayFollow(h wire.House, r *keys.Registry) error {
	if followsHouse(h, r.HouseEnvelope, r.Trust, r.Place.Building) {
		return nil
	}
	now := y.active.time.Own()
	if y.doubt == nil || y.doubt.active != r.House.Version {
		y.doubt = &houseDoubt{r.House.Version, h.Version, now}
	}
	y.doubt.waiting = h.Version
	if time.Duration(now-y.doubt.since)*time.Second < doubtFor {
		return fmt.Errorf("set house: %w: version %d, version %d is active", ErrUnproved, h.Version, r.House.Version)
	}
	return nil
}

// withoutRemoved returns the document without siblings whose key was once removed from the
// building, and their ids: a registry that was rolled back brings no stolen gateway back.
func withoutRemoved(h wire.House, removed []wire.Hash, own string) (wire.House, []string) {
	var ids []string
	h.Gateways = slices.DeleteFunc(slices.Clone(h.Gateways), func(g wire.HouseGateway) bool {
		out := g.ID != own && slices.Contains(removed, g.Public)
		if out {
			ids = append(ids, g.ID)
		}
		return out
	})
	return h, ids
}

// removedBy returns the keys of siblings that one document names and the next does not, and that
// are not known yet.
func removedBy(was, is wire.House, known []wire.Hash, own string) (keys []wire.Hash) {
	for _, g := range was.Gateways {
		stays := slices.ContainsFunc(is.Gateways, func(o wire.HouseGateway) bool { return o.Public == g.Public })
		if g.ID != own && !stays && !slices.Contains(known, g.Public) {
			keys = append(keys, g.Public)
		}
	}
	return keys
}

// mask removes the removed siblings from the active document, for Open.
func (y *Authority) mask() {
	r := y.active.keys.Registry()
	if r == nil {
		return
	}
	house, shut := withoutRemoved(r.House, y.active.marks.Gateways, r.Place.Gateway)
	if y.shut = shut; len(shut) > 0 {
		y.active.keys.MaskHouse(house)
	}
}

// SetHouse takes a newer document of an issuer about the building, as SetTrust does. Unsettled
// records of gateways that are no longer in it, or have another key, are erased, as are the persons
// of this gateway's own: a thief may have made them, and no registry takes them now. A removed key
// of a sibling is removed for good. A document that does not name the active one among those before
// it is ErrUnproved for a day.
func (y *Authority) SetHouse(envelope []byte) error {
	a := y.active
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.keys.Registry()
	if r == nil {
		return fmt.Errorf("set house: %w: a standalone house has no registry", ErrRefused)
	}
	h, err := keys.OpenHouse(envelope, r.Trust, r.Place.Building)
	if err != nil {
		return fmt.Errorf("set house: %w: %w", ErrRefused, err)
	}
	if sameHouse(h, r.HouseEnvelope) {
		return nil
	}
	if same, err := follows("set house", h.Version, r.House.Version, envelope, r.HouseEnvelope); same || err != nil {
		return err
	}
	if err := y.mayFollow(h, r); err != nil {
		return err
	}
	y.doubt = nil
	if gone := removedBy(r.House, h, a.marks.Gateways, r.Place.Gateway); len(gone) > 0 {
		m := a.marks
		m.Gateways = append(slices.Clone(m.Gateways), gone...)
		a.saveMarks(m)
	}
	h, y.shut = withoutRemoved(h, a.marks.Gateways, r.Place.Gateway)
	// The records go first: after a power cut between the two they come again, from gateways that
	// the old document still names.
	dropped := y.records.drop(func(gateway string) bool {
		was, is := r.House.Gateway(gateway), h.Gateway(gateway)
		return is == nil || was == nil || was.Public != is.Public
	})
	err = y.written(keys.HouseFile, a.keys.SetHouse(h, envelope))
	if dropped {
		a.refresh()
	}
	return err
}

// SetBuildingKey takes the building's key where the gateway has none (keys.Store), and reads the
// records that could not be read before. A failing disk is an error: the key can come again, and a
// card that opens until the next start helps nobody.
func (y *Authority) SetBuildingKey(b *keys.BuildingKey) error {
	a := y.active
	a.mu.Lock()
	defer a.mu.Unlock()
	set, err := a.keys.SetBuilding(b, a.dir.PutAside)
	if set {
		y.records.read()
		a.refresh()
	}
	return err
}

// TakeBuildingKey opens a key that a sibling sealed to this gateway and sets it. The caller checks
// that a gateway of the building sent it.
func (y *Authority) TakeBuildingKey(sealed []byte) error {
	r := y.active.keys.Registry()
	if r == nil {
		return fmt.Errorf("take building key: %w: a standalone house has no siblings", ErrRefused)
	}
	b, err := keys.UnsealBuildingKey(r.KEM, r.Place.Address(), sealed)
	if err != nil {
		return fmt.Errorf("take building key: %w: %w", ErrRefused, err)
	}
	return y.SetBuildingKey(b)
}
