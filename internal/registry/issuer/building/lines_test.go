package building

import (
	"fmt"
	"slices"
	"testing"

	"gatehouse/sync/wire"
)

// TestManyGateways: of many gateways with many lines each has its newest named,
// those of the building before those that are not of it any more.
func TestManyGateways(t *testing.T) {
	b := New("house-1")
	const gateways, lines = 40, 10
	for g := range gateways {
		for l := range lines {
			b.Lines.Use(Line{fmt.Sprintf("gw-%02d", g), uint64(1 + l)}, Seen{Number: 1})
		}
		if g%2 == 0 {
			b.House.Gateways = append(b.House.Gateways, wire.HouseGateway{ID: fmt.Sprintf("gw-%02d", g)})
		}
	}
	seen := b.SeenList()
	if len(seen) != MaxSeen || !slices.IsSortedFunc(seen, wire.Seen.Compare) {
		t.Fatal(len(seen))
	}
	for g := range gateways {
		want := lines // of the building
		if g%2 == 1 {
			want = 2 // the capacity is 56, for the 20 others
		}
		n := 0
		for _, s := range seen {
			if s.Gateway == fmt.Sprintf("gw-%02d", g) {
				if n++; s.Line <= lines-10 {
					t.Error(s)
				}
			}
		}
		if n < want {
			t.Errorf("gateway %d: %d lines", g, n)
		}
	}
}
