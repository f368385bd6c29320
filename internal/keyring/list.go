package keyring

import (
	"bytes"
	"fmt"
	"slices"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"
)

// activeList returns the active list; nil: none.
func (k *Keyring) activeList() *signedlist.List {
	k.active.mu.Lock()
	defer k.active.mu.Unlock()
	return k.active.state.List
}

// List returns the active list, for a tool that edits it or a stick that
// carries it; it is empty where there is none.
func (k *Keyring) List() (grantlist.List, error) { return export(k.activeList()) }

func export(l *signedlist.List) (grantlist.List, error) {
	if l == nil {
		return grantlist.List{}, nil
	}
	buckets, err := l.Buckets()
	if err != nil {
		return grantlist.List{}, fmt.Errorf("export list: %w", err)
	}
	return grantlist.List{Manifest: bytes.Clone(l.Envelope), Buckets: buckets}, nil
}

// Registers returns what the active list says besides its rows. said is false for a list of the first
// format, which has none.
func (k *Keyring) Registers() (registers []wire.Register, said bool) {
	l := k.activeList()
	if l == nil {
		return nil, false
	}
	return l.Manifest.Registers, l.Manifest.Format >= wire.LogFormat
}

// Rows returns what opens, in the order of lists: the active list, with the changes made at the
// building that it has not settled; and a function for the door ids of a row. Later changes do not
// affect either.
func (k *Keyring) Rows() (rows []wire.Grant, doors func(wire.Grant) []string) {
	k.active.mu.Lock()
	v := k.active.state.View
	k.active.mu.Unlock()
	if v.Grants == nil {
		return nil, func(wire.Grant) []string { return nil }
	}
	return v.Contents(nil).Grants, func(g wire.Grant) []string { return v.Doors.Of(g.DoorSet) }
}

// Holding is a gateway's copy of its building's lists, for a registry that has lost its own, and
// for a new gateway of the building.
type Holding struct {
	Manifest []byte // envelope of the active list; empty: none
	Second   []byte // its envelope of wire.TypeSecond; empty: none
	Buckets  [][]byte
	Over     []wire.ID // grants that are over for good
	House    []byte    // envelope of the house document; empty: none
}

// Holding returns the present copy.
func (k *Keyring) Holding() (Holding, error) {
	k.active.mu.Lock()
	l, h := k.active.state.List, Holding{Over: append([]wire.ID(nil), k.active.state.Over.IDs...)}
	k.active.mu.Unlock()
	out, err := export(l)
	if err != nil {
		return Holding{}, err
	}
	h.Manifest, h.Buckets = out.Manifest, out.Buckets
	if l != nil {
		h.Second = bytes.Clone(l.Second)
	}
	if r := k.Keys.Registry(); r != nil {
		h.House = bytes.Clone(r.HouseEnvelope)
	}
	return h, nil
}

// Inherit takes a sibling's list where there is none, and the grants that are over: so a new
// gateway knows what was ended before it came, whatever list a rolled-back registry sends it. The
// list is verified like any other; a grant that the sibling says is over and that its own list lets
// open is not believed. With an active list nothing changes. The errors are those of Apply.
func (k *Keyring) Inherit(h Holding) error {
	k.active.mu.Lock()
	defer k.active.mu.Unlock()
	if k.active.state.List != nil {
		return nil
	}
	next, err := k.open(h.Manifest, k.Keys.Issuers())
	if err != nil {
		return fmt.Errorf("inherit list: %w: %w", ErrRefused, err)
	}
	took, err := k.judge(next, grantlist.Update{Manifest: h.Manifest, Second: h.Second, Buckets: h.Buckets}, true)
	if err != nil {
		return fmt.Errorf("inherit list version %d: %w", next.Manifest.Version, err)
	}
	opens := make(map[wire.ID]bool)
	for r := range next.Grants.All() {
		if r.State != wire.GrantRevoked {
			opens[r.ID] = true
		}
	}
	took.Gone = append(took.Gone, slices.DeleteFunc(slices.Clone(h.Over), func(id wire.ID) bool { return opens[id] })...)
	return k.activate(next, took, nil)
}
