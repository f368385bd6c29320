package tenancy

import (
	"testing"

	"gatehouse/sync/wire"
)

// TestNotBegun: a tenancy whose first day is to come shows it and says so; the
// likeliest time decides, since it is for people alone.
func TestNotBegun(t *testing.T) {
	tt := &Tenancy{ID: wire.ID{1}, Lease: Lease{Since: 100}}
	held := func(from ...uint32) (all []wire.Grant) {
		for n, f := range from {
			all = append(all, wire.Grant{ID: wire.ID{byte(n)}, Credential: wire.CredentialID{1, byte(n)}, State: wire.GrantActive, From: f})
		}
		return all
	}
	for _, c := range []struct {
		held []wire.Grant
		now  int64
		want string
		from uint32
	}{
		{held(200), 150, NotBegun, 200},
		{held(200), 200, Active, 200},
		{held(0), 150, Active, 0},
		{held(300, 200), 250, Active, 200},
		{held(300, 0), 150, Active, 0},
		{nil, 150, Suspended, 0},
	} {
		got := tt.Show(tt.Stand(c.held), Time{Now: c.now, Sure: 120}, 0)
		if got.State != c.want || got.Term.From != c.from {
			t.Errorf("%+v at %d: %s from %d, want %s from %d", c.held, c.now, got.State, got.Term.From, c.want, c.from)
		}
	}
	ended := held(200)
	ended[0].State = wire.GrantRevoked
	if got := tt.Show(tt.Stand(ended), Time{Now: 150, Sure: 120}, 0); got.State != Ended {
		t.Errorf("ended before it began: %s", got.State)
	}
}
