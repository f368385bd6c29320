package document

import (
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// Head is what the front keeps in memory of a building's newest list.
type Head struct {
	store.List        // without bytes
	Epoch      uint64 // of the issuers' role that signed it
	Format     uint64
	Earlier    uint64 // manifests in the log before it
}

// After reports whether a list comes after another one: the root's next epoch of the
// issuers' role first, then the number.
func (h Head) After(o Head) bool {
	return h.Epoch > o.Epoch || h.Epoch == o.Epoch && h.Version > o.Version
}

// HashFor returns the hash by which a gateway that reads a format knows the list.
func (h Head) HashFor(format uint64) wire.Hash {
	if format < wire.LogFormat && h.OldHash != (wire.Hash{}) {
		return h.OldHash
	}
	return h.Hash
}

// HeadOf reads the head of a stored list.
func HeadOf(l store.List) (h Head, err error) {
	payload, err := wire.PayloadOf(l.Manifest)
	if err != nil {
		return h, err
	}
	m, err := wire.DecodeManifest(payload)
	_, p, _ := wire.Open(l.Manifest, wire.Expect{}, nil) // only to learn the signer's epoch
	h = Head{List: l, Epoch: p.Epoch, Format: m.Format, Earlier: m.Earlier}
	h.Manifest, h.Second, h.Old, h.OldSecond = nil, nil, nil, nil
	return h, err
}

// Outgoing is a list on its way to the gateways of a building.
type Outgoing struct {
	store.List
	head   Head
	leaves []tlog.Hash // of the manifests before it
	places map[wire.Hash]int
}

// NewOutgoing joins a list and the log before it, from which each gateway gets the
// proof that its own list is in there. Without the whole log nothing can be proved.
func NewOutgoing(l store.List, head Head, log []api.Logged) Outgoing {
	out := Outgoing{List: l, head: head}
	if uint64(len(log)) != head.Earlier {
		return out // the gateway says that it lacks the proof
	}
	out.places = make(map[wire.Hash]int, len(log))
	for i, m := range log {
		out.leaves = append(out.leaves, tlog.RecordHash(m.Hash))
		out.places[wire.Hash(m.Hash)] = i
	}
	return out
}

// Part is what a gateway that reads a format and names a list gets of this one,
// without buckets; no manifest: it can't read any.
func (o Outgoing) Part(format uint64, names wire.Hash) (p wire.ListPart) {
	p.Buckets = [][]byte{}
	switch {
	case format < wire.LogFormat && len(o.Old) > 0:
		p.Manifest, p.Second = o.Old, o.OldSecond
		return p
	case format < o.head.Format:
		return p
	}
	p.Manifest, p.Second = o.Manifest, o.Second
	at, there := o.places[names]
	if format < wire.LogFormat || !there {
		return p
	}
	proof, err := tree.Inclusion(o.leaves, at)
	if err != nil {
		return p
	}
	p.Proof, p.Index = make([]wire.Hash, len(proof)), uint64(at)
	for i, h := range proof {
		p.Proof[i] = wire.Hash(h)
	}
	return p
}
