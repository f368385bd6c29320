package uplink

import (
	"crypto/ed25519"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/faultnet"
	"gatehouse/sync/wire"
)

// heard is a desk that holds records of a sibling.
type heard struct {
	*book
	siblings [][]byte
}

func (h *heard) Siblings() [][]byte { return slices.Clone(h.siblings) }

// TestRelay: what siblings' records stay unsettled go to the registry, as they
// were signed, without a person, in order, each in its turn, and not before they
// are here for a while.
func TestRelay(t *testing.T) {
	bubble(t, func(w *world) {
		other := wire.Place{District: "d", Town: "t", Building: "b", Gateway: "other"}
		key := ed25519.NewKeyFromSeed(append(make([]byte, 31), 7))
		h := &heard{book: withDesk(w)}
		for n := range uint64(100) {
			payload, err := wire.Encode(wire.Record{Line: 5, Number: n + 1, ID: wire.ID{byte(n + 1)}, House: []byte{1}, Desk: []byte{1}})
			if err != nil {
				t.Fatal(err)
			}
			h.siblings = append(h.siblings, sign(wire.TypeRecord, wire.RoleGateway, other.Address(), payload, key))
		}
		w.stop()
		own := wire.HouseGateway{ID: "g", Public: [32]byte(publicOf(w.keys.gateway)), KEM: w.keys.kemPublic}
		w.ring.mu.Lock()
		w.ring.reg.House = w.keys.house(1, own, wire.HouseGateway{ID: "other", Public: [32]byte(publicOf(key)), KEM: w.keys.kemPublic})
		w.ring.mu.Unlock()
		ear := w.broker.Connect(faultnet.Client{Name: "ear", Subscribe: []string{w.place.Up(wire.TypeDelivery)}})
		gate := wire.Key{Role: wire.RoleGateway, Public: publicOf(w.keys.gateway)}
		relayed := func() (all []int) {
			for {
				select {
				case m := <-ear.Messages():
					payload, _, err := wire.Open(m.Payload, wire.Expect{Type: wire.TypeDelivery, Role: wire.RoleGateway, Address: w.place.Address()}, []wire.Key{gate})
					var d wire.Delivery
					if err != nil || wire.Decode(payload, &d) != nil || len(d.Person) > 0 {
						t.Fatalf("%v, person %q", err, d.Person)
					}
					all = append(all, slices.IndexFunc(h.siblings, func(e []byte) bool { return string(e) == string(d.Record) }))
				default:
					return all
				}
			}
		}
		w.records = h
		w.startGateway()
		time.Sleep(5 * time.Minute)
		if got := relayed(); len(got) > 0 {
			t.Fatalf("%d relayed at once", len(got))
		}
		var got []int
		for end := time.Now().Add(31 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
			got = append(got, relayed()...) // before the ear's queue is full
		}
		if len(got) < 2*relayMost || len(got)%relayMost != 0 || len(got) > 5*relayMost {
			t.Fatalf("%d relayed", len(got))
		}
		for i, n := range got {
			if n != i%len(h.siblings) {
				t.Fatalf("record %d comes as number %d", n, i)
			}
		}
	})
}

// TestSetBackWithAsManyRecords: a disk is rolled back and as many records are made
// anew as were lost. Numbers alone show nothing; the journal does. The line is left
// before any list is active and any record is delivered.
func TestSetBackWithAsManyRecords(t *testing.T) {
	bubble(t, func(w *world) {
		b := withDesk(w)
		b.change(1)
		w.publishList(3, 0, 1, true)
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		w.stop()
		image := filepath.Join(t.TempDir(), "image")
		copyDirectory(t, w.dir, image)
		w.startGateway()
		b.change(2)
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		w.stop()
		copyDirectory(t, image, w.dir)
		b.number, b.ids = 1, map[uint64]wire.ID{1: {1}}
		w.ring.status.Version = 0
		b.renewing = func() {
			if v := w.ring.Lists().Version; v != 0 {
				t.Errorf("list %d was taken before a new line was begun", v)
			}
		}
		w.startGateway()
		b.change(3)
		w.publishList(4, 0, 1, true)
		if !w.settle(30 * time.Minute) {
			t.Fatalf("not in step: %+v", w.uplink.Status())
		}
		if ids := w.stored(); len(ids) != 3 || b.renewed != 1 {
			t.Errorf("%d records stored of 3, %d new lines", len(ids), b.renewed)
		}
		if v := w.ring.Lists().Version; v != 4 {
			t.Errorf("list %d is active", v)
		}
	})
}

// TestWhatWasDeliveredCounts: a registry that has as many records as were made
// is no word about those that it was not shown.
func TestWhatWasDeliveredCounts(t *testing.T) {
	bubble(t, func(w *world) {
		b := withDesk(w)
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		w.stop()
		w.reg.mu.Lock()
		w.reg.store.line, w.reg.store.records[77] = 77, []string{"of another time"}
		w.reg.mu.Unlock()
		b.change(1)
		told := []uint64{}
		b.told = func(n uint64) { told = append(told, n) }
		ear := w.broker.Connect(faultnet.Client{Name: "ear", Subscribe: []string{w.place.Up(wire.TypeDelivery)}})
		w.startGateway()
		time.Sleep(time.Minute)
		select {
		case <-ear.Messages():
		default:
			t.Errorf("never delivered, and told as stored: %v", told)
		}
	})
}

// TestNoMoreThanDelivered: of what a registry says it has, only what this run has delivered
// counts, and of this all.
func TestNoMoreThanDelivered(t *testing.T) {
	for _, c := range []struct{ delivered, has, stored uint64 }{{0, 3, 0}, {1, 0, 0}, {1, 1, 1}, {1, 3, 1}, {2, 1, 1}, {2, 3, 2}, {3, 3, 3}} {
		stored := uint64(0)
		b := &book{line: 77, number: 3, told: func(n uint64) { stored = n }}
		for n := range uint64(3) {
			b.pending = append(b.pending, Pending{Line: 77, Number: n + 1})
		}
		d := deliveries{desk: b, log: zerolog.Nop()}
		ack := func(n uint64) {
			var k wire.Ack2
			k.Line, k.Records = 77, n
			d.acked(k, false, false)
		}
		for n := range c.delivered {
			ack(n)
			d.load()
			d.next(time.Unix(1e9, 0))
		}
		if ack(c.has); stored != c.stored || len(b.pending) != 3-int(c.stored) {
			t.Errorf("%d delivered, the registry has %d: %d count as stored, %d wait", c.delivered, c.has, stored, len(b.pending))
		}
	}
}
