package inquiry

import (
	"errors"
	"os"
	"testing"
	"time"

	"gatehouse/internal/holds"
	"gatehouse/internal/mandate"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealed"
)

// order is an officer's, of the hour before noon at the front door.
func (s *scene) order(change func(o *mandates.Order)) []byte {
	s.t.Helper()
	c, err := mandates.Certificate{Public: public(key(6)), Unit: "一队", Badge: "000001", District: "north", Town: "xin", From: noon - 86400, Until: noon + 86400}.Sign("city", 0, key(3))
	o := mandates.Order{Reference: wire.ID{5}, Gateway: "house-1/gate-1", Door: "front", From: noon - 3600, Until: noon, Case: "A440000-2026-1", Signed: noon, Certificate: must(s.t, c, err)}
	if change != nil {
		change(&o)
	}
	envelope, err := o.Sign("city", key(6))
	return must(s.t, envelope, err)
}

// held reports whether a passage a minute before noon may not be erased.
func (s *scene) held() bool { return s.desk.o.Holds.Held(at(60, access("front"))) }

func names(all []sealed.Record) (said []string) {
	for _, r := range all {
		said = append(said, r.What.String()+" "+r.Refusal)
	}
	return said
}

// TestPreserve: the entry that says what is preserved, for which case and by whom comes first, and then it is
// held; the same order again gets the same week, without another entry.
func TestPreserve(t *testing.T) {
	s := newScene(t)
	s.log.add(at(60, access("front")), tenant(1))
	s.log.during = func() {
		if s.held() {
			t.Error("it is held before the entry is durable")
		}
	}
	k, err := s.desk.Preserve(t.Context(), s.order(nil))
	if err != nil || k.Left != holds.For || !k.Until.Equal(s.now.Wall.Add(holds.For)) || k.Again {
		t.Fatalf("%+v, %v", k, err)
	}
	if !s.held() {
		t.Error("nothing is held")
	}
	all := s.said()
	id := public(key(6))
	officer := wire.IDOf(id[:])
	if len(all) != 1 || all[0].What != sealed.Held || string(all[0].Approver) != string(officer[:]) || *all[0].Span != (sealed.Span{Door: "front", From: noon - 3600, Until: noon, Case: "A440000-2026-1"}) {
		t.Errorf("the office reads %+v", all)
	}
	s.now.BootTime += time.Hour
	if k, err := s.desk.Preserve(t.Context(), s.order(nil)); err != nil || k.Left != holds.For-time.Hour || !k.Again || len(s.said()) != 1 {
		t.Errorf("again: %+v, %v, %d entries", k, err, len(s.said()))
	}
	s.now.Quality = wire.ClockUnset
	if k, _ := s.desk.Preserve(t.Context(), s.order(nil)); !k.Until.IsZero() {
		t.Errorf("a gateway that does not know the time says %s", k.Until)
	}
}

// TestPreserveRefused: what is no order for this door now is refused in words, with an entry, and holds nothing;
// so is the eleventh of one officer. A house without a registry takes none.
func TestPreserveRefused(t *testing.T) {
	s := newScene(t)
	refused := func(envelope []byte, want string) {
		t.Helper()
		_, err := s.desk.Preserve(t.Context(), envelope)
		if r := new(mandate.Refusal); !errors.As(err, &r) || r.Name != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	refused(s.signed(), "order_unsigned")
	refused(s.order(func(o *mandates.Order) { o.Door = "roof" }), "no_such_door")
	if s.held() {
		t.Error("a refused order holds")
	}
	for n := range byte(holds.PerOfficer) {
		_, err := s.desk.Preserve(t.Context(), s.order(func(o *mandates.Order) { o.Reference = wire.ID{6, n} }))
		must(t, 0, err)
	}
	refused(s.order(nil), "too_many_orders")
	if said := names(s.said()); len(said) != 13 || said[0] != "refusal order_unsigned" || said[1] != "refusal no_such_door" || said[12] != "refusal too_many_orders" {
		t.Errorf("the office reads %q", said)
	}
	s.house.Trust.Records = nil
	if _, err := s.desk.Preserve(t.Context(), s.order(nil)); !errors.Is(err, ErrNoAuthority) {
		t.Errorf("without a registry: %v", err)
	}
}

// TestPreserveCut: without its entry nothing is held; where power went between entry and hold, or the disk takes
// no hold, the order is shown again and held.
func TestPreserveCut(t *testing.T) {
	s := newScene(t)
	s.log.sick = errors.New("the disk is sick")
	if _, err := s.desk.Preserve(t.Context(), s.order(nil)); !errors.Is(err, ErrNotDurable) || s.held() {
		t.Errorf("without an entry: %v, held %v", err, s.held())
	}
	s.log.sick = nil
	must(t, 0, os.MkdirAll(s.book+".new/in", 0o700)) // the file of holds can't be written
	if _, err := s.desk.Preserve(t.Context(), s.order(nil)); !errors.Is(err, ErrNotHeld) || s.held() {
		t.Errorf("without a hold: %v, held %v", err, s.held())
	}
	must(t, 0, os.RemoveAll(s.book+".new"))
	s.desk.o.Holds = s.holds() // as after a power cut
	if s.held() {
		t.Error("what was never taken is held")
	}
	if k, err := s.desk.Preserve(t.Context(), s.order(nil)); err != nil || k.Again {
		t.Errorf("shown again: %+v, %v", k, err)
	}
	s.desk.o.Holds = s.holds()
	if said := names(s.said()); !s.held() || len(said) != 2 || said[1] != "preserved " {
		t.Errorf("held %v, the office reads %q", s.held(), said)
	}
}

// TestPreserveProlonged: the officer's mandate makes it last until that expires; asked for the same answer again it
// does not.
func TestPreserveProlonged(t *testing.T) {
	s := newScene(t)
	s.log.add(at(60, access("front")), tenant(1))
	_, err := s.desk.Preserve(t.Context(), s.order(nil))
	must(t, 0, err)
	id := public(key(6))
	s.mandate.Approval.Officers[1].Key, s.mandate.Expires = wire.IDOf(id[:]), noon+10*86400
	_, err = s.ask(0)
	must(t, 0, err)
	s.now.BootTime += holds.For
	if !s.held() {
		t.Error("the mandate does not prolong it")
	}
	s.now.BootTime += 3 * 24 * time.Hour
	if s.held() {
		t.Error("it is held when the mandate has expired")
	}
}
