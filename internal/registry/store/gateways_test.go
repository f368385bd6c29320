package store

import (
	"errors"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// known returns all that Known yields, by place.
func known(t *testing.T, s *Store) map[wire.Place]Known {
	t.Helper()
	all := map[wire.Place]Known{}
	for k, err := range s.Known(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all[k.Place] = k
	}
	return all
}

func gatewaysHaveOneNumber(t *testing.T, s *Store) {
	other := wire.Place{District: "d", Town: "t", Building: "b", Gateway: "h"}
	moved := place
	moved.Town = "t2"
	a, b, c := gateway(t, s, place), gateway(t, s, other), gateway(t, s, moved)
	if a == b || a != c {
		t.Errorf("numbers %d, %d, %d", a, b, c)
	}
	update(t, s, func(tx *Tx) error { return tx.SetHello(a, []byte("hello"), now) })
	all, err := s.Gateways(t.Context(), "b", now)
	if err != nil || len(all) != 2 || all[0].Place != moved || all[1].Place != other {
		t.Errorf("gateways %+v, %v", all, err)
	}
	k := known(t, s)
	if len(k) != 2 || string(k[moved].Hello) != "hello" || !k[moved].HelloAt.Equal(now) || k[other].Hello != nil {
		t.Errorf("known %+v", k)
	}
	if none, err := s.Gateways(t.Context(), "b2", now); err != nil || len(none) != 0 {
		t.Errorf("gateways of another building: %+v, %v", none, err)
	}
}

// numberingIsTheNewest: what a gateway's next message depends on is that of its newest epoch and line, and
// of no other gateway.
func numberingIsTheNewest(t *testing.T, s *Store) {
	second := place
	second.Gateway = "h"
	id, other := gateway(t, s, place), gateway(t, s, second)
	record := func(gateway int64, line, n uint64) func(*Tx) error {
		return func(tx *Tx) error {
			return tx.AddRecord(gateway, api.Delivery{Line: line, Record: n, Envelope: []byte{1}, Stored: now}, nil)
		}
	}
	epoch := func(e uint64) func(*Tx) error {
		return func(tx *Tx) error { return tx.SetRange(id, e, tree.Range{}, now.Add(time.Duration(e%100)*time.Second)) }
	}
	for i, step := range []struct {
		do   []func(*Tx) error
		want Numbering
	}{
		{nil, Numbering{}},
		{[]func(*Tx) error{epoch(9), epoch(bigEpoch), epoch(5)}, Numbering{Epoch: 5}},
		{[]func(*Tx) error{record(id, 7, 1), record(id, 7, 2), record(other, 8, 1)}, Numbering{Epoch: 5, Line: 7, Records: 2}},
		{[]func(*Tx) error{record(id, bigEpoch, 1)}, Numbering{Epoch: 5, Line: bigEpoch, Records: 1}}, // the line of the newest record
		{[]func(*Tx) error{func(tx *Tx) error { return tx.SetLine(id, 7, true) }}, Numbering{Epoch: 5, Line: 7, Records: 2, Renew: true}},
		{[]func(*Tx) error{func(tx *Tx) error { return tx.AddPending(other, 8, 1) }}, Numbering{Epoch: 5, Line: 7, Records: 2, Renew: true}},
		{[]func(*Tx) error{func(tx *Tx) error { return tx.AddPending(id, 7, 1) }}, Numbering{Epoch: 5, Line: 7, Records: 2, Renew: true, Pending: true}},
	} {
		for _, do := range step.do {
			update(t, s, do)
		}
		update(t, s, func(tx *Tx) error {
			if at, n, err := tx.Gateway(place); err != nil || at != id || n != step.want {
				t.Errorf("after step %d gateway %d has %+v, want %d and %+v: %v", i, at, n, id, step.want, err)
			}
			return nil
		})
	}
	moved := place
	moved.Town = "t2"
	update(t, s, func(tx *Tx) error {
		if at, n, err := tx.Gateway(moved); err != nil || at != id || n.Records != 2 || !n.Renew {
			t.Errorf("where it moved to gateway %d has %+v: %v", at, n, err)
		}
		return nil
	})
}

func appliedNeedsItsList(t *testing.T, s *Store) {
	id := gateway(t, s, place)
	update(t, s, func(tx *Tx) error {
		return errors.Join(tx.AddApplied(Applied{id, 1, 0, 1, wire.Hash{1}}, now), tx.AddApplied(Applied{id, 1, 1, 2, wire.Hash{9}}, now))
	})
	applied := func() uint64 {
		all, err := s.Gateways(t.Context(), "", now)
		if err != nil {
			t.Fatal(err)
		}
		if k := known(t, s)[place]; k.Applied != all[0].Applied {
			t.Errorf("list %d is proved for a front that starts, and %d for the operator", k.Applied, all[0].Applied)
		}
		return all[0].Applied
	}
	if n := applied(); n != 0 {
		t.Errorf("list %d is proved before there is one", n)
	}
	for v := range uint64(2) {
		update(t, s, func(tx *Tx) error {
			return tx.Documents.PutList(List{Building: "b", Version: v + 1, Hash: wire.Hash{byte(v + 1)}, Manifest: []byte{1}, Stored: now}, nil, nil)
		})
	}
	if n := applied(); n != 1 {
		t.Errorf("list %d is proved, want 1: the other has another hash", n)
	}
}
