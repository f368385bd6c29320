package merge

import (
	"fmt"
	"slices"
	"testing"

	"gatehouse/internal/access"
	"gatehouse/internal/keyring/record"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"
)

func TestMerge(t *testing.T) {
	seen := func(gateway string, line, number uint64) wire.Seen {
		return wire.Seen{Gateway: gateway, Line: line, Number: number}
	}
	in := plain("a", 1, 1, change(wire.OpCheckIn, 1, 10, 1, 2))
	cases := []struct {
		name    string
		listed  []wire.Grant
		seen    []wire.Seen
		over    bool
		records []record.Local
		want    [3]wire.Reason // of cards 1, 2, 3
		left    int
	}{
		{"check-in", nil, nil, false, []record.Local{in}, [3]wire.Reason{1, 1, 2}, 1},
		{"seen and named", []wire.Grant{row(1, 1), row(1, 2)}, []wire.Seen{seen("a", 1, 1)}, false, []record.Local{in}, [3]wire.Reason{1, 1, 2}, 0},
		{"named and not seen", []wire.Grant{row(1, 1)}, nil, false, []record.Local{in}, [3]wire.Reason{1, 2, 2}, 1},
		{"seen and not named: never lost", nil, []wire.Seen{seen("a", 1, 1)}, false, []record.Local{in}, [3]wire.Reason{1, 1, 2}, 1},
		{"seen in another line", nil, []wire.Seen{seen("a", 2, 1)}, false, []record.Local{in}, [3]wire.Reason{1, 1, 2}, 1},
		{"named revoked", []wire.Grant{row(1, 1, inState(wire.GrantRevoked))}, nil, false, []record.Local{in}, [3]wire.Reason{7, 2, 2}, 1},
		{"over, not seen", nil, nil, true, []record.Local{in}, [3]wire.Reason{7, 7, 2}, 1},
		{"over and seen", nil, []wire.Seen{seen("a", 1, 1)}, true, []record.Local{in}, [3]wire.Reason{2, 2, 2}, 0},
		{"end", []wire.Grant{row(1, 1)}, nil, false, []record.Local{plain("b", 1, 1, change(wire.OpEnd, 1, 5))}, [3]wire.Reason{7, 2, 2}, 1},
		{"end before its check-in", nil, nil, false, []record.Local{in, plain("b", 1, 1, change(wire.OpEnd, 1, 5))}, [3]wire.Reason{7, 7, 2}, 2},
		{"end seen, check-in not", nil, []wire.Seen{seen("b", 1, 1)}, false, []record.Local{in, plain("b", 1, 1, change(wire.OpEnd, 1, 5))}, [3]wire.Reason{7, 7, 2}, 2},
		{"end seen and not done", []wire.Grant{row(1, 1)}, []wire.Seen{seen("b", 1, 1)}, false, []record.Local{plain("b", 1, 1, change(wire.OpEnd, 1, 5))}, [3]wire.Reason{7, 2, 2}, 1},
		{"end seen and done", []wire.Grant{row(1, 1, inState(wire.GrantRevoked))}, []wire.Seen{seen("b", 1, 1)}, false, []record.Local{plain("b", 1, 1, change(wire.OpEnd, 1, 5))}, [3]wire.Reason{7, 2, 2}, 0},
		{"end half done", []wire.Grant{row(1, 1, inState(wire.GrantRevoked)), row(1, 2, inState(wire.GrantSuspended))}, []wire.Seen{seen("b", 1, 1)}, false,
			[]record.Local{plain("b", 1, 1, change(wire.OpEnd, 1, 5))}, [3]wire.Reason{7, 7, 2}, 1},
		{"suspend", nil, nil, false, []record.Local{in, plain("a", 1, 2, change(wire.OpSuspend, 1, 20, 1))}, [3]wire.Reason{6, 1, 2}, 2},
		{"suspend, clock set back, resume", nil, nil, false, []record.Local{in, plain("a", 1, 2, change(wire.OpSuspend, 1, 20, 1)), plain("a", 1, 3, change(wire.OpResume, 1, 3, 1))}, [3]wire.Reason{1, 1, 2}, 3},
		{"two gateways, later wins", nil, nil, false, []record.Local{in, plain("a", 1, 2, change(wire.OpResume, 1, 20, 1)), plain("b", 1, 1, change(wire.OpSuspend, 1, 21, 1))}, [3]wire.Reason{6, 1, 2}, 3},
		{"two gateways, tie", nil, nil, false, []record.Local{in, plain("a", 1, 2, change(wire.OpSuspend, 1, 20, 1)), plain("b", 1, 1, change(wire.OpResume, 1, 20, 1))}, [3]wire.Reason{6, 1, 2}, 3},
		{"suspend seen, active by the registry later", []wire.Grant{row(1, 1)}, []wire.Seen{seen("b", 1, 1)}, false,
			[]record.Local{plain("b", 1, 1, change(wire.OpSuspend, 1, 20, 1))}, [3]wire.Reason{1, 2, 2}, 0},
		{"resume of a listed card", []wire.Grant{row(1, 1, inState(wire.GrantSuspended))}, nil, false, []record.Local{plain("b", 1, 1, change(wire.OpResume, 1, 20, 1))}, [3]wire.Reason{1, 2, 2}, 1},
		{"resume of a revoked card", []wire.Grant{row(1, 1, inState(wire.GrantRevoked))}, nil, false, []record.Local{plain("b", 1, 1, change(wire.OpResume, 1, 20, 1))}, [3]wire.Reason{7, 2, 2}, 1},
		{"bind", []wire.Grant{row(1, 1)}, nil, false, []record.Local{plain("b", 1, 1, change(wire.OpBind, 1, 20, 3))}, [3]wire.Reason{1, 2, 1}, 1},
		{"bind to a revoked grant", []wire.Grant{row(1, 1, inState(wire.GrantRevoked))}, nil, false, []record.Local{plain("b", 1, 1, change(wire.OpBind, 1, 20, 3))}, [3]wire.Reason{7, 2, 7}, 1},
		{"bind to an unknown grant", nil, nil, false, []record.Local{plain("b", 1, 1, change(wire.OpBind, 1, 20, 3))}, [3]wire.Reason{2, 2, 2}, 1},
		{"bind seen and not named", []wire.Grant{row(1, 1)}, []wire.Seen{seen("b", 1, 1)}, false, []record.Local{plain("b", 1, 1, change(wire.OpBind, 1, 20, 3))}, [3]wire.Reason{1, 2, 1}, 1},
		{"bind seen and named", []wire.Grant{row(1, 1), row(1, 3, inState(wire.GrantSuspended))}, []wire.Seen{seen("b", 1, 1)}, false, []record.Local{plain("b", 1, 1, change(wire.OpBind, 1, 20, 3))}, [3]wire.Reason{1, 2, 6}, 0},
		{"notice", nil, nil, false, []record.Local{in, plain("a", 1, 2, change(wire.OpNotice, 1, 20))}, [3]wire.Reason{5, 5, 2}, 2},
		{"notice and dispute", nil, nil, false, []record.Local{in, plain("a", 1, 2, change(wire.OpNotice, 1, 20)), plain("a", 1, 3, change(wire.OpDispute, 1, 20))}, [3]wire.Reason{1, 1, 2}, 3},
		{"notice and dispute at once", nil, nil, false, []record.Local{in, plain("a", 1, 2, change(wire.OpNotice, 1, 20)), plain("b", 1, 1, change(wire.OpDispute, 1, 20))}, [3]wire.Reason{1, 1, 2}, 3},
		{"listed notice, disputed", []wire.Grant{row(1, 1, func(g *wire.Grant) { g.Until = 1000 })}, nil, false, []record.Local{plain("b", 1, 1, change(wire.OpDispute, 1, 20))}, [3]wire.Reason{1, 2, 2}, 1},
		{"end after dispute", nil, nil, false, []record.Local{in, plain("b", 1, 1, change(wire.OpEnd, 1, 5)), plain("b", 1, 2, change(wire.OpDispute, 1, 20))}, [3]wire.Reason{7, 7, 2}, 3},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var l *signedlist.List
			if c.listed != nil || c.seen != nil {
				l = listOf(t, c.seen, c.listed...)
			}
			s := beside(map[wire.ID]bool{{1}: c.over}, c.records...)
			if got := [3]wire.Reason(s.opened(t, l, 1, 2, 3)); got != c.want {
				t.Errorf("answers %d, want %d", got, c.want)
			}
			if left, _ := settle(l, rowsOf(l, s.Records), s.Over.Known, s.Records); len(left) != c.left {
				t.Errorf("%d records are left, want %d", len(left), c.left)
			}
		})
	}
}

