package access

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/sync/wire"
)

// naive is what Decide must equal, said once more in the plainest way: filter
// every record of the building, judge each, take the best.
func naive(doors Doors, records []wire.Grant, q Query) Decision {
	order := []wire.Reason{wire.ReasonUnknown, wire.ReasonNotReady, wire.ReasonRevoked, wire.ReasonSuspended, wire.ReasonWrongDoor,
		wire.ReasonExpired, wire.ReasonNotYet, wire.ReasonClockUntrusted, wire.ReasonGranted}
	best := Decision{Reason: wire.ReasonUnknown}
	for _, r := range records {
		if r.Credential != q.Credential {
			continue
		}
		d := Decision{naiveOne(doors, r, q), r.Kind, r.ID, r.Tenancy, false}
		d.Doubtful = d.Reason == wire.ReasonGranted && r.Until > 0 && q.Time.Hi >= int64(r.Until)
		if slices.Index(order, d.Reason) > slices.Index(order, best.Reason) {
			best = d
		}
	}
	return best
}

func naiveOne(doors Doors, r wire.Grant, q Query) wire.Reason {
	if int(r.DoorSet) >= len(doors.Sets) {
		return wire.ReasonNotReady
	}
	if r.State == wire.GrantRevoked {
		return wire.ReasonRevoked
	}
	if r.State == wire.GrantSuspended {
		return wire.ReasonSuspended
	}
	opens := false
	for _, i := range doors.Sets[r.DoorSet] {
		opens = opens || doors.IDs[i] == q.Door
	}
	if !opens {
		return wire.ReasonWrongDoor
	}
	// All moments from first to last are possible.
	until, from := int64(r.Until), int64(r.From)
	if r.Until == 0 {
		until = 1 << 40
	}
	if r.Kind != wire.GrantVisitor {
		if q.Time.Sure >= until {
			return wire.ReasonExpired
		}
		if q.Time.Hi+400*24*3600 < from && q.Time.Hi != Unknown {
			return wire.ReasonNotYet
		}
		return wire.ReasonGranted
	}
	first, last := q.Time.Lo, min(q.Time.Hi, 1<<40-1)
	switch {
	case first >= until:
		return wire.ReasonExpired
	case last < from:
		return wire.ReasonNotYet
	case first >= from && last < until:
		return wire.ReasonGranted
	}
	return wire.ReasonClockUntrusted
}

var testDoors = Doors{IDs: []string{"front", "back", "bikes"}, Sets: [][]uint16{{0}, {0, 1, 2}, {2}}}

// drawCredential draws from few cards, so that they collide in MAC prefixes,
// key numbers, buckets and grants.
func drawCredential(t *rapid.T, name string) wire.CredentialID {
	var c wire.CredentialID
	c[0] = rapid.SampledFrom([]byte{1, 2}).Draw(t, name+" key")
	c[1] = rapid.SampledFrom([]byte{0, 1, 0x7f, 0x80, 0x81, 0xff}).Draw(t, name+" first")
	c[8] = rapid.SampledFrom([]byte{0, 1}).Draw(t, name+" mid")
	c[16] = rapid.SampledFrom([]byte{0, 1}).Draw(t, name+" last")
	return c
}

func drawRecord(t *rapid.T) wire.Grant {
	times := []uint32{0, start, noon, end}
	return wire.Grant{
		Credential: drawCredential(t, "credential"),
		ID:         wire.ID{rapid.Byte().Draw(t, "grant") % 8},
		Tenancy:    wire.ID{rapid.Byte().Draw(t, "tenancy") % 4},
		Kind:       wire.GrantKind(rapid.IntRange(1, 4).Draw(t, "kind")),
		State:      wire.GrantState(rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(t, "state")),
		DoorSet:    uint16(rapid.IntRange(0, 3).Draw(t, "set")),
		From:       rapid.SampledFrom(times).Draw(t, "from"),
		Until:      rapid.SampledFrom(times).Draw(t, "until"),
	}
}

func drawQuery(t *rapid.T) Query {
	times := []int64{0, 30, start - 1, start, noon, end - 1, end, late}
	return Query{
		Credential: drawCredential(t, "asked"),
		Door:       rapid.SampledFrom([]string{"front", "back", "bikes", "roof"}).Draw(t, "door"),
		Time: Time{Sure: rapid.SampledFrom(times).Draw(t, "sure"), Lo: rapid.SampledFrom(times).Draw(t, "lo"),
			Hi: rapid.SampledFrom(append(times, Unknown)).Draw(t, "hi")},
	}
}

func distinct(records []wire.Grant) []wire.Grant {
	slices.SortFunc(records, func(a, b wire.Grant) int { return a.Compare(&b) })
	return slices.CompactFunc(records, func(a, b wire.Grant) bool { return a.Compare(&b) == 0 })
}

func cut(t *rapid.T, k uint8, records []wire.Grant) []*Bucket {
	parts := make([][]wire.Grant, 1<<k)
	for _, r := range records {
		i := r.Credential.Bucket(k)
		parts[i] = append(parts[i], r)
	}
	buckets := make([]*Bucket, len(parts))
	for i, p := range parts {
		b, err := NewBucket(k, p)
		if err != nil {
			t.Fatal(err)
		}
		buckets[i] = b
	}
	return buckets
}

// TestDecideEqualsNaive: whatever the list, its cut and the question, Decide
// answers as the naive model does, and an older snapshot goes on answering as it
// did after a newer one was made from its buckets.
func TestDecideEqualsNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		listed := distinct(rapid.SliceOfN(rapid.Custom(drawRecord), 0, 40).Draw(t, "listed"))
		k := rapid.SampledFrom([]uint8{0, 1, 2, 5, 8}).Draw(t, "k")
		buckets := cut(t, k, listed)
		old, err := NewGrants(testDoors, k, buckets)
		if err != nil {
			t.Fatal(err)
		}
		next, after := replaceOne(t, old, k, listed)
		for range 20 {
			q := drawQuery(t)
			compare(t, "old", Decide(old, &q), naive(testDoors, listed, q))
			compare(t, "next", Decide(next, &q), naive(testDoors, after, q))
		}
	})
}

func compare(t *rapid.T, which string, got, want Decision) {
	if got != want {
		t.Fatalf("%s: got %+v, want %+v", which, got, want)
	}
}

// replaceOne makes a next version that shares all buckets but one.
func replaceOne(t *rapid.T, old *Grants, k uint8, listed []wire.Grant) (*Grants, []wire.Grant) {
	added := drawRecord(t)
	i := added.Credential.Bucket(k)
	part := distinct(append([]wire.Grant{added}, old.Bucket(i).Records()...))
	buckets := make([]*Bucket, 1<<k)
	for j := range buckets {
		buckets[j] = old.Bucket(j)
	}
	b, err := NewBucket(k, part)
	if err != nil {
		t.Fatal(err)
	}
	buckets[i] = b
	next, err := NewGrants(testDoors, k, buckets)
	if err != nil {
		t.Fatal(err)
	}
	rest := slices.DeleteFunc(slices.Clone(listed), func(r wire.Grant) bool { return r.Credential.Bucket(k) == i })
	after := distinct(append(rest, part...))
	if next.Len() != len(after) {
		t.Fatalf("%d records, want %d", next.Len(), len(after))
	}
	for r := range next.All() {
		if r.Compare(&after[0]) != 0 {
			t.Fatal("All is out of order")
		}
		after = append(after[1:], after[0])
	}
	return next, after
}
