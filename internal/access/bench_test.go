package access

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"gatehouse/sync/wire"
)

// city makes n records with uniform ids, as HMAC makes them.
func city(n int) []wire.Grant {
	rng := rand.NewChaCha8([32]byte{1})
	records := make([]wire.Grant, n)
	for i := range records {
		r := wire.Grant{Kind: wire.GrantResident, State: wire.GrantActive, DoorSet: uint16(i % 4), From: start}
		_, _ = rng.Read(r.Credential[:])
		r.Credential[0] = 1
		_, _ = rng.Read(r.ID[:])
		_, _ = rng.Read(r.Tenancy[:])
		records[i] = r
	}
	slices.SortFunc(records, func(a, b wire.Grant) int { return a.Compare(&b) })
	return records
}

func build(b *testing.B, records []wire.Grant) *Grants {
	k := uint8(0)
	for len(records)>>k > 400 { // near 32 KiB of list a bucket
		k++
	}
	doors := Doors{IDs: []string{"front", "back", "bikes", "roof"}, Sets: [][]uint16{{0}, {0, 1}, {0, 1, 2}, {0, 1, 2, 3}}}
	buckets := make([]*Bucket, 1<<k)
	for i := range buckets {
		n := 0
		for n < len(records) && records[n].Credential.Bucket(k) == i {
			n++
		}
		part := slices.Clone(records[:n])
		records = records[n:]
		var err error
		if buckets[i], err = NewBucket(k, part); err != nil {
			b.Fatal(err)
		}
	}
	g, err := NewGrants(doors, k, buckets)
	if err != nil {
		b.Fatal(err)
	}
	return g
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkDecide asks for random known cards. The limit beside it is one bare lookup in a Go map of
// the same ids. The two take turns; of each the median turn counts, and x_map is their ratio.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			records := city(n)
			before := heap()
			g := build(b, records)
			perGrant := float64(heap()-before) / float64(n)
			bare := make(map[wire.CredentialID]uint32, n)
			order := rand.New(rand.NewPCG(1, 2)).Perm(n)
			asked := make([]wire.CredentialID, n)
			for i, r := range records {
				bare[r.Credential] = uint32(i)
				asked[order[i]] = r.Credential
			}
			b.ReportAllocs()
			b.ResetTimer()
			var ours, limit []float64
			for done := 0; done < b.N; done += turn {
				count := min(turn, b.N-done)
				ours = append(ours, each(count, func() { decideAll(b, g, asked, done, count) }))
				limit = append(limit, each(count, func() { lookUpAll(b, bare, asked, done+n/2, count) }))
			}
			b.ReportMetric(median(ours), "ns/op")
			b.ReportMetric(median(limit), "ns/bare-map")
			b.ReportMetric(median(ours)/median(limit), "x_map")
			b.ReportMetric(perGrant, "B/grant")
		})
	}
}

// turn is how many lookups a side makes before it is the other's turn: some milliseconds, less than
// what the scheduler gives to other work at once.
const turn = 10_000

// each returns what one of count takes, ns.
func each(count int, all func()) float64 {
	begin := time.Now()
	all()
	return float64(time.Since(begin)) / float64(count)
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

func decideAll(b *testing.B, g *Grants, asked []wire.CredentialID, from, count int) {
	i, q := from%len(asked), Query{Door: "front", Time: Time{noon, noon, noon}}
	for range count {
		q.Credential = asked[i]
		if d := Decide(g, &q); d.Reason != wire.ReasonGranted {
			b.Fatal("not every card was granted")
		}
		if i++; i == len(asked) {
			i = 0
		}
	}
}

func lookUpAll(b *testing.B, m map[wire.CredentialID]uint32, asked []wire.CredentialID, from, count int) {
	i := from % len(asked)
	for range count {
		if _, ok := m[asked[i]]; !ok {
			b.Fatal("not every card is in the map")
		}
		if i++; i == len(asked) {
			i = 0
		}
	}
}

// BenchmarkDecideUnknown asks for cards that nobody knows.
func BenchmarkDecideUnknown(b *testing.B) {
	g := build(b, city(100_000))
	var c wire.CredentialID
	rng := rand.New(rand.NewPCG(3, 4))
	b.ReportAllocs()
	for b.Loop() {
		binary.BigEndian.PutUint64(c[1:], rng.Uint64())
		if d := Decide(g, &Query{Credential: c, Door: "front"}); d.Reason != wire.ReasonUnknown {
			b.Fatal("known")
		}
	}
}
