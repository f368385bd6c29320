package lists

import (
	"testing"
	"time"

	"gatehouse/sync/wire"
)

// housed is a keyring without a list in a house of three gateways.
type housed struct{ bare }

func (housed) House() wire.House {
	return wire.House{Gateways: []wire.HouseGateway{{ID: "gw-1"}, {ID: "gw-2"}, {ID: "gw-3"}}}
}

// TestBorrowing: only the parts that one sibling sends to the present question, while its list is
// waited for, make a list. Whatever order they come in, and however often, it is whole once.
func TestBorrowing(t *testing.T) {
	now := time.Unix(1e9, 0)
	const most = holdingParts
	type came struct {
		from        string
		part, parts uint16
		older       bool // it answers another question
		after       time.Duration
		whole       bool
	}
	for name, story := range map[string][]came{
		"in order":              {{"gw-2", 0, 2, false, 0, false}, {"gw-2", 1, 2, false, 0, true}},
		"out of order":          {{"gw-2", 1, 2, false, 0, false}, {"gw-2", 0, 2, false, 0, true}},
		"one part twice":        {{"gw-2", 0, 2, false, 0, false}, {"gw-2", 0, 2, false, 0, false}, {"gw-2", 1, 2, false, 0, true}},
		"of two siblings":       {{"gw-2", 0, 2, false, 0, false}, {"gw-3", 1, 2, false, 0, false}, {"gw-2", 1, 2, false, 0, true}},
		"begun anew":            {{"gw-2", 0, 3, false, 0, false}, {"gw-2", 0, 2, false, 0, false}, {"gw-2", 1, 2, false, 0, true}},
		"another question":      {{"gw-2", 0, 1, true, 0, false}},
		"half another question": {{"gw-2", 0, 2, true, 0, false}, {"gw-2", 1, 2, false, 0, false}},
		"too many parts":        {{"gw-2", 0, most + 1, false, 0, false}},
		"waited for no longer":  {{"gw-2", 0, 1, false, time.Minute, false}},
	} {
		b := NewBorrowing(housed{}, "gw-1", 2)
		b.until = now.Add(time.Minute)
		ask, _ := b.Borrow(now)
		if len(ask) != 1 || !IsQuestion(ask[0]) {
			t.Fatalf("%s: asked %+v", name, ask)
		}
		for i, c := range story {
			h := wire.Holding{Nonce: ask[0].Nonce, Part: c.part, Parts: c.parts, Buckets: [][]byte{{byte(c.part)}}}
			if h.Manifest = []byte("list"); c.part > 0 {
				h.Manifest = nil
			}
			if c.older {
				h.Nonce[0]++
			}
			got := b.Take(c.from, &h, now.Add(c.after))
			if (got != nil) != c.whole {
				t.Fatalf("%s, part %d: whole %v", name, i, got != nil)
			}
			if got != nil && (string(got.Manifest) != "list" || len(got.Buckets) != int(c.parts) || got.Buckets[0][0] != 0) {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
}
