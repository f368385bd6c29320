package desk

import (
	"testing"

	"gatehouse/sync/wire"
)

// TestNotBegun: a tenancy whose first day is to come shows it and says so; the
// likeliest time decides, since it is for people alone.
func TestNotBegun(t *testing.T) {
	tt := &tenancy{ID: wire.ID{1}, Since: 100}
	held := func(from ...uint32) (all []holding) {
		for n, f := range from {
			all = append(all, holding{grant: wire.ID{byte(n)}, credential: wire.CredentialID{1, byte(n)}, state: wire.GrantActive, from: f})
		}
		return all
	}
	for _, c := range []struct {
		held []holding
		now  int64
		want string
		from uint32
	}{
		{held(200), 150, stateNotBegun, 200},
		{held(200), 200, stateActive, 200},
		{held(0), 150, stateActive, 0},
		{held(300, 200), 250, stateActive, 200},
		{held(300, 0), 150, stateActive, 0},
		{nil, 150, stateSuspended, 0},
	} {
		got := tt.show(tt.stand(c.held), 120, 0).by(Time{Now: c.now})
		if got.State != c.want || got.From != c.from {
			t.Errorf("%+v at %d: %s from %d, want %s from %d", c.held, c.now, got.State, got.From, c.want, c.from)
		}
	}
	ended := held(200)
	ended[0].state = wire.GrantRevoked
	if got := tt.show(tt.stand(ended), 120, 0).by(Time{Now: 150}); got.State != stateEnded {
		t.Errorf("ended before it began: %s", got.State)
	}
}
