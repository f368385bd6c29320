package commit

import (
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// TestLedgerOfTheRunBefore: what the run before has stored of a gateway is what its first message of this
// run finds: the epoch that its hello asks about or, without one, the newest, and the numbering of its
// records. One that moved keeps them.
func TestLedgerOfTheRunBefore(t *testing.T) {
	shared(t, func(x *Txn, _ *roster.Gateway) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		hello, err := wire.Encode(wire.Hello{Nonce: wire.Nonce{1}, Epoch: 6, CursorEpoch: 5, Software: "test"})
		must(err)
		before := wire.Place{District: "d1", Town: "t1", Building: "b1"}
		for _, c := range []struct {
			gateway, town string
			hello         []byte
			epoch         uint64
		}{{"silent", "t1", nil, 7}, {"greeted", "t1", hello, 5}, {"moved", "t2", nil, 7}} {
			before.Gateway = c.gateway
			now := before
			now.Town = c.town
			id, _, err := x.Gateway(before)
			must(err)
			must(x.SetRange(id, 7, tree.Range{}, x.Now))
			must(x.AddRecord(id, api.Delivery{Line: 9, Record: 1, Envelope: []byte{1}, Stored: x.Now}, nil))
			must(x.AddPending(id, 9, 1))
			l, err := x.Ledger(x.Roster.Know(now, c.hello, time.Time{}))
			must(err)
			if want := (store.Numbering{Epoch: c.epoch, Line: 9, Records: 1, Pending: true}); l.ID != id || l.Numbering != want {
				t.Errorf("%s: gateway %d with %+v, want %d with %+v", c.gateway, l.ID, l.Numbering, id, want)
			}
		}
	})
}
