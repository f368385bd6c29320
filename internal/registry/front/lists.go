package front

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/socket"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// listHead is what the front keeps in memory of a building's newest list.
type listHead struct {
	store.List        // without bytes
	epoch      uint64 // of the issuers' role that signed it
	format     uint64
	earlier    uint64 // manifests in the log before it
}

// after reports whether a list comes after another one: the root's next epoch of the
// issuers' role first, then the number.
func (h listHead) after(o listHead) bool {
	return h.epoch > o.epoch || h.epoch == o.epoch && h.Version > o.Version
}

// hashFor is the hash by which a gateway that reads a format knows the list.
func (h listHead) hashFor(format uint64) wire.Hash {
	if format < wire.LogFormat && h.OldHash != (wire.Hash{}) {
		return h.OldHash
	}
	return h.Hash
}

// headOf reads the head of a stored list.
func headOf(l store.List) (h listHead, err error) {
	payload, err := wire.PayloadOf(l.Manifest)
	if err != nil {
		return h, err
	}
	m, err := wire.DecodeManifest(payload)
	_, p, _ := wire.Open(l.Manifest, wire.Expect{}, nil) // only to learn the signer's epoch
	h = listHead{List: l, epoch: p.Epoch, format: m.Format, earlier: m.Earlier}
	h.Manifest = nil
	return h, err
}

// outgoing is a list on its way to the gateways of a building.
type outgoing struct {
	store.List
	head   listHead
	leaves []tlog.Hash // of the manifests before it
	places map[wire.Hash]int
}

// outgoing joins a list and the log before it, from which each gateway gets the
// proof that its own list is in there.
func (f *Front) outgoing(ctx context.Context, l store.List) (out outgoing, err error) {
	if out.head, err = headOf(l); err != nil {
		return out, err
	}
	out.List = l
	log, err := f.store.Log(ctx, l.Building, out.head.earlier)
	if err != nil || uint64(len(log)) != out.head.earlier {
		return out, err // without the whole log nothing can be proved; the gateway says that it lacks it
	}
	out.places = make(map[wire.Hash]int, len(log))
	for i, m := range log {
		out.leaves = append(out.leaves, tlog.RecordHash(m.Hash[:]))
		out.places[m.Hash] = i
	}
	return out, nil
}

// part is what a gateway that reads a format and names a list gets of this one,
// without buckets; no manifest: it can't read any.
func (o outgoing) part(format uint64, names wire.Hash) (p wire.ListPart) {
	p.Buckets = [][]byte{}
	switch {
	case format < wire.LogFormat && len(o.Old) > 0:
		p.Manifest, p.Second = o.Old, o.OldSecond
		return p
	case format < o.head.format:
		return p
	}
	p.Manifest, p.Second = o.Manifest, o.Second
	at, there := o.places[names]
	if format < wire.LogFormat || !there {
		return p
	}
	proof, err := tree.Inclusion(o.leaves, at)
	if err == nil {
		p.Proof, p.Index = hashes(proof), uint64(at)
	}
	return p
}

func hashes(in []tlog.Hash) []wire.Hash {
	out := make([]wire.Hash, len(in))
	for i, h := range in {
		out[i] = wire.Hash(h)
	}
	return out
}

// logOf has the log that came with a list as the store has it.
func logOf(in api.List) ([]store.Logged, error) {
	out := make([]store.Logged, len(in.Log))
	for i, l := range in.Log {
		if len(l.Hash) != len(wire.Hash{}) {
			return nil, fmt.Errorf("log of %s: a hash of %d bytes", in.Building, len(l.Hash))
		}
		out[i] = store.Logged{Hash: wire.Hash(l.Hash), Epoch: l.Epoch, Version: l.Version, Own: l.Own}
	}
	return out, nil
}

// getHeads lists what is newest of each building.
func (f *Front) getHeads(r *http.Request, _ socket.None) (any, error) {
	only, all := r.URL.Query().Get("building"), []api.Head{}
	f.mu.RLock()
	for id, b := range f.buildings {
		if only != "" && id != only {
			continue
		}
		h := api.Head{Building: id, House: b.house.Version}
		if b.list.Version > 0 {
			h.Hash = bytes.Clone(b.list.Hash[:])
		}
		all = append(all, h)
	}
	f.mu.RUnlock()
	slices.SortFunc(all, func(a, b api.Head) int { return strings.Compare(a.Building, b.Building) })
	return all, nil
}

// getTrusts answers with all trust documents, the oldest first.
func (f *Front) getTrusts(r *http.Request, _ socket.None) (any, error) {
	all := [][]byte{}
	err := f.store.Trusts(r.Context(), func(envelope []byte) error {
		all = append(all, envelope)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// getStored answers with all that the front has of a building's documents.
func (f *Front) getStored(r *http.Request, _ socket.None) (any, error) {
	out := api.Stored{Building: r.URL.Query().Get("building")}
	f.mu.RLock()
	if b := f.buildings[out.Building]; b != nil {
		out.House = b.envelope
	}
	f.mu.RUnlock()
	err := f.fillStored(r.Context(), &out)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (f *Front) fillStored(ctx context.Context, out *api.Stored) error {
	l, err := f.store.List(ctx, out.Building)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	out.List = api.List{Building: l.Building, Manifest: l.Manifest, Second: l.Second, Old: l.Old, OldSecond: l.OldSecond, Buckets: [][]byte{}}
	head, err := headOf(l)
	if err != nil {
		return err
	}
	have, err := f.store.BucketHashes(ctx, out.Building)
	if err != nil {
		return err
	}
	for hash := range have {
		body, err := f.store.Bucket(ctx, out.Building, hash)
		if err != nil {
			return err
		}
		out.List.Buckets = append(out.List.Buckets, body)
	}
	log, err := f.store.Log(ctx, out.Building, head.earlier)
	for _, l := range log {
		out.List.Log = append(out.List.Log, api.Logged{Hash: l.Hash[:], Epoch: l.Epoch, Version: l.Version, Own: l.Own})
	}
	return err
}
