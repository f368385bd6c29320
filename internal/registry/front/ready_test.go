package front

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// town stores so many buildings of one gateway each, as a front that ran before leaves them: the
// house document, the newest list of two and the proofs of both, two tenancy records, the hello and
// an epoch.
func (r *rig) town(buildings int) {
	r.t.Helper()
	s, err := store.Open(context.Background(), r.config().path(api.FileDatabase), zerolog.Nop())
	r.must(err)
	for from := 0; from < buildings; from += 1000 {
		r.must(s.Update(context.Background(), func(tx *store.Tx) error {
			var errs []error
			for i := from; i < min(from+1000, buildings); i++ {
				errs = append(errs, r.settle(tx, wire.Place{District: "d1", Town: "t1", Building: fmt.Sprintf("house-%d", i), Gateway: "gw1"}))
			}
			return errors.Join(errs...)
		}))
	}
	r.must(s.Close())
}

// settle stores one building of a town.
func (r *rig) settle(tx *store.Tx, p wire.Place) error {
	now := time.UnixMilli(1_700_000_000_000)
	h := wire.House{Version: 1, Issued: 1_700_000_000, District: p.District, Town: p.Town, NoticeDays: 3,
		Gateways: []wire.HouseGateway{{ID: p.Gateway, KEM: r.kem, Doors: []string{"front"}}}}
	_, err := rand.Read(h.Gateways[0].Public[:])
	m := wire.Manifest{Format: wire.ListFormat, Version: 2, Issued: 1_700_000_000, Buckets: []wire.Hash{{1}}, Doors: []string{"front"}, DoorSets: [][]uint16{{0}}}
	payload, encodeErr := m.Encode()
	list := store.List{Building: p.Building, Version: 2, Hash: sha256.Sum256(payload), Stored: now,
		Manifest: r.envelope(wire.TypeGrantList, wire.RoleIssuer, 1, p.Building, payload, r.issuer)}
	before := store.List{Building: p.Building, Version: 1, Stored: now, Manifest: []byte{1}}
	id, _, idErr := tx.Gateway(p)
	err = errors.Join(err, encodeErr, idErr,
		tx.Documents.PutHouse(store.House{Document: api.Document{Building: p.Building,
			Envelope: r.envelope(wire.TypeHouse, wire.RoleIssuer, 1, p.Building, r.encode(h), r.issuer)}}, h.Version),
		tx.Documents.PutList(before, nil, nil), tx.Documents.PutList(list, nil, nil),
		tx.SetHello(id, r.encode(wire.Hello2{Hello: wire.Hello{Nonce: wire.Nonce{1}, Boot: 1, Epoch: 1, List: 2, ListHash: list.Hash, House: 1, Trust: 1, Wall: 1, Software: "test"}, Formats: []uint64{1, 2}}), now),
		tx.SetRange(id, 1, tree.Range{}, now))
	for n, l := range []store.List{before, list} {
		err = errors.Join(err, tx.AddRecord(id, api.Delivery{Line: 7, Record: uint64(n) + 1, Envelope: make([]byte, 400), Stored: now}, nil),
			tx.AddApplied(store.Applied{Gateway: id, Epoch: 1, Sequence: uint64(n), Version: l.Version, Hash: l.Hash}, now))
	}
	return err
}

// BenchmarkReady: from New until gateways can connect, with so many known ones. Beside it the first
// start of all, which verifies each house document by its signature.
func BenchmarkReady(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("SKIP (needs linux): the time of a process is read from /proc")
	}
	for _, gateways := range []int{1000, 10_000, 200_000} {
		b.Run(fmt.Sprint(gateways), func(b *testing.B) {
			r := newRig(b)
			r.town(gateways)
			r.startTimeout = 10 * time.Minute
			last := wire.Place{District: "d1", Town: "t1", Building: fmt.Sprintf("house-%d", gateways-1), Gateway: "gw1"}
			cpu := func() time.Duration { return processOf(b, os.Getpid()).cpu }
			start := func() (took, busy time.Duration) {
				_, make := newMemory()
				began, before := time.Now(), cpu()
				s := r.start(Options{Link: make})
				took, busy = time.Since(began), cpu()-before
				if _, _, ok := s.roster.Member(last); !ok {
					b.Fatal("the last gateway is no member")
				}
				s.stop()
				return took, busy
			}
			first, _ := start()
			var rest, busy time.Duration
			n := 0
			for b.Loop() {
				t, c := start()
				rest, busy = rest+t, busy+c
				n++
			}
			b.ReportMetric(first.Seconds(), "s/first")
			b.ReportMetric(rest.Seconds()/float64(n), "s/start")
			b.ReportMetric(busy.Seconds()/float64(n), "cpu-s/start")
			b.ReportMetric(0, "ns/op")
		})
	}
}
