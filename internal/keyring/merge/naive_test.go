package merge

import (
	"crypto/sha256"
	"maps"
	"slices"
	"testing"

	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"

	"pgregory.net/rapid"
)

// drawRows are some of a house's grants, one row each, in any state.
func drawRows(t *rapid.T, name string) map[byte]wire.Grant {
	rows := make(map[byte]wire.Grant)
	for _, n := range rapid.SliceOfDistinct(rapid.ByteRange(1, 12), func(b byte) byte { return b }).Draw(t, name) {
		rows[n] = row(n, int(n), inState(wire.GrantState(rapid.IntRange(1, 3).Draw(t, "state"))), atDoors(uint16(rapid.IntRange(0, 2).Draw(t, "doors"))),
			func(g *wire.Grant) { g.Until = rapid.Uint32Range(0, 3).Draw(t, "until") })
	}
	return rows
}

// unsigned makes a list of rows, as Open and Fill would.
func unsigned(t testing.TB, rows map[byte]wire.Grant) *signedlist.List {
	t.Helper()
	bucket, err := wire.EncodeBucket(slices.SortedFunc(maps.Values(rows), func(a, b wire.Grant) int { return a.Compare(&b) }))
	must(t, err)
	l := &signedlist.List{Hash: wire.Hash{byte(len(rows))}, Manifest: wire.Manifest{Buckets: []wire.Hash{sha256.Sum256(bucket)}, Doors: []string{"front", "bikes"}, DoorSets: [][]uint16{{0}, {0, 1}, {1}}}}
	must(t, l.Fill(nil, func(int) []byte { return bucket }))
	return l
}

// naiveRow says, one word after the other, what opens of a row of the list in
// force: what is over does not; of each list that proves nothing the stricter word
// counts, and what it lets end is over.
func naiveRow(r wire.Grant, over map[wire.ID]bool, unproved []map[byte]wire.Grant) (state wire.GrantState, until uint32, doors []string) {
	sets := [][]string{{"front"}, {"front", "bikes"}, {"bikes"}}
	state, until, doors = r.State, r.Until, slices.Clone(sets[r.DoorSet])
	for _, rows := range unproved {
		u, named := rows[r.ID[0]]
		if !named {
			continue
		}
		state = max(state, u.State)
		if u.Until != 0 && (until == 0 || u.Until < until) {
			until = u.Until
		}
		doors = slices.DeleteFunc(doors, func(d string) bool { return !slices.Contains(sets[u.DoorSet], d) })
	}
	if over[r.ID] {
		state = wire.GrantRevoked
	}
	return state, until, doors
}

// TestMergeEqualsNaive: what opens by the active list, the grants that are over and
// lists that prove nothing is the same as one row at a time, without tables.
func TestMergeEqualsNaive(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, rows := &State{}, drawRows(rt, "active")
		s.List = unsigned(t, rows)
		for _, n := range rapid.SliceOfDistinct(rapid.ByteRange(1, 12), func(b byte) byte { return b }).Draw(rt, "over") {
			s.Over.Add(wire.ID{n})
		}
		var unproved []map[byte]wire.Grant
		for range rapid.IntRange(0, 3).Draw(rt, "lists that prove nothing") {
			must(t, s.Refresh())
			other := drawRows(rt, "of another line")
			took := s.Takes(unsigned(t, other), 0, false)
			s.Over.Add(took.Gone...)
			s.Limits = s.Limits.And(took)
			unproved = append(unproved, other)
		}
		must(t, s.Refresh())
		v := s.View
		if v.Grants.Len() != len(rows) {
			rt.Fatalf("%d rows, want %d", v.Grants.Len(), len(rows))
		}
		for r := range v.Grants.All() {
			state, until, doors := naiveRow(rows[r.ID[0]], s.Over.Known, unproved)
			got := v.Doors.Of(r.DoorSet)
			if r.State != wire.GrantState(state) {
				rt.Fatalf("grant %d: state %d, want %d", r.ID[0], r.State, state)
			}
			if state != wire.GrantRevoked && (r.Until != until || !slices.Equal(got, doors)) {
				rt.Fatalf("grant %d: until %d at %v, want %d at %v", r.ID[0], r.Until, got, until, doors)
			}
		}
	})
}
