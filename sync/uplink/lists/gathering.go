package lists

import (
	"crypto/sha256"

	"gatehouse/sync/wire"
)

// gathering assembles a list from its manifest and buckets; each proves itself. The zero value has
// no manifest.
type gathering struct {
	manifest []byte
	second   []byte
	proof    Proof
	lacks    map[wire.Hash]bool
	have     map[wire.Hash][]byte
	asked    int // requested buckets that have not come
}

// begin starts with a manifest, of which buckets are missing. Buckets of the list before that
// belong to this one too are kept.
func (g *gathering) begin(manifest []byte, missing []wire.Hash) {
	lacks, have := make(map[wire.Hash]bool, len(missing)), map[wire.Hash][]byte{}
	for _, h := range missing {
		if b := g.have[h]; b != nil {
			have[h] = b
		} else {
			lacks[h] = true
		}
	}
	*g = gathering{manifest: manifest, lacks: lacks, have: have}
}

// take adds the buckets of a part, and reports whether one came that was missing.
func (g *gathering) take(part wire.ListPart) (came bool) {
	if len(part.Second) > 0 {
		g.second = part.Second
	}
	if len(part.Proof) > 0 {
		g.proof = Proof{Index: part.Index, Hashes: part.Proof}
	}
	for _, b := range part.Buckets {
		if h := wire.Hash(sha256.Sum256(b)); g.lacks[h] {
			delete(g.lacks, h)
			g.have[h], came = b, true
			g.asked--
		}
	}
	return came
}

// wanted returns the missing buckets, as many as fit into one request.
func (g *gathering) wanted() (list []wire.Hash) {
	for h := range g.lacks {
		if len(list) == wire.MaxWanted {
			break
		}
		list = append(list, h)
	}
	return list
}

// whole returns the list when it is whole, and resets the gathering.
func (g *gathering) whole() *List {
	u := List{Manifest: g.manifest, Second: g.second, Proof: g.proof}
	for _, b := range g.have {
		u.Buckets = append(u.Buckets, b)
	}
	*g = gathering{asked: g.asked}
	return &u
}
