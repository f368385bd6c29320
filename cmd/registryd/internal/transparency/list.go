package transparency

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"

	"gatehouse/sync/wire"
)

// commit returns the list of mandates that were answered, one SHA-256 a line, ascending, filled up to a length that
// says nothing of their number. Each line that fills is the SHA-256 of 32 random bytes, which padding has: with it the
// oversight body tells a mandate that it does not know from a line that is none.
func commit(sums []wire.Hash, length int) (list, padding []byte) {
	all := slices.Clone(sums)
	var fill bytes.Buffer
	for range length - len(sums) {
		var seed [32]byte
		_, _ = rand.Read(seed[:]) // never fails
		all = append(all, sha256.Sum256(seed[:]))
		fmt.Fprintf(&fill, "%x\n", seed)
	}
	slices.SortFunc(all, func(a, b wire.Hash) int { return bytes.Compare(a[:], b[:]) })
	var out bytes.Buffer
	for _, sum := range all {
		fmt.Fprintf(&out, "%x\n", sum[:])
	}
	return out.Bytes(), fill.Bytes()
}
