package keylist

import (
	"testing"
	"time"

	"gatehouse/cmd/gatehouse/internal/termtest"
	"gatehouse/internal/control"
)

// TestGrantTerms: a day is read as at the desk, in the building's zone; what no record can hold is refused.
func TestGrantTerms(t *testing.T) {
	list := control.List{TimeZone: termtest.Zone, Doors: []string{"front"}}
	termtest.Judge(t, func(until string) (*time.Time, error) {
		g, err := terms{Label: "3A", Door: []string{"front"}, Kind: "resident", Until: until}.grant(list)
		if g.Until.IsZero() {
			return nil, err
		}
		return &g.Until, err
	})
}
