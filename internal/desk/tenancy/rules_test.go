package tenancy

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/sync/wire"
)

// flat is a tenancy with the keyring's side of it played by a table.
type flat struct {
	t    *Tenancy
	held []wire.Grant
	now  uint32
	next byte // of credentials

	term, until uint32
}

func (f *flat) credential() wire.CredentialID {
	f.next++
	return wire.CredentialID{1, f.next}
}

func newFlat(until uint32) *flat {
	f := &flat{now: 1_800_000_000}
	var b List
	c := wire.Change{Op: wire.OpCheckIn, At: f.now, Tenancy: wire.ID{1}, Grant: wire.ID{2}, Flat: "3B", Until: until,
		Credentials: []wire.CredentialID{f.credential()}}
	b.Apply(c)
	f.t = b[0]
	f.hold(c)
	return f
}

// hold does what the keyring's merge does, for one grant.
func (f *flat) hold(c wire.Change) {
	set := func(s wire.GrantState) {
		for i := range f.held {
			if slices.Contains(c.Credentials, f.held[i].Credential) {
				f.held[i].State = s
			}
		}
	}
	switch c.Op {
	case wire.OpCheckIn:
		f.term, f.until = c.Until, c.Until
		fallthrough
	case wire.OpBind:
		for _, id := range c.Credentials {
			f.held = append(f.held, wire.Grant{ID: c.Grant, Credential: id, State: wire.GrantActive})
		}
	case wire.OpNotice:
		f.until = c.Until
	case wire.OpDispute, wire.OpWithdraw:
		f.until = f.term
	case wire.OpSuspend:
		set(wire.GrantSuspended)
	case wire.OpResume:
		set(wire.GrantActive)
	case wire.OpEnd:
		for i := range f.held {
			f.held[i].State = wire.GrantRevoked
		}
	}
	for i := range f.held {
		f.held[i].Until = f.until
	}
}

func (f *flat) situation() Situation {
	return Situation{Tenancy: f.t, Standing: f.t.Stand(f.held), Clock: Time{Now: int64(f.now), Sure: int64(f.now), Trusted: true}, Days: 3}
}

// do decides and, if it is allowed, does it.
func (f *flat) do(s Situation, action string) ([]wire.Change, error) {
	changes, err := s.Decide(action)
	b := List{f.t}
	for _, c := range changes {
		b.Apply(c)
		f.hold(c)
	}
	return changes, err
}

func (f *flat) state() string { return f.t.State(f.t.Stand(f.held), f.now) }

// model knows nothing of a tenancy but what its states rest on.
type model struct {
	term, notice    uint32
	disputed, ended bool
}

func (m *model) over(now uint32) bool {
	m.ended = m.ended || m.term != 0 && now >= m.term || m.notice != 0 && !m.disputed && now >= m.notice
	return m.ended
}

// took follows a change that was allowed.
func (m *model) took(t *rapid.T, c wire.Change, now uint32) {
	switch c.Op {
	case wire.OpEnd:
		m.ended = true
	case wire.OpNotice:
		if m.notice != 0 || c.Until != now+3*DaySeconds {
			t.Fatalf("a notice over another, or of %d s", c.Until-now)
		}
		m.notice, m.disputed = c.Until, false
	case wire.OpDispute:
		if m.notice == 0 || m.disputed {
			t.Fatal("a Dispute of nothing")
		}
		m.disputed = true
	case wire.OpWithdraw:
		m.notice, m.disputed = 0, false
	}
}

func (m *model) state(active int, now uint32) string {
	switch {
	case m.over(now):
		return Ended
	case m.disputed:
		return Disputed
	case m.notice != 0:
		return OnNotice
	case active == 0:
		return Suspended
	}
	return Active
}

// draw makes a situation of whatever a landlord or tenant may try; false where
// nobody could.
func (f *flat) draw(t *rapid.T) (s Situation, action string, ok bool) {
	s = f.situation()
	s.Proof = rapid.SampledFrom([]wire.Proof{wire.ProofLandlord, wire.ProofCard, wire.ProofPIN}).Draw(t, "proof")
	s.Cause = wire.Cause(rapid.IntRange(0, 7).Draw(t, "cause"))
	s.Card = rapid.IntRange(-1, len(s.Standing.Cards)+1).Draw(t, "card")
	action = rapid.SampledFrom([]string{CheckOut, Dispute, Withdraw, Suspend, Resume, Replace, AddCard, "pay"}).Draw(t, "action")
	if s.Proof == wire.ProofCard {
		for _, k := range s.Standing.Cards {
			if k.State == Active || action == Resume && k.State == Suspended {
				s.held = k.Number
			}
		}
	}
	if (action == Replace || action == AddCard) && rapid.Bool().Draw(t, "new card") {
		s.Fresh = []wire.CredentialID{f.credential()}
	}
	return s, action, s.Proof != wire.ProofCard || s.held != 0
}

