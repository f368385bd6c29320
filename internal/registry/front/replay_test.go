package front

import (
	"testing"
	"time"

	"gatehouse/sync/wire"
)

// TestReplayedHello: a broker that replays what a gateway said does not make
// it look alive: not with its hello, not with its status, not with a batch.
func TestReplayedHello(t *testing.T) {
	s := newScene(t)
	s.g.fill(5)
	s.ask(wire.TypeHello, s.g.hello())
	first := s.g.hello()
	s.ask(wire.TypeBatch, s.g.batch(0, 5))
	s.g.nonce[15]++
	s.ask(wire.TypeHello, s.g.hello())
	s.link.receive(s.g.say(wire.TypeStatus, wire.Status{Nonce: s.g.nonce}))
	s.until("the will is believed", func() bool { return !s.shown().Online })
	heard := *s.shown().Heard
	time.Sleep(20 * time.Millisecond)
	s.ask(wire.TypeHello, s.g.hello())
	s.silent(s.g.say(wire.TypeHello, first))
	s.silent(s.g.say(wire.TypeStatus, wire.Status{Nonce: s.g.nonce, Online: true}))
	s.ask(wire.TypeBatch, s.g.batch(0, 5))
	if g := s.shown(); g.Online || !g.Heard.Equal(heard) {
		t.Errorf("a gateway that is gone is shown online (%v), heard %v later", g.Online, g.Heard.Sub(heard))
	}
	s.g.nonce[15]++
	s.ask(wire.TypeHello, s.g.hello())
	s.silent(s.g.say(wire.TypeStatus, wire.Status{Nonce: s.g.nonce, Online: true}))
	if g := s.shown(); !g.Online || !g.Heard.After(heard) {
		t.Error("a new hello is not believed")
	}
	s.restart()
	s.ask(wire.TypeHello, s.g.hello())
	if s.shown().Online {
		t.Error("after a restart the last hello counts twice")
	}
}

// TestNoticesArrive: a notice waits until its entry is stored, whatever that is, and whatever came
// before it.
func TestNoticesArrive(t *testing.T) {
	s := newScene(t)
	s.g.fill(1)
	s.at(s.ask(wire.TypeBatch, s.g.batch(0, 1)), 7, 1) // no notice waits
	for _, h := range []wire.Header{{Kind: wire.KindFault, Reason: 257, Door: "front"}, {Kind: wire.KindOffline, Reason: 257, Door: "front"},
		{Kind: wire.KindHeld, Outcome: wire.OutcomeIdle, Door: "front"}, {Kind: wire.KindForced, Door: "front"}} {
		s.g.add(h, false)
		n := len(s.g.headers) - 1
		s.link.receive(s.g.say(wire.TypeNotice, wire.Notice{Epoch: 7, Sequence: uint64(n), Header: s.g.headers[n]}))
	}
	late := s.g.headers[4]
	s.link.receive(s.g.say(wire.TypeNotice, wire.Notice{Epoch: 7, Sequence: 5, Header: late})) // of an entry that does not come yet
	s.until("all alarms", func() bool { return len(s.alarms()) == 5 })
	stored := func(want uint64) {
		t.Helper()
		for _, a := range s.alarms() {
			if a.Stored != (a.Sequence < want) {
				t.Errorf("%s %s %s (%d): stored %v", a.Kind, a.Outcome, a.Reason, a.Sequence, a.Stored)
			}
		}
	}
	s.ask(wire.TypeBatch, s.g.batch(1, 4))
	stored(5)
	s.g.fill(1) // no alarm
	s.at(s.ask(wire.TypeBatch, s.g.batch(5, 1)), 7, 6)
	stored(6)
}
