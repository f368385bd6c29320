package house

import (
	"testing"
)

// TestCardForms: the two forms of one card are those that the daemon expects,
// and everybody has a card of their own.
func TestCardForms(t *testing.T) {
	all := newPeople()
	seen := map[uint64]string{}
	for _, p := range append(all.Residents, all.Visitor, all.Lost, all.Moved, all.Gardener, Stranger(0), Stranger(200)) {
		c, err := p.AtFront()
		if err != nil {
			t.Fatal(err)
		}
		low := c.Uint64(1, 24)
		if low != p.Card&0xFFFFFF || p.Card >= 1<<40 {
			t.Errorf("%s: the front door's reader sees %x", p.Name, low)
		}
		if other, ok := seen[low]; ok {
			t.Errorf("%s has the card of %s", p.Name, other)
		}
		seen[low] = p.Name
	}
}