// TestMergeNewDoors: a check-in may name doors that the list has never heard of,
// and the list's own records keep their doors.
func TestMergeNewDoors(t *testing.T) {
	l := listOf(t, nil, row(1, 1))
	c := change(wire.OpCheckIn, 2, 10, 2)
	c.Doors = []string{"bikes", "front"}
	s := beside(nil, plain("a", 1, 1, c))
	v, err := merge(l, rowsOf(l, s.Records), nil, s.Records)
	must(t, err)
	for _, q := range []struct {
		card int
		door string
		want wire.Reason
	}{{1, "front", wire.ReasonGranted}, {1, "bikes", wire.ReasonWrongDoor}, {2, "front", wire.ReasonGranted}, {2, "bikes", wire.ReasonGranted}} {
		if got := access.Decide(v.Grants, &access.Query{Credential: credential(q.card), Door: q.door}).Reason; got != q.want {
			t.Errorf("card %d at %s: %d, want %d", q.card, q.door, got, q.want)
		}
	}
	if got := access.Decide(l.Grants, &access.Query{Credential: credential(2), Door: "front"}).Reason; got != wire.ReasonUnknown {
		t.Error("the list itself has changed")
	}
}

// TestMergeSharesBuckets: what no change touches is the list's own memory.
func TestMergeSharesBuckets(t *testing.T) {
	var rows []wire.Grant
	for n := range 2000 {
		g := row(1, n)
		g.ID = wire.ID{1, byte(n), byte(n >> 8)}
		rows = append(rows, g)
	}
	l := listOf(t, nil, rows...)
	s := beside(nil, plain("a", 1, 1, change(wire.OpCheckIn, 2, 10, 5000)))
	v, err := merge(l, rowsOf(l, s.Records), nil, s.Records)
	must(t, err)
	own := 0
	for i := range 1 << v.Grants.Bits() {
		if v.Grants.Bucket(i) != l.Grants.Bucket(i) {
			own++
		}
	}
	if own != 1 || v.Grants.Bits() == 0 || v.Grants.Len() != 2001 {
		t.Fatalf("%d buckets are new of %d", own, 1<<v.Grants.Bits())
	}
}

