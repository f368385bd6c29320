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

// BenchmarkDecide asks for random known cards. The limit beside it, in the same
// run, is one bare lookup in a Go map of the same ids; x_map is the ratio.
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
			hits, i := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				d := Decide(g, Query{Credential: asked[i], Door: "front", Time: Time{noon, noon, noon}})
				hits += int(d.Reason)
				if i++; i == n {
					i = 0
				}
			}
			if hits != b.N {
				b.Fatal("not every card was granted")
			}
			ours := float64(b.Elapsed()) / float64(b.N)
			limit := bareLookup(bare, asked, b.N)
			b.ReportMetric(limit, "ns/bare-map")
			b.ReportMetric(ours/limit, "x_map")
			b.ReportMetric(perGrant, "B/grant")
			runtime.KeepAlive(g)
		})
	}
}

func bareLookup(m map[wire.CredentialID]uint32, asked []wire.CredentialID, rounds int) float64 {
	begin, sum, i := time.Now(), uint32(0), 0
	for range rounds {
		sum += m[asked[i]]
		if i++; i == len(asked) {
			i = 0
		}
	}
	elapsed := time.Since(begin)
	runtime.KeepAlive(sum)
	return float64(elapsed) / float64(rounds)
}

// BenchmarkDecideUnknown asks for cards that nobody knows.
func BenchmarkDecideUnknown(b *testing.B) {
	g := build(b, city(100_000))
	var c wire.CredentialID
	rng := rand.New(rand.NewPCG(3, 4))
	b.ReportAllocs()
	for b.Loop() {
		binary.BigEndian.PutUint64(c[1:], rng.Uint64())
		if d := Decide(g, Query{Credential: c, Door: "front"}); d.Reason != wire.ReasonUnknown {
			b.Fatal("known")
		}
	}
}
