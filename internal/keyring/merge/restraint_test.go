package merge

import (
	"testing"

	"gatehouse/sync/wire"
)

// TestDiffers: no end is the last of all ends, so that a list which sets one takes,
// and one which lifts it gives.
func TestDiffers(t *testing.T) {
	type row struct {
		until, from uint32
		state       wire.GrantState
		doors       string
	}
	was := row{100, 10, wire.GrantSuspended, "ab"}
	for _, c := range []struct {
		was, next    row
		takes, gives bool
	}{
		{was, was, false, false},
		{was, row{99, 10, was.state, "ab"}, true, false},
		{was, row{101, 10, was.state, "ab"}, false, true},
		{was, row{0, 10, was.state, "ab"}, false, true},
		{row{0, 10, was.state, "ab"}, was, true, false},
		{was, row{100, 9, was.state, "ab"}, false, true},
		{was, row{100, 10, wire.GrantRevoked, "ab"}, true, false},
		{was, row{100, 10, wire.GrantActive, "ab"}, false, true},
		{was, row{100, 10, was.state, "a"}, true, false},
		{was, row{100, 10, was.state, "bca"}, false, true},
		{was, row{100, 10, was.state, "bc"}, true, true},
	} {
		grant := func(r row) (*wire.Grant, []string) {
			var doors []string
			for _, d := range r.doors {
				doors = append(doors, string(d))
			}
			return &wire.Grant{State: r.state, From: r.from, Until: r.until}, doors
		}
		before, beforeDoors := grant(c.was)
		after, afterDoors := grant(c.next)
		if takes, gives := differs(before, beforeDoors, after, afterDoors); takes != c.takes || gives != c.gives {
			t.Errorf("%v after %v: takes %v, gives %v", c.next, c.was, takes, gives)
		}
	}
}
