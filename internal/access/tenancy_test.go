package access

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/sync/wire"
)

// TestDecideTenancy: a tenancy opens what one of its credentials opens under it,
// and else is told the reason that is nearest to opening.
func TestDecideTenancy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := distinct(rapid.SliceOfN(rapid.Custom(drawRecord), 0, 40).Draw(t, "records"))
		k := rapid.SampledFrom([]uint8{0, 2, 5}).Draw(t, "k")
		g, err := NewGrants(testDoors, k, cut(t, k, records))
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			tenancy, q := wire.ID{rapid.Byte().Draw(t, "whose") % 5}, drawQuery(t)
			got := DecideTenancy(g, tenancy, &q)
			if want := byCredentials(t, records, k, tenancy, q); got.Reason != want {
				t.Fatalf("tenancy %v: %d, its credentials say %d", tenancy, got.Reason, want)
			}
			if got.Reason != wire.ReasonUnknown && got.Tenancy != tenancy {
				t.Fatalf("tenancy %v: by a record of %v", tenancy, got.Tenancy)
			}
			if got.Reason == wire.ReasonGranted && naiveGrant(records, got, q) == 0 {
				t.Fatal("by a grant that does not open")
			}
		}
	})
}

// byCredentials asks Decide for every credential of a tenancy, in a snapshot of
// that tenancy alone, and returns the nearest answer.
func byCredentials(t *rapid.T, records []wire.Grant, k uint8, tenancy wire.ID, q Query) wire.Reason {
	var its []wire.Grant
	for _, r := range records {
		if r.Tenancy == tenancy {
			its = append(its, r)
		}
	}
	alone, err := NewGrants(testDoors, k, cut(t, k, its))
	if err != nil {
		t.Fatal(err)
	}
	best := wire.ReasonUnknown
	for _, r := range its {
		q.Credential = r.Credential
		if reason := Decide(alone, &q).Reason; nearness(reason) > nearness(best) {
			best = reason
		}
	}
	return best
}

// naiveGrant counts the records of the decision's grant and tenancy that open.
func naiveGrant(records []wire.Grant, d Decision, q Query) (n int) {
	for _, r := range records {
		if r.ID == d.Grant && r.Tenancy == d.Tenancy && naiveOne(testDoors, r, q) == wire.ReasonGranted {
			n++
		}
	}
	return n
}

func TestDecideTenancyWithoutRecord(t *testing.T) {
	q := Query{Door: "front", Time: Time{noon, noon, noon}}
	g := snapshot(t, wire.Grant{Credential: card(7), ID: wire.ID{1}, Tenancy: wire.ID{2}, Kind: wire.GrantResident, State: wire.GrantActive})
	for name, c := range map[string]struct {
		g    *Grants
		want wire.Reason
	}{"no grants": {nil, wire.ReasonNotReady}, "another tenancy": {g, wire.ReasonUnknown}, "a lost list": {g.Incomplete(), wire.ReasonNotReady}} {
		if got := DecideTenancy(c.g, wire.ID{3}, &q); got != (Decision{Reason: c.want}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// BenchmarkDecideTenancy asks for random tenancies of a list. The limit beside
// it, in the same run, is one byte read of each record up to the same place.
func BenchmarkDecideTenancy(b *testing.B) {
	for _, n := range []int{1_000, 20_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			records := city(n)
			for i := range records {
				records[i].Tenancy = wire.ID{1, byte(i), byte(i >> 8), byte(i >> 16)}
			}
			g, rng := build(b, records), rand.New(rand.NewPCG(5, 6))
			b.ReportAllocs()
			for b.Loop() {
				i := rng.IntN(n)
				whose := wire.ID{1, byte(i), byte(i >> 8), byte(i >> 16)}
				if d := DecideTenancy(g, whose, &Query{Door: "front", Time: Time{noon, noon, noon}}); d.Tenancy != whose {
					b.Fatal("not found")
				}
			}
			ours := float64(b.Elapsed()) / float64(b.N)
			limit := bareScan(records, rng, b.N)
			b.ReportMetric(limit, "ns/bare-scan")
			b.ReportMetric(ours/limit, "x_scan")
		})
	}
}

func bareScan(records []wire.Grant, rng *rand.Rand, rounds int) float64 {
	begin, sum := time.Now(), 0
	for range rounds {
		for i := range rng.IntN(len(records)) + 1 {
			sum += int(records[i].Tenancy[0])
		}
	}
	elapsed := time.Since(begin)
	runtime.KeepAlive(sum)
	return float64(elapsed) / float64(rounds)
}
