package uplink

import (
	"sync"
	"testing"
	"time"

	"gatehouse/internal/faultnet"
	"gatehouse/sync/wire"
)

// book is a desk's records in memory.
type book struct {
	w            *world
	mu           sync.Mutex
	line, number uint64
	pending      []Pending
	ids          map[uint64]wire.ID // by number
	renewed      int
	heard        []string
	safe         uint64       // highest that was said to be
	renewing     func()       // called before; nil: nothing
	told         func(uint64) // of what is stored
}

func (b *book) Head() (uint64, uint64) { b.mu.Lock(); defer b.mu.Unlock(); return b.line, b.number }
func (b *book) Pending() []Pending {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Pending(nil), b.pending...)
}

func (b *book) Stored(line, number uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.told != nil {
		b.told(number)
	}
	for line == b.line && len(b.pending) > 0 && b.pending[0].Number <= number {
		b.pending = b.pending[1:]
	}
}

func (b *book) Safe(_, number uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.safe = max(b.safe, number)
}

func (b *book) Behind(uint64, uint64) bool { return false }

func (b *book) Renew(line, number uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.renewing != nil {
		b.renewing()
	}
	b.renewed++
	old := b.pending
	b.line, b.number, b.pending = line+1000, 0, nil
	ids := b.ids
	b.ids = map[uint64]wire.ID{}
	for _, p := range old {
		b.add(ids[p.Number])
	}
	return nil
}

func (b *book) Hear(gateway string, _ []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = append(b.heard, gateway)
	return nil
}

func (b *book) Unsettled() (own [][]byte, have []wire.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.pending {
		own = append(own, p.Envelope)
	}
	return own, nil
}

func (b *book) Siblings() [][]byte { return nil }

func (b *book) add(id wire.ID) {
	b.number++
	payload, err := wire.Encode(wire.Record{Line: b.line, Number: b.number, ID: id, House: []byte{1}, Desk: []byte{1}})
	if err != nil {
		panic(err)
	}
	b.ids[b.number] = id
	b.pending = append(b.pending, Pending{Line: b.line, Number: b.number,
		Envelope: sign(wire.TypeRecord, wire.RoleGateway, b.w.place.Address(), payload, b.w.keys.gateway), Person: []byte("sealed")})
}

// change makes a record and its entry, as the desk does.
func (b *book) change(n byte) {
	b.mu.Lock()
	b.add(wire.ID{n})
	b.mu.Unlock()
	b.w.journal.Queue(wire.Header{Kind: wire.KindTenancy, Reason: wire.ReasonCheckIn}, wire.Who{})
}

// withDesk gives the world a desk.
func withDesk(w *world) *book {
	b := &book{w: w, line: 77, ids: map[uint64]wire.ID{}}
	w.stop()
	w.records = b
	w.startGateway()
	return b
}

// stored returns the ids of a registry's records over all lines.
func (w *world) stored() map[wire.ID]int {
	w.reg.mu.Lock()
	defer w.reg.mu.Unlock()
	ids := map[wire.ID]int{}
	for _, list := range w.reg.store.records {
		for _, envelope := range list {
			var r wire.Record
			if err := wire.Decode(w.reg.open(wire.TypeRecord, []byte(envelope)), &r); err == nil {
				ids[r.ID]++
			}
		}
	}
	return ids
}

// TestRecordsArriveOnceInOrder: whatever the broker does, each record is stored
// once, and the numbering has no gap.
func TestRecordsArriveOnceInOrder(t *testing.T) {
	bubble(t, func(w *world) {
		b := withDesk(w)
		w.broker.Set(faultnet.Misdeeds{Drop: 0.4, Duplicate: 0.4, Reorder: 0.4, Replay: 0.2, Delay: 2 * time.Second})
		const n = 12
		for i := range n {
			b.change(byte(i + 1))
			time.Sleep(time.Second)
		}
		time.Sleep(time.Hour)
		w.heal()
		if !w.settle(10 * time.Minute) {
			t.Fatalf("not in step: %+v", w.uplink.Status())
		}
		if ids := w.stored(); len(ids) != n {
			t.Errorf("%d records stored of %d", len(ids), n)
		}
		if len(w.reg.store.records[77]) != n || b.renewed != 0 {
			t.Errorf("%d records in their line, %d new lines", len(w.reg.store.records[77]), b.renewed)
		}
	})
}

// TestStoredIsNotSafe: a registry that says nothing of what it can't lose, or one
// that a bad line makes look like that, has promised nothing by what it has stored.
func TestStoredIsNotSafe(t *testing.T) {
	for _, format := range []uint64{1, 2} {
		bubble(t, func(w *world) {
			b := withDesk(w)
			w.link.Cut()
			w.reg.set(func(r *registry) { r.formats = format })
			w.link.Restore()
			b.change(1)
			if !w.settle(2 * time.Minute) {
				t.Fatalf("format %d: not in step: %+v", format, w.uplink.Status())
			}
			if len(b.Pending()) != 0 || b.safe != 0 {
				t.Errorf("format %d: %d records wait, through %d they are said to be safe", format, len(b.Pending()), b.safe)
			}
		})
	}
}

// TestRecordsAfterASetBack: the registry knows more of the line than the desk,
// another line, or has lost the beginning: a new line takes what is unsettled.
func TestRecordsAfterASetBack(t *testing.T) {
	for name, change := range map[string]func(w *world, b *book){
		"registry ahead": func(w *world, b *book) {
			w.reg.store.records[77] = append(w.reg.store.records[77], w.reg.store.records[77]...)
		},
		"desk back in an older line": func(w *world, b *book) {
			w.reg.store.line = 500
			w.reg.store.records[500] = []string{"x"}
			w.reg.store.records[77] = w.reg.store.records[77][:1]
		},
		"registry lost its store": func(w *world, b *book) {
			w.reg.store.line, w.reg.store.records = 0, map[uint64][]string{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				b := withDesk(w)
				b.change(1)
				b.change(2)
				if !w.settle(time.Minute) {
					t.Fatal("not in step")
				}
				w.link.Cut()
				w.reg.kill()
				change(w, b)
				w.reg.start()
				b.change(3)
				w.link.Restore()
				if !w.settle(30 * time.Minute) {
					t.Fatalf("not in step: %+v", w.uplink.Status())
				}
				w.reg.mu.Lock()
				defer w.reg.mu.Unlock()
				if b.renewed != 1 || len(w.reg.store.records[b.line]) == 0 {
					t.Errorf("%d new lines, %d records in it", b.renewed, len(w.reg.store.records[b.line]))
				}
			})
		})
	}
}

// TestDeniedDelivery: records that are not taken are an alarm too.
func TestDeniedDelivery(t *testing.T) {
	bubble(t, func(w *world) {
		b := withDesk(w)
		w.broker.Set(faultnet.Misdeeds{Deny: func(_ string, a faultnet.Access, topic string) bool {
			return a == faultnet.Publish && topic == w.place.Up(wire.TypeDelivery)
		}})
		b.change(1)
		time.Sleep(time.Minute)
		if s := w.uplink.Status(); s.Problem != wire.ReasonNoAnswer || s.Records != 1 {
			t.Errorf("%+v", s)
		}
	})
}
