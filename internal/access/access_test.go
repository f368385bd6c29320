package access

import (
	"testing"
	"unsafe"

	"gatehouse/sync/wire"
)

const (
	early = 1_000_000_000
	start = 1_500_000_000
	noon  = 1_600_000_000
	end   = 1_700_000_000
	late  = 1_800_000_000
)

func card(n byte) wire.CredentialID { return wire.CredentialID{0: 1, 1: n, 16: n} }

func snapshot(t testing.TB, records ...wire.Grant) *Grants {
	t.Helper()
	b, err := NewBucket(0, records)
	if err != nil {
		t.Fatal(err)
	}
	g, err := NewGrants(Doors{IDs: []string{"front", "bikes"}, Sets: [][]uint16{{0}, {1}, {0, 1}, {}}}, 0, []*Bucket{b})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestRecordIs64Bytes(t *testing.T) {
	if n := unsafe.Sizeof(wire.Grant{}); n != 64 {
		t.Fatalf("a record takes %d bytes", n)
	}
}

func TestDecideOneRecord(t *testing.T) {
	type change func(*wire.Grant)
	kind := func(k wire.GrantKind) change { return func(r *wire.Grant) { r.Kind = k } }
	state := func(s wire.GrantState) change { return func(r *wire.Grant) { r.State = s } }
	set := func(s uint16) change { return func(r *wire.Grant) { r.DoorSet = s } }
	span := func(from, until uint32) change { return func(r *wire.Grant) { r.From, r.Until = from, until } }
	at := func(sure, lo, hi int64) Query { return Query{Time: Time{sure, lo, hi}} }
	knows := at(noon, noon, noon)
	woke := at(0, 0, Unknown) // a board without a clock, in 1970
	cases := []struct {
		name   string
		q      Query
		change []change
		want   wire.Reason
	}{
		{"resident", knows, nil, wire.ReasonGranted},
		{"both doors", knows, []change{set(2)}, wire.ReasonGranted},
		{"other door", knows, []change{set(1)}, wire.ReasonWrongDoor},
		{"no door", knows, []change{set(3)}, wire.ReasonWrongDoor},
		{"set out of range", knows, []change{set(4)}, wire.ReasonNotReady},
		{"kind 0", knows, []change{kind(0)}, wire.ReasonNotReady},
		{"kind of the future", knows, []change{kind(5)}, wire.ReasonNotReady},
		{"state 0", knows, []change{state(0)}, wire.ReasonNotReady},
		{"state of the future", knows, []change{state(4)}, wire.ReasonNotReady},
		{"suspended", knows, []change{state(wire.GrantSuspended)}, wire.ReasonSuspended},
		{"revoked", knows, []change{state(wire.GrantRevoked)}, wire.ReasonRevoked},
		{"revoked says so at any door", knows, []change{state(wire.GrantRevoked), set(1)}, wire.ReasonRevoked},

		{"in term", knows, []change{span(start, end)}, wire.ReasonGranted},
		{"last second", at(end-1, end-1, end-1), []change{span(start, end)}, wire.ReasonGranted},
		{"at the end", at(end, end, end), []change{span(start, end)}, wire.ReasonExpired},
		{"one source is past the end", at(noon, noon, late), []change{span(start, end)}, wire.ReasonGranted},
		{"all but what is sure", at(noon, late, late), []change{span(start, end)}, wire.ReasonGranted},
		{"after 2106", at(1<<33, 1<<33, 1<<33), []change{span(start, 1<<32-1)}, wire.ReasonExpired},
		{"second before the start", at(start-1, start-1, start-1), []change{span(start, end)}, wire.ReasonGranted},
		{"399 days before it", at(0, 0, start-399*86400), []change{span(start, end)}, wire.ReasonGranted},
		{"401 days before it", at(0, 0, start-401*86400), []change{span(start, end)}, wire.ReasonNotYet},
		{"nobody knows the time", at(0, 0, Unknown), []change{span(1<<32-1, 0)}, wire.ReasonGranted},
		{"before 1970", at(-5, -5, -5), []change{span(1, 0)}, wire.ReasonGranted},

		{"woke in 1970", woke, []change{span(start, end)}, wire.ReasonGranted},
		{"sure of the end", at(end, end, Unknown), []change{span(start, end)}, wire.ReasonExpired},
		{"staff woke in 1970", woke, []change{kind(wire.GrantStaff), span(start, end)}, wire.ReasonGranted},
		{"brigade woke in 1970", woke, []change{kind(wire.GrantBrigade), span(start, end)}, wire.ReasonGranted},

		{"visitor", knows, []change{kind(wire.GrantVisitor), span(start, end)}, wire.ReasonGranted},
		{"visitor at the start", at(0, start, start), []change{kind(wire.GrantVisitor), span(start, end)}, wire.ReasonGranted},
		{"visitor before it", at(0, start-1, start-1), []change{kind(wire.GrantVisitor), span(start, end)}, wire.ReasonNotYet},
		{"visitor, begun by one source", at(0, start-1, noon), []change{kind(wire.GrantVisitor), span(start, end)}, wire.ReasonClockUntrusted},
		{"visitor late", at(0, end, late), []change{kind(wire.GrantVisitor), span(start, end)}, wire.ReasonExpired},
		{"visitor, over by one source", at(0, noon, end), []change{kind(wire.GrantVisitor), span(start, end)}, wire.ReasonClockUntrusted},
		{"visitor, last second", at(0, noon, end-1), []change{kind(wire.GrantVisitor), span(start, end)}, wire.ReasonGranted},
		{"visitor, no clock", woke, []change{kind(wire.GrantVisitor), span(start, end)}, wire.ReasonClockUntrusted},
		{"visitor without end, begun", at(noon, noon, Unknown), []change{kind(wire.GrantVisitor), span(start, 0)}, wire.ReasonGranted},
		{"visitor without end, begun?", at(early, early, Unknown), []change{kind(wire.GrantVisitor), span(start, 0)}, wire.ReasonClockUntrusted},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := wire.Grant{Credential: card(7), ID: wire.ID{1}, Tenancy: wire.ID{2}, Kind: wire.GrantResident, State: wire.GrantActive}
			for _, f := range c.change {
				f(&r)
			}
			q := c.q
			q.Credential, q.Door = card(7), "front"
			got := Decide(snapshot(t, r), &q)
			if doubt := c.want == wire.ReasonGranted && r.Until != 0 && q.Time.Hi >= int64(r.Until); got.Doubtful != doubt {
				t.Errorf("doubtful %v, want %v", got.Doubtful, doubt)
			}
			want := Decision{c.want, r.Kind, r.ID, r.Tenancy, got.Doubtful}
			if got != want {
				t.Fatalf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestDecideWithoutRecord(t *testing.T) {
	r := wire.Grant{Credential: card(7), ID: wire.ID{1}, Kind: wire.GrantResident, State: wire.GrantActive}
	g := snapshot(t, r)
	other := card(7)
	other[0] = 2 // the same MAC under another key is another card
	for name, c := range map[string]struct {
		g    *Grants
		q    Query
		want Decision
	}{
		"no grants":        {nil, Query{Credential: card(7), Door: "front"}, Decision{Reason: wire.ReasonNotReady}},
		"empty":            {snapshot(t), Query{Credential: card(7), Door: "front"}, Decision{Reason: wire.ReasonUnknown}},
		"unknown card":     {g, Query{Credential: card(8), Door: "front"}, Decision{Reason: wire.ReasonUnknown}},
		"other key number": {g, Query{Credential: other, Door: "front"}, Decision{Reason: wire.ReasonUnknown}},
		"unknown door":     {g, Query{Credential: card(7), Door: "roof"}, Decision{wire.ReasonWrongDoor, wire.GrantResident, wire.ID{1}, wire.ID{}, false}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Decide(c.g, &c.q); got != c.want {
				t.Fatalf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestDecideNearest puts each pair of reasons on one card: the nearer to
// opening wins, in either order of the list.
func TestDecideNearest(t *testing.T) {
	active := wire.Grant{Credential: card(7), Kind: wire.GrantVisitor, State: wire.GrantActive}
	with := func(f func(*wire.Grant)) wire.Grant { r := active; f(&r); return r }
	ladder := []struct {
		reason wire.Reason
		r      wire.Grant
	}{ // it is noon or later, nobody knows how much
		{wire.ReasonNotReady, with(func(r *wire.Grant) { r.DoorSet = 9 })},
		{wire.ReasonRevoked, with(func(r *wire.Grant) { r.State = wire.GrantRevoked })},
		{wire.ReasonSuspended, with(func(r *wire.Grant) { r.State = wire.GrantSuspended })},
		{wire.ReasonWrongDoor, with(func(r *wire.Grant) { r.DoorSet = 1 })},
		{wire.ReasonExpired, with(func(r *wire.Grant) { r.Until = start })},
		{wire.ReasonClockUntrusted, with(func(r *wire.Grant) { r.Until = end })},
		{wire.ReasonGranted, active},
	}
	q := Query{Credential: card(7), Door: "front", Time: Time{noon, noon, Unknown}}
	for lo := range ladder {
		for hi := lo; hi < len(ladder); hi++ {
			for _, pair := range [][2]wire.Grant{{ladder[lo].r, ladder[hi].r}, {ladder[hi].r, ladder[lo].r}} {
				pair[0].ID, pair[1].ID = wire.ID{1}, wire.ID{2}
				if got := Decide(snapshot(t, pair[:]...), &q); got.Reason != ladder[hi].reason {
					t.Fatalf("%d and %d: got %d", ladder[lo].reason, ladder[hi].reason, got.Reason)
				}
			}
		}
	}
	yet := with(func(r *wire.Grant) { r.From = late; r.ID = wire.ID{1} })
	gone := with(func(r *wire.Grant) { r.Until = start; r.ID = wire.ID{2} })
	if got := Decide(snapshot(t, yet, gone), &Query{Credential: card(7), Door: "front", Time: Time{noon, noon, noon}}); got.Reason != wire.ReasonNotYet {
		t.Fatalf("not yet and expired: got %d", got.Reason)
	}
}

// TestDecideIncomplete: where the list was lost, what is left opens, and nobody
// is called unknown.
func TestDecideIncomplete(t *testing.T) {
	r := wire.Grant{Credential: card(7), ID: wire.ID{1}, Kind: wire.GrantResident, State: wire.GrantActive}
	dead := wire.Grant{Credential: card(9), ID: wire.ID{2}, Kind: wire.GrantResident, State: wire.GrantRevoked}
	odd := wire.Grant{Credential: card(11), ID: wire.ID{3}}
	whole := snapshot(t, r, dead, odd)
	g := whole.Incomplete()
	for n, want := range map[byte]wire.Reason{7: wire.ReasonGranted, 8: wire.ReasonNotReady, 9: wire.ReasonRevoked, 11: wire.ReasonNotReady} {
		if got := Decide(g, &Query{Credential: card(n), Door: "front"}); got.Reason != want {
			t.Errorf("card %d: got %d, want %d", n, got.Reason, want)
		}
	}
	if got := Decide(whole, &Query{Credential: card(8), Door: "front"}); got.Reason != wire.ReasonUnknown {
		t.Errorf("the whole snapshot changed: got %d", got.Reason)
	}
}

func TestFind(t *testing.T) {
	one := wire.Grant{Credential: card(7), ID: wire.ID{1}}
	two := wire.Grant{Credential: card(7), ID: wire.ID{2}}
	g := snapshot(t, one, two, wire.Grant{Credential: card(9), ID: wire.ID{1}})
	if got := g.Find(card(7)); len(got) != 2 || got[0] != one || got[1] != two || !g.Knows(card(7)) {
		t.Fatalf("found %+v", got)
	}
	if got := g.Find(card(8)); len(got) != 0 || g.Knows(card(8)) {
		t.Fatalf("found %+v", got)
	}
}

func TestRefusedSnapshots(t *testing.T) {
	a, b := wire.Grant{Credential: card(1)}, wire.Grant{Credential: card(200)}
	refuse := func(name string, err error) {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	bucket := func(k uint8, r ...wire.Grant) *Bucket {
		got, err := NewBucket(k, r)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	_, err := NewBucket(0, []wire.Grant{b, a})
	refuse("unsorted", err)
	_, err = NewBucket(0, []wire.Grant{a, a})
	refuse("duplicate", err)
	_, err = NewBucket(1, []wire.Grant{a, b})
	refuse("two buckets in one", err)
	_, err = NewBucket(maxBits+1, nil)
	refuse("too many bits", err)
	_, err = NewBucket(0, make([]wire.Grant, maxBucket+1))
	refuse("too many records", err)
	_, err = NewGrants(Doors{}, 1, []*Bucket{bucket(1, b), bucket(1, a)})
	refuse("swapped buckets", err)
	_, err = NewGrants(Doors{}, 1, []*Bucket{bucket(0, a), nil})
	refuse("bucket of another cut", err)
	_, err = NewGrants(Doors{}, 1, []*Bucket{nil})
	refuse("buckets missing", err)
	_, err = NewGrants(Doors{IDs: []string{"x", "x"}}, 0, []*Bucket{nil})
	refuse("door twice", err)
	_, err = NewGrants(Doors{IDs: []string{"x"}, Sets: [][]uint16{{1}}}, 0, []*Bucket{nil})
	refuse("set of no door", err)
}

func TestDecideAllocatesNothing(t *testing.T) {
	r := wire.Grant{Credential: card(7), ID: wire.ID{1}, Kind: wire.GrantResident, State: wire.GrantActive}
	g := snapshot(t, r)
	q := Query{Credential: card(7), Door: "front"}
	if n := testing.AllocsPerRun(100, func() { Decide(g, &q) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
