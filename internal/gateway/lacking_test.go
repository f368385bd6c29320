package gateway

import (
	"strings"
	"testing"

	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// TestLacking: only where no card can open is that said of missing keys; after a restore, which brings
// no key of the enrolment, cards open.
func TestLacking(t *testing.T) {
	for name, c := range map[string]struct {
		keys keys.Keys
		none bool
	}{
		"nothing":           {keys.Keys{}, true},
		"no building key":   {keys.Keys{Registry: &keys.Registry{}}, true},
		"nobody to believe": {keys.Keys{Building: &keys.BuildingKey{}}, true},
		"no trust":          {keys.Keys{Building: &keys.BuildingKey{}, Registry: &keys.Registry{}}, true},
		"restored":          {keys.Keys{Building: &keys.BuildingKey{}, Registry: &keys.Registry{TrustEnvelope: []byte{1}}}, false},
		"standalone":        {keys.Keys{Building: &keys.BuildingKey{}, Issuers: make([]wire.Key, 1)}, false},
	} {
		if said := lacking(c.keys); strings.Contains(said, "no card opens") != c.none {
			t.Errorf("%s: %s", name, said)
		}
	}
}
