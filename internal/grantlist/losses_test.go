package grantlist

import (
	"fmt"
	"testing"

	"gatehouse/sync/wire"
)

func ExampleMayLose() {
	fmt.Println(MayLose(4), MayLose(100), MayLose(319))
	// Output: 3 10 31
}

// TestDoorSetHasNoOrder: the same doors, named in another order or twice, are the
// same set.
func TestDoorSetHasNoOrder(t *testing.T) {
	e := NewDraft("house-1", wire.Manifest{}, wire.Hash{})
	var first uint16
	for i, doors := range [][]string{{"front", "yard", "cellar"}, {"yard", "cellar", "front"}, {"cellar", "cellar", "front", "yard"}} {
		set, err := e.DoorSet(doors)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = set
		}
		if set != first {
			t.Errorf("%v: set %d, want %d", doors, set, first)
		}
	}
	if other, err := e.DoorSet([]string{"yard", "front"}); err != nil || other == first {
		t.Errorf("fewer doors: set %d, %v", other, err)
	}
}
