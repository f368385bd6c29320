package lists

import (
	"crypto/sha256"

	"gatehouse/sync/wire"
)

// gathering is a list whose parts are coming: a manifest, and its buckets. Each proves
// itself. The zero value is none.
type gathering struct {
	manifest []byte
	second   []byte
	proof    Proof
	lacks    map[wire.Hash]bool
	have     map[wire.Hash][]byte
	asked    int // buckets of the last request that have not come
}

// begin begins with a manifest, of which buckets are missing; what came for the one
// before and is of this one too stays.
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

// take takes what a part has, and reports whether a bucket came that was lacking.
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

// wanted are buckets to ask for, as many as one message may.
func (g *gathering) wanted() (list []wire.Hash) {
	for h := range g.lacks {
		if len(list) == wire.MaxWanted {
			break
		}
		list = append(list, h)
	}
	return list
}

// whole hands the list over, and is none again.
func (g *gathering) whole() *List {
	u := List{Manifest: g.manifest, Second: g.second, Proof: g.proof}
	for _, b := range g.have {
		u.Buckets = append(u.Buckets, b)
	}
	*g = gathering{asked: g.asked}
	return &u
}
