package merge

import (
	"crypto/sha256"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/internal/access"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring/record"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"
)

// TestLossesMissNobody: who got in by the list before, now or later, and does not
// by the list after, is one of the losses; with a clock and without.
func TestLossesMissNobody(t *testing.T) {
	ids := []string{"front", "yard", "cellar"}
	sets := rapid.Map(rapid.SliceOfNDistinct(rapid.Uint16Range(0, 2), 1, 3, rapid.ID), func(s []uint16) []uint16 { slices.Sort(s); return s })
	test := t
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) grantlist.Contents {
			c := grantlist.Contents{Doors: grantlist.Doors{IDs: rapid.Permutation(ids).Draw(t, name+" doors"), Sets: rapid.SliceOfN(sets, 2, 2).Draw(t, name+" sets")}}
			for i := range byte(rapid.IntRange(0, 4).Draw(t, name+" rows")) {
				g := row(i+1, rapid.IntRange(1, 2).Draw(t, "card"))
				g.Tenancy = wire.ID{9, rapid.Byte().Draw(t, "tenancy") % 2}
				g.Kind = wire.GrantKind(rapid.IntRange(int(wire.GrantResident), int(wire.GrantBrigade)).Draw(t, "kind"))
				g.State = wire.GrantState(rapid.IntRange(int(wire.GrantActive), int(wire.GrantRevoked)).Draw(t, "state"))
				g.DoorSet = rapid.Uint16Range(0, 1).Draw(t, "set")
				g.From, g.Until = rapid.Uint32Range(0, 5).Draw(t, "from"), rapid.SampledFrom([]uint32{0, 6, 7, 8, 9}).Draw(t, "until")
				c.Grants = append(c.Grants, g)
			}
			slices.SortFunc(c.Grants, func(a, b wire.Grant) int { return a.Compare(&b) })
			return c
		}
		before, after := draw("before"), draw("after")
		now := int64(rapid.IntRange(1, 8).Draw(t, "now"))
		lost := grantlist.Losses(before, after, now)
		was, is := grantsFrom(test, before), grantsFrom(test, after)
		for _, q := range queries(ids, now) {
			d := access.Decide(was, &q)
			if got := access.Decide(is, &q); d.Reason == wire.ReasonGranted && got.Reason != wire.ReasonGranted && !lost[wire.ID(d.Tenancy)] {
				t.Fatalf("%+v: %v, and no loss\n%+v\n%+v", q, got.Reason, before, after)
			}
		}
		if len(grantlist.Losses(before, before, now)) != 0 {
			t.Fatal("a list takes nothing from itself")
		}
	})
}

// TestLossOfWhoObjected: the end by a notice is the building's own, and no loss by a list; but an end that
// a list brings although it has seen the objection is. An objection answers the notice of its own grant.
func TestLossOfWhoObjected(t *testing.T) {
	notice, dispute := plain("a", 1, 1, change(wire.OpNotice, 1, 20)), plain("a", 1, 2, change(wire.OpDispute, 1, 30))
	second, resume := plain("a", 1, 3, change(wire.OpNotice, 2, 40)), plain("a", 1, 4, change(wire.OpDispute, 3, 50))
	ends := func(g *wire.Grant) { g.Until = uint32(issuedAt.Unix()) }
	rows := func(change ...func(*wire.Grant)) []wire.Grant {
		return []wire.Grant{row(1, 1, change...), row(2, 2), row(3, 3)}
	}
	for name, c := range map[string]struct {
		records []record.Local
		seen    uint64 // records of the line that the list includes
		want    []wire.ID
	}{
		"a notice alone":                    {[]record.Local{notice}, 1, nil},
		"an objection that it has not seen": {[]record.Local{notice, dispute}, 1, nil},
		"an objection that it has seen":     {[]record.Local{notice, dispute}, 2, []wire.ID{{1, 1}}},
		"one, and a notice of another":      {[]record.Local{notice, dispute, second}, 3, []wire.ID{{1, 1}}},
		"another's objection":               {[]record.Local{notice, second, resume}, 4, nil},
	} {
		s := beside(nil, c.records...)
		s.List = listOf(t, nil, rows()...)
		must(t, s.Refresh())
		next := listOf(t, []wire.Seen{{Gateway: "a", Line: 1, Number: c.seen}}, rows(ends)...)
		past := issuedAt.Add(-time.Hour).Unix()
		lost := slices.Collect(maps.Keys(s.Losses(next, s.Takes(next, past, true), past, true)))
		if !slices.Equal(lost, c.want) {
			t.Errorf("%s: lost %v, want %v", name, lost, c.want)
		}
	}
}

func grantsFrom(t *testing.T, c grantlist.Contents) *access.Grants {
	bucket, err := wire.EncodeBucket(c.Grants)
	must(t, err)
	l := &signedlist.List{Manifest: wire.Manifest{Buckets: []wire.Hash{sha256.Sum256(bucket)}, Doors: c.Doors.IDs, DoorSets: c.Doors.Sets}}
	must(t, l.Fill(nil, func(int) []byte { return bucket }))
	return l.Grants
}

// queries are all swipes from now on: where the time is known, where it is that
// late at least, and where it may be.
func queries(doors []string, now int64) (all []access.Query) {
	for card := 1; card <= 2; card++ {
		for _, door := range doors {
			q := access.Query{Credential: credential(card), Door: door}
			for at := now; at < 11; at++ {
				for _, time := range []access.Time{access.At(at), {Sure: at, Lo: at, Hi: access.Unknown}, {Sure: now, Lo: now, Hi: at}} {
					q.Time = time
					all = append(all, q)
				}
			}
		}
	}
	return all
}