// TestTenancy: the life of a tenancy, whatever landlord and tenant do.
func TestTenancy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{}
		if rapid.Bool().Draw(t, "term") {
			m.term = 1_800_000_000 + 40*DaySeconds
		}
		f := newFlat(m.term)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			f.now += uint32(rapid.SampledFrom([]int{0, 1, 3600, DaySeconds, 3 * DaySeconds}).Draw(t, "later"))
			s, action, ok := f.draw(t)
			if !ok {
				continue
			}
			over, before := m.over(f.now), count(s.Standing.Cards, Active)
			changes, err := f.do(s, action)
			after := count(f.t.cards(f.held), Active)
			switch {
			case (err == nil) != (len(changes) > 0):
				t.Fatalf("%s: %v with %d changes", action, err, len(changes))
			case err == nil && over:
				t.Fatalf("%s after the end", action)
			case err != nil && !over && action == CheckOut && s.Cause != 0 && s.Proof != wire.ProofLandlord:
				t.Fatalf("the tenant's own check-out was refused: %v", err)
			}
			for _, c := range changes {
				check(t, c, s)
				m.took(t, c, f.now)
			}
			if s.Proof == wire.ProofLandlord && !over && before > 0 && (after == 0 || m.ended) {
				t.Fatalf("%s: the landlord alone locked the tenant out", action)
			}
			if got, want := f.state(), m.state(after, f.now); got != want {
				t.Fatalf("after %s: it is %s, want %s", action, got, want)
			}
		}
	})
}

// check holds one change against what may never be.
func check(t *rapid.T, c wire.Change, s Situation) {
	if _, err := wire.Encode(c); err != nil {
		t.Fatalf("a change that can't be sent: %v", err)
	}
	if s.Proof == wire.ProofLandlord && (c.Op == wire.OpEnd || c.Op == wire.OpDispute || c.Op == wire.OpResume) {
		t.Fatalf("%s by the landlord alone", c.Op)
	}
	if c.Proof != s.Proof || c.At < s.Clock.NotBefore() || c.Tenancy != s.Tenancy.ID {
		t.Fatalf("%s is not what was asked for", c.Op)
	}
}

// TestUnsureClock: without the time no notice begins, and none ends.
func TestUnsureClock(t *testing.T) {
	f := newFlat(0)
	s := f.situation()
	s.Proof, s.Cause, s.Clock.Trusted = wire.ProofLandlord, wire.CauseAgreed, false
	if _, err := f.do(s, CheckOut); err == nil {
		t.Error("a notice without a date")
	}
	s.Clock.Trusted = true
	if _, err := f.do(s, CheckOut); err != nil {
		t.Fatal(err)
	}
	late := Time{Now: int64(f.now) + 10*DaySeconds, Sure: int64(f.now), Latest: int64(f.now) + 10*DaySeconds}
	if got := f.t.State(f.t.Stand(f.held), late.Surely()); got != OnNotice {
		t.Errorf("an unsure clock makes it %s", got)
	}
	late.Sure = late.Now
	if got := f.t.State(f.t.Stand(f.held), late.Surely()); got != Ended {
		t.Errorf("a sure clock leaves it %s", got)
	}
}

// TestBookTwice: changes of siblings come twice and late; the newest of a
// notice and its likes counts, and an end stays.
func TestBookTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, grant := wire.ID{1}, wire.ID{2}
		all := []wire.Change{
			{Op: wire.OpCheckIn, At: 10, Tenancy: id, Grant: grant, Flat: "3B", Credentials: []wire.CredentialID{{1, 1}}},
			{Op: wire.OpBind, At: 20, Tenancy: id, Grant: grant, Credentials: []wire.CredentialID{{1, 2}, {1, 3}}},
			{Op: wire.OpNotice, At: 30, Tenancy: id, Grant: grant, Cause: wire.CauseAgreed, Until: 100},
			{Op: wire.OpDispute, At: 40, Tenancy: id, Grant: grant},
			{Op: wire.OpWithdraw, At: 50, Tenancy: id, Grant: grant},
			{Op: wire.OpNotice, At: 60, Tenancy: id, Grant: grant, Cause: wire.CauseLeaseOver, Until: 200},
			{Op: wire.OpEnd, At: 70, Tenancy: id, Grant: grant, Cause: wire.CauseMovedOut},
		}
		all = all[:rapid.IntRange(1, len(all)).Draw(t, "so far")]
		var straight, mixed List
		for _, c := range all {
			straight.Apply(c)
		}
		order := rapid.Permutation(append(slices.Clone(all), all...)).Draw(t, "order")
		for _, c := range order {
			mixed.Apply(c)
		}
		a, b := straight[0], mixed[0]
		if a.End.At != b.End.At || a.Lease.Flat != b.Lease.Flat || len(a.Cards) != len(b.Cards) {
			t.Fatalf("%+v, in another order %+v", a, b)
		}
		if a.End.At == 0 && (a.OnNotice() != b.OnNotice() || a.Disputed() != b.Disputed()) {
			t.Fatalf("notice %d disputed %v, in another order %d %v", a.OnNotice(), a.Disputed(), b.OnNotice(), b.Disputed())
		}
	})
}
