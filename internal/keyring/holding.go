package keyring

import (
	"bytes"
	"fmt"

	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"
)

// Holding is what a gateway keeps of its building's lists: for a registry that has
// lost its own, and for a new gateway of the building.
type Holding struct {
	Manifest []byte // envelope of the list in force; empty: none
	Second   []byte // its envelope of wire.TypeSecond; empty: none
	Buckets  [][]byte
	Over     []wire.ID // grants that are over for good
	House    []byte    // envelope of the house document; empty: none
}

// Holding returns what there is now.
func (k *Keyring) Holding() (Holding, error) {
	l, err := k.List()
	if err != nil {
		return Holding{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	h := Holding{Manifest: l.Manifest, Buckets: l.Buckets, Over: append([]wire.ID(nil), k.over.ids...)}
	if k.list != nil && bytes.Equal(k.list.envelope, l.Manifest) {
		h.Second = bytes.Clone(k.list.second)
	}
	if r := k.registry.Load(); r != nil {
		h.House = bytes.Clone(r.HouseEnvelope)
	}
	return h, nil
}

// Inherit takes a sibling's list where there is none, and with it what is over:
// so a new gateway knows what was ended before it came, whatever list a registry
// that was set back has for it. The list is verified like any; what the sibling
// says is over and its own list lets open is not believed. With a list in force
// nothing changes. The errors are those of Apply.
func (k *Keyring) Inherit(h Holding) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.list != nil {
		return nil
	}
	next, err := k.head(h.Manifest, k.issuers())
	if err != nil {
		return fmt.Errorf("inherit list: %w: %w", ErrRefused, err)
	}
	took, err := k.judge(next, grantlist.Update{Manifest: h.Manifest, Second: h.Second, Buckets: h.Buckets}, true)
	if err != nil {
		return fmt.Errorf("inherit list version %d: %w", next.manifest.Version, err)
	}
	opens := make(map[wire.ID]bool)
	for r := range next.grants.All() {
		if r.State != wire.GrantRevoked {
			opens[r.ID] = true
		}
	}
	for _, id := range h.Over {
		if !opens[id] {
			took.Gone = append(took.Gone, id)
		}
	}
	return k.putInForce(next, took, nil)
}