// sixRecords of two tenancies, by three gateways, with what makes an order
// matter: an end, a tie, a clock behind, a card bound later.
func sixRecords() []record.Local {
	return []record.Local{
		plain("a", 1, 1, change(wire.OpCheckIn, 1, 10, 1)),
		plain("a", 1, 2, change(wire.OpSuspend, 1, 30, 1)),
		plain("b", 1, 1, change(wire.OpResume, 1, 30, 1)),
		plain("b", 1, 2, change(wire.OpBind, 1, 5, 2)),
		plain("a", 1, 3, change(wire.OpCheckIn, 2, 11, 3)),
		plain("c", 1, 1, change(wire.OpEnd, 2, 1)),
	}
}

// TestAllOrders adds six records in all 720 orders, with a list that has merged
// some of them coming in at every point. With one list the end is always the same,
// the card of the ended tenancy never opens once its end is known, and the card of the other
// opens or is suspended from its check-in on.
func TestAllOrders(t *testing.T) {
	records := sixRecords()
	seen := func(gateway string, number uint64) wire.Seen {
		return wire.Seen{Gateway: gateway, Line: 1, Number: number}
	}
	suspended, revoked := inState(wire.GrantSuspended), inState(wire.GrantRevoked)
	lists := []struct {
		name  string
		list  *signedlist.List
		final []wire.Reason // of cards 1, 2, 3
	}{
		{"none", nil, []wire.Reason{6, 1, 7}},
		{"of a", listOf(t, []wire.Seen{seen("a", 3)}, row(1, 1, suspended), row(2, 3)), []wire.Reason{1, 1, 7}},
		{"of c", listOf(t, []wire.Seen{seen("c", 1)}), []wire.Reason{6, 1, 7}},
		{"all", listOf(t, []wire.Seen{seen("a", 3), seen("b", 2), seen("c", 1)},
			row(1, 1, suspended), row(1, 2), row(2, 3, revoked)), []wire.Reason{6, 1, 7}},
	}
	permutations(len(records), func(order []int) {
		for _, c := range lists {
			s := beside(nil)
			for at, i := range order {
				s.Records = s.Records.With(&record.Held{Local: records[i]})
				for _, active := range []*signedlist.List{nil, c.list} {
					got := s.opened(t, active, 1, 2, 3)
					if law := orderLaw(order[:at+1], got); law != "" {
						t.Fatalf("order %v, list %s: %s: %d", order[:at+1], c.name, law, got)
					}
				}
			}
			if got := s.opened(t, c.list, 1, 2, 3); !slices.Equal(got, c.final) {
				t.Fatalf("order %v, list %s: answers %d", order, c.name, got)
			}
		}
	})
}

func orderLaw(known []int, got []wire.Reason) string {
	has := func(i int) bool { return slices.Contains(known, i) }
	switch {
	case has(5) && got[2] == wire.ReasonGranted:
		return "a dead card opens"
	case has(4) && !has(5) && got[2] == wire.ReasonUnknown:
		return "a new tenant is lost"
	case has(0) && !has(1) && got[0] != wire.ReasonGranted && got[0] != wire.ReasonSuspended:
		return "a new tenant is lost"
	case has(0) && has(3) && got[1] != wire.ReasonGranted:
		return "a new card is lost"
	}
	return ""
}

// permutations calls f with each order of 0 to n-1 (Heap's algorithm).
func permutations(n int, f func([]int)) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	var next func(int)
	next = func(m int) {
		if m == 1 {
			f(order)
			return
		}
		for i := range m {
			next(m - 1)
			j := 0
			if m%2 == 0 {
				j = i
			}
			order[j], order[m-1] = order[m-1], order[j]
		}
	}
	next(n)
}

// TestPermutations: the tests' own tool makes each order once.
func TestPermutations(t *testing.T) {
	orders := make(map[string]bool)
	permutations(4, func(order []int) { orders[fmt.Sprint(order)] = true })
	if len(orders) != 24 {
		t.Fatalf("%d orders of four", len(orders))
	}
}
