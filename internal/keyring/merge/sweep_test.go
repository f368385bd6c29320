package merge

import (
	"testing"

	"gatehouse/sync/wire"
)

// TestSweepOrder: of what a list has settled the check-in goes first and the end
// last, so that no cut in between leaves a grant that is not over any more.
func TestSweepOrder(t *testing.T) {
	s := beside(map[wire.ID]bool{{1}: true},
		plain("a", 1, 1, change(wire.OpEnd, 1, 30)),
		plain("b", 1, 1, change(wire.OpSuspend, 1, 20, 1)),
		plain("c", 1, 1, change(wire.OpCheckIn, 1, 10, 1)),
		plain("d", 1, 1, change(wire.OpCheckIn, 2, 10, 2)))
	s.List = listOf(t, []wire.Seen{{Gateway: "a", Line: 1, Number: 1}, {Gateway: "b", Line: 1, Number: 1}, {Gateway: "c", Line: 1, Number: 1}})
	must(t, s.Refresh())
	done, left, ended := s.Sweep()
	var order []wire.Op
	for _, h := range done {
		order = append(order, h.Change.Op)
	}
	if len(order) != 3 || order[0] != wire.OpCheckIn || order[1] != wire.OpSuspend || order[2] != wire.OpEnd {
		t.Errorf("erased in the order %v", order)
	}
	if len(left) != 1 || left[0].Gateway != "d" || len(ended) != 1 || ended[0] != (wire.ID{1}) {
		t.Errorf("%d left, ended %v", len(left), ended)
	}
}
