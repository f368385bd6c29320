package document

import (
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// Head is the part of a building's newest list that the front has in memory.
type Head struct {
	store.List        // without bytes
	Epoch      uint64 // of the issuers' role, by the list's signer
	Format     uint64
	Earlier    uint64 // number of manifests in the log before it
}

// After reports whether a list is newer than another: by epoch of the issuers' role, then by
// version.
func (h Head) After(o Head) bool {
	return h.Epoch > o.Epoch || h.Epoch == o.Epoch && h.Version > o.Version
}

// HashFor returns the hash of the list for a gateway that reads a format.
func (h Head) HashFor(format uint64) wire.Hash {
	if format < wire.LogFormat && h.OldHash != (wire.Hash{}) {
		return h.OldHash
	}
	return h.Hash
}

// HeadOf returns the head of a stored list.
func HeadOf(l store.List) (h Head, err error) {
	payload, p, err := wire.Read(l.Manifest) // verified when it came
	if err != nil {
		return h, err
	}
	m, err := wire.DecodeManifest(payload)
	h = Head{List: l, Epoch: p.Epoch, Format: m.Format, Earlier: m.Earlier}
	h.Manifest, h.Second, h.Old, h.OldSecond = nil, nil, nil, nil
	return h, err
}

// Outgoing is a list to be sent to the gateways of a building.
type Outgoing struct {
	store.List
	head   Head
	leaves []tlog.Hash // of the manifests before the list
	places map[wire.Hash]int
}

// NewOutgoing joins a list and the log before it, which proves to each gateway that the list
// follows its own. Nothing can be proved without the whole log.
func NewOutgoing(l store.List, head Head, log []api.Logged) Outgoing {
	out := Outgoing{List: l, head: head}
	if uint64(len(log)) != head.Earlier {
		return out // the gateway will report that the proof is missing
	}
	out.places = make(map[wire.Hash]int, len(log))
	for i, m := range log {
		out.leaves = append(out.leaves, tlog.RecordHash(m.Hash))
		out.places[wire.Hash(m.Hash)] = i
	}
	return out
}

// Part returns the message for a gateway that reads a format and has a list named names, without
// buckets; its manifest is empty if the gateway can't read any.
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
