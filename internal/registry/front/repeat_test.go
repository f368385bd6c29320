package front

import (
	"slices"
	"testing"
	"time"

	"gatehouse/sync/wire"
)

// again lets the time of the repeats pass and reports whether the list came once
// more.
func (s *scene) again(after time.Duration) bool {
	s.front.downlink.Unproved.Repeat(s.t.Context(), time.Now().Add(after))
	_, err := s.link.next(s.g.place.Down(wire.TypeList), 0)
	return err == nil
}

func (s *scene) isCut() bool {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	return slices.Contains(s.link.cut, s.g.place)
}

// TestUnprovedListIsPushedAgain: until it is proved, and a gateway from which
// nothing comes any more is cut off.
func TestUnprovedListIsPushedAgain(t *testing.T) {
	const first, second, last = 6 * time.Second, 17 * time.Second, 33 * time.Second
	for name, c := range map[string]struct {
		meanwhile func(*scene) // after the first push
		repeats   bool
		cut       bool
	}{
		"silent":                  {func(*scene) {}, true, true},
		"it asks for the rest":    {func(s *scene) { s.link.receive(s.g.say(wire.TypeWant, wire.Want{House: true})) }, true, false},
		"it comes with new hello": {func(s *scene) { s.g.nonce[0]++; s.ask(wire.TypeHello, s.g.hello()) }, true, false},
		"it proves the list":      {func(s *scene) { s.prove(1, s.listHash) }, false, false},
		"it proves another list":  {func(s *scene) { s.prove(1, wire.Hash{}) }, true, false},
		"it is gone":              {func(s *scene) { s.link.receive(s.g.say(wire.TypeStatus, wire.Status{Nonce: s.g.nonce})) }, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.ask(wire.TypeHello, s.g.hello())
			if _, err := s.front.client.PutList(t.Context(), s.list(1, 5)); err != nil {
				t.Fatal(err)
			}
			s.part()
			c.meanwhile(s)
			s.until("all that it said is taken", func() bool { n, _ := s.front.intake.Waiting(); return n == 0 })
			for i, after := range []time.Duration{first, second} {
				if got := s.again(after); got != c.repeats {
					t.Errorf("repeat %d: pushed again is %v, want %v", i, got, c.repeats)
				}
			}
			if s.isCut() {
				t.Error("cut off too early")
			}
			if s.again(last) {
				t.Error("pushed for ever")
			}
			if s.isCut() != c.cut {
				t.Errorf("cut off: %v, want %v", s.isCut(), c.cut)
			}
		})
	}
}

// prove sends the entry that says that a list is active.
func (s *scene) prove(version uint64, hash wire.Hash) {
	s.g.add(wire.Header{Kind: wire.KindListApplied, Count: version, Detail: hash[:]}, false)
	s.at(s.ask(wire.TypeBatch, s.g.batch(0, 1)), 7, 1)
}

// TestRestartedFrontRepeats: a front that was killed between a list's commit and
// its way out sends it to gateways that did not notice.
func TestRestartedFrontRepeats(t *testing.T) {
	s := newScene(t)
	s.ask(wire.TypeHello, s.g.hello())
	if _, err := s.front.client.PutList(t.Context(), s.list(1, 5)); err != nil {
		t.Fatal(err)
	}
	s.restart()
	if !s.again(6 * time.Second) {
		t.Error("nothing is sent")
	}
	s.again(time.Minute)
	s.again(2 * time.Minute)
	if s.isCut() {
		t.Error("a gateway of which nothing is known is cut off")
	}
	s.prove(1, s.listHash)
	s.restart()
	if s.again(6 * time.Second) {
		t.Error("a list that was proved is sent again")
	}
}

// TestOldDebtIsNotForgotten: lists that come one after the other do not put off
// the end of a connection that has died.
func TestOldDebtIsNotForgotten(t *testing.T) {
	s := newScene(t)
	s.ask(wire.TypeHello, s.g.hello())
	for v := range uint64(3) {
		if _, err := s.front.client.PutList(t.Context(), s.list(v+1, 5)); err != nil {
			t.Fatal(err)
		}
		s.part()
		s.front.downlink.Unproved.Repeat(s.t.Context(), time.Now().Add(time.Duration(v)*16*time.Second))
	}
	s.front.downlink.Unproved.Repeat(s.t.Context(), time.Now().Add(time.Minute))
	if !s.isCut() {
		t.Error("three lists in a row, and the dead connection lives on")
	}
}
