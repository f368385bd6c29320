package access

import (
	"testing"
	"unsafe"
)

const (
	early = 1_000_000_000
	start = 1_500_000_000
	noon  = 1_600_000_000
	end   = 1_700_000_000
	late  = 1_800_000_000
)

func card(n byte) CredentialID { return CredentialID{0: 1, 1: n, 16: n} }

func snapshot(t testing.TB, records ...Record) *Grants {
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
	if n := unsafe.Sizeof(Record{}); n != 64 {
		t.Fatalf("a record takes %d bytes", n)
	}
}

func TestDecideOneRecord(t *testing.T) {
	type change func(*Record)
	kind := func(k Kind) change { return func(r *Record) { r.Kind = k } }
	state := func(s State) change { return func(r *Record) { r.State = s } }
	set := func(s uint16) change { return func(r *Record) { r.DoorSet = s } }
	span := func(from, until uint32) change { return func(r *Record) { r.From, r.Until = from, until } }
	at := func(sure, lo, hi int64) Query { return Query{Time: Time{sure, lo, hi}} }
	knows := at(noon, noon, noon)
	woke := at(0, 0, Unknown) // a board without a clock, in 1970
	cases := []struct {
		name   string
		q      Query
		change []change
		want   Reason
	}{
		{"resident", knows, nil, ReasonGranted},
		{"both doors", knows, []change{set(2)}, ReasonGranted},
		{"other door", knows, []change{set(1)}, ReasonWrongDoor},
		{"no door", knows, []change{set(3)}, ReasonWrongDoor},
		{"set out of range", knows, []change{set(4)}, ReasonNotReady},
		{"kind 0", knows, []change{kind(0)}, ReasonNotReady},
		{"kind of the future", knows, []change{kind(5)}, ReasonNotReady},
		{"state 0", knows, []change{state(0)}, ReasonNotReady},
		{"state of the future", knows, []change{state(4)}, ReasonNotReady},
		{"schedule of the future", knows, []change{func(r *Record) { r.Schedule = 1 }}, ReasonNotReady},
		{"suspended", knows, []change{state(StateSuspended)}, ReasonSuspended},
		{"revoked", knows, []change{state(StateRevoked)}, ReasonRevoked},
		{"revoked says so at any door", knows, []change{state(StateRevoked), set(1)}, ReasonRevoked},

		{"in term", knows, []change{span(start, end)}, ReasonGranted},
		{"last second", at(end-1, end-1, end-1), []change{span(start, end)}, ReasonGranted},
		{"at the end", at(end, end, end), []change{span(start, end)}, ReasonExpired},
		{"one source is past the end", at(noon, noon, late), []change{span(start, end)}, ReasonGranted},
		{"all but what is sure", at(noon, late, late), []change{span(start, end)}, ReasonGranted},
		{"after 2106", at(1<<33, 1<<33, 1<<33), []change{span(start, 1<<32-1)}, ReasonExpired},
		{"second before the start", at(start-1, start-1, start-1), []change{span(start, end)}, ReasonGranted},
		{"399 days before it", at(0, 0, start-399*86400), []change{span(start, end)}, ReasonGranted},
		{"401 days before it", at(0, 0, start-401*86400), []change{span(start, end)}, ReasonNotYet},
		{"nobody knows the time", at(0, 0, Unknown), []change{span(1<<32-1, 0)}, ReasonGranted},
		{"before 1970", at(-5, -5, -5), []change{span(1, 0)}, ReasonGranted},

		{"woke in 1970", woke, []change{span(start, end)}, ReasonGranted},
		{"sure of the end", at(end, end, Unknown), []change{span(start, end)}, ReasonExpired},
		{"staff woke in 1970", woke, []change{kind(KindStaff), span(start, end)}, ReasonGranted},
		{"brigade woke in 1970", woke, []change{kind(KindBrigade), span(start, end)}, ReasonGranted},

		{"visitor", knows, []change{kind(KindVisitor), span(start, end)}, ReasonGranted},
		{"visitor at the start", at(0, start, start), []change{kind(KindVisitor), span(start, end)}, ReasonGranted},
		{"visitor before it", at(0, start-1, start-1), []change{kind(KindVisitor), span(start, end)}, ReasonNotYet},
		{"visitor, begun by one source", at(0, start-1, noon), []change{kind(KindVisitor), span(start, end)}, ReasonClockUntrusted},
		{"visitor late", at(0, end, late), []change{kind(KindVisitor), span(start, end)}, ReasonExpired},
		{"visitor, over by one source", at(0, noon, end), []change{kind(KindVisitor), span(start, end)}, ReasonClockUntrusted},
		{"visitor, last second", at(0, noon, end-1), []change{kind(KindVisitor), span(start, end)}, ReasonGranted},
		{"visitor, no clock", woke, []change{kind(KindVisitor), span(start, end)}, ReasonClockUntrusted},
		{"visitor without end, begun", at(noon, noon, Unknown), []change{kind(KindVisitor), span(start, 0)}, ReasonGranted},
		{"visitor without end, begun?", at(early, early, Unknown), []change{kind(KindVisitor), span(start, 0)}, ReasonClockUntrusted},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := Record{Credential: card(7), Grant: ID{1}, Tenancy: ID{2}, Kind: KindResident, State: StateActive}
			for _, f := range c.change {
				f(&r)
			}
			q := c.q
			q.Credential, q.Door = card(7), "front"
			got := Decide(snapshot(t, r), q)
			if doubt := c.want == ReasonGranted && r.Until != 0 && q.Time.Hi >= int64(r.Until); got.Doubtful != doubt {
				t.Errorf("doubtful %v, want %v", got.Doubtful, doubt)
			}
			want := Decision{c.want, r.Kind, r.Grant, r.Tenancy, got.Doubtful}
			if got != want {
				t.Fatalf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestDecideWithoutRecord(t *testing.T) {
	r := Record{Credential: card(7), Grant: ID{1}, Kind: KindResident, State: StateActive}
	g := snapshot(t, r)
	other := card(7)
	other[0] = 2 // the same MAC under another key is another card
	for name, c := range map[string]struct {
		g    *Grants
		q    Query
		want Decision
	}{
		"no grants":        {nil, Query{Credential: card(7), Door: "front"}, Decision{Reason: ReasonNotReady}},
		"empty":            {snapshot(t), Query{Credential: card(7), Door: "front"}, Decision{Reason: ReasonUnknown}},
		"unknown card":     {g, Query{Credential: card(8), Door: "front"}, Decision{Reason: ReasonUnknown}},
		"other key number": {g, Query{Credential: other, Door: "front"}, Decision{Reason: ReasonUnknown}},
		"unknown door":     {g, Query{Credential: card(7), Door: "roof"}, Decision{ReasonWrongDoor, KindResident, ID{1}, ID{}, false}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Decide(c.g, c.q); got != c.want {
				t.Fatalf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestDecideNearest puts each pair of reasons on one card: the nearer to
// opening wins, in either order of the list.
func TestDecideNearest(t *testing.T) {
	active := Record{Credential: card(7), Kind: KindVisitor, State: StateActive}
	with := func(f func(*Record)) Record { r := active; f(&r); return r }
	ladder := []struct {
		reason Reason
		r      Record
	}{ // it is noon or later, nobody knows how much
		{ReasonNotReady, with(func(r *Record) { r.Schedule = 9 })},
		{ReasonRevoked, with(func(r *Record) { r.State = StateRevoked })},
		{ReasonSuspended, with(func(r *Record) { r.State = StateSuspended })},
		{ReasonWrongDoor, with(func(r *Record) { r.DoorSet = 1 })},
		{ReasonExpired, with(func(r *Record) { r.Until = start })},
		{ReasonClockUntrusted, with(func(r *Record) { r.Until = end })},
		{ReasonGranted, active},
	}
	q := Query{Credential: card(7), Door: "front", Time: Time{noon, noon, Unknown}}
	for lo := range ladder {
		for hi := lo; hi < len(ladder); hi++ {
			for _, pair := range [][2]Record{{ladder[lo].r, ladder[hi].r}, {ladder[hi].r, ladder[lo].r}} {
				pair[0].Grant, pair[1].Grant = ID{1}, ID{2}
				if got := Decide(snapshot(t, pair[:]...), q); got.Reason != ladder[hi].reason {
					t.Fatalf("%d and %d: got %d", ladder[lo].reason, ladder[hi].reason, got.Reason)
				}
			}
		}
	}
	yet := with(func(r *Record) { r.From = late; r.Grant = ID{1} })
	gone := with(func(r *Record) { r.Until = start; r.Grant = ID{2} })
	if got := Decide(snapshot(t, yet, gone), Query{Credential: card(7), Door: "front", Time: Time{noon, noon, noon}}); got.Reason != ReasonNotYet {
		t.Fatalf("not yet and expired: got %d", got.Reason)
	}
}

// TestDecideIncomplete: where the list was lost, what is left opens, and nobody
// is called unknown.
func TestDecideIncomplete(t *testing.T) {
	r := Record{Credential: card(7), Grant: ID{1}, Kind: KindResident, State: StateActive}
	dead := Record{Credential: card(9), Grant: ID{2}, Kind: KindResident, State: StateRevoked}
	odd := Record{Credential: card(11), Grant: ID{3}}
	whole := snapshot(t, r, dead, odd)
	g := whole.Incomplete()
	for n, want := range map[byte]Reason{7: ReasonGranted, 8: ReasonNotReady, 9: ReasonRevoked, 11: ReasonNotReady} {
		if got := Decide(g, Query{Credential: card(n), Door: "front"}); got.Reason != want {
			t.Errorf("card %d: got %d, want %d", n, got.Reason, want)
		}
	}
	if got := Decide(whole, Query{Credential: card(8), Door: "front"}); got.Reason != ReasonUnknown {
		t.Errorf("the whole snapshot changed: got %d", got.Reason)
	}
}

func TestFind(t *testing.T) {
	one := Record{Credential: card(7), Grant: ID{1}}
	two := Record{Credential: card(7), Grant: ID{2}}
	g := snapshot(t, one, two, Record{Credential: card(9), Grant: ID{1}})
	if got := g.Find(card(7)); len(got) != 2 || got[0] != one || got[1] != two || !g.Knows(card(7)) {
		t.Fatalf("found %+v", got)
	}
	if got := g.Find(card(8)); len(got) != 0 || g.Knows(card(8)) {
		t.Fatalf("found %+v", got)
	}
}

func TestRefusedSnapshots(t *testing.T) {
	a, b := Record{Credential: card(1)}, Record{Credential: card(200)}
	refuse := func(name string, err error) {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	bucket := func(k uint8, r ...Record) *Bucket {
		got, err := NewBucket(k, r)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	_, err := NewBucket(0, []Record{b, a})
	refuse("unsorted", err)
	_, err = NewBucket(0, []Record{a, a})
	refuse("duplicate", err)
	_, err = NewBucket(1, []Record{a, b})
	refuse("two buckets in one", err)
	_, err = NewBucket(MaxBits+1, nil)
	refuse("too many bits", err)
	_, err = NewBucket(0, make([]Record, maxBucket+1))
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
	r := Record{Credential: card(7), Grant: ID{1}, Kind: KindResident, State: StateActive}
	g := snapshot(t, r)
	q := Query{Credential: card(7), Door: "front"}
	if n := testing.AllocsPerRun(100, func() { Decide(g, q) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
