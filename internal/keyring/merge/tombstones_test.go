package merge

import (
	"testing"

	"gatehouse/sync/wire"
)

// TestNoneIsForgotten: what is over stays so, however much has ended since; its
// hash does not depend on the order.
func TestNoneIsForgotten(t *testing.T) {
	var o, back Tombstones
	const n = 10_000
	for i := range n {
		o.Add(wire.ID{byte(i), byte(i >> 8), 1})
		back.Add(wire.ID{byte(n - 1 - i), byte((n - 1 - i) >> 8), 1})
	}
	if len(o.IDs) != n || !o.Known[wire.ID{0, 0, 1}] || o.Add(wire.ID{10, 0, 1}) {
		t.Fatalf("%d grants", len(o.IDs))
	}
	if o.Hash() != back.Hash() || o.Hash() == (wire.Hash{}) || new(Tombstones).Hash() != (wire.Hash{}) {
		t.Fatal("the hash is that of an order, or of nothing")
	}
	before := o.Hash()
	if o.Add(wire.ID{3}); o.Hash() == before {
		t.Fatal("a grant more, and the same hash")
	}
}
