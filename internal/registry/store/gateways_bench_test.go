package store

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// members stores so many gateways, each with what a year leaves: an epoch, twenty tenancy records
// and the proofs of as many lists.
func members(b *testing.B, s *Store, gateways int) {
	for from := 0; from < gateways; from += 500 {
		err := s.Update(context.Background(), func(tx *Tx) error {
			for i := from; i < min(from+500, gateways); i++ {
				p := wire.Place{District: "d", Town: "t", Building: fmt.Sprintf("b%d", i), Gateway: "gw1"}
				id, _, err := tx.Gateway(p)
				err = errors.Join(err, tx.SetHello(id, make([]byte, 300), now), tx.SetRange(id, 1, tree.Range{}, now))
				for n := range uint64(20) {
					hash := wire.Hash{byte(i), byte(i >> 8), byte(n)}
					err = errors.Join(err, tx.AddRecord(id, api.Delivery{Line: 7, Record: n + 1, Envelope: make([]byte, 400), Stored: now}, nil),
						tx.AddApplied(Applied{Gateway: id, Epoch: 1, Sequence: n, Version: n + 1, Hash: hash}, now),
						tx.exec(`INSERT INTO lists (building, version, hash, stored_at) VALUES ($1, $2, $3, $4)`, p.Building, n+1, hash, now))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGateways: the state of all gateways, as an operator asks for it, of two sizes.
func BenchmarkGateways(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		s := openSQLite(b)
		members(b, s, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if all, err := s.Gateways(b.Context(), "", now); err != nil || len(all) != n || all[0].Applied != 20 || all[0].Records != 20 {
					b.Fatalf("%d gateways, %v", len(all), err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/gateway")
		})
	}
}
