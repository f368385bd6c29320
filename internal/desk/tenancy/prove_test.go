package tenancy

import (
	"testing"

	"gatehouse/sync/wire"
)

// TestListedCardProves: a card that is in the list alone proves its tenant only if it could be
// nobody else's: it is the only one, and all of its forms are held up.
func TestListedCardProves(t *testing.T) {
	own := wire.Change{Op: wire.OpCheckIn, At: 10, Tenancy: wire.ID{1}, Grant: wire.ID{2}, Flat: "3B", Credentials: []wire.CredentialID{{1, 1}}}
	listed := func(grant, form byte, s wire.GrantState) wire.Grant {
		return wire.Grant{ID: wire.ID{grant}, Credential: wire.CredentialID{1, form}, State: s}
	}
	const active, revoked = wire.GrantActive, wire.GrantRevoked
	for name, c := range map[string]struct {
		checkIn bool // the file has a card of this tenancy, too
		held    []wire.Grant
		shown   []wire.CredentialID
		proves  bool
	}{
		"the only one":            {false, []wire.Grant{listed(3, 3, active)}, []wire.CredentialID{{1, 3}}, true},
		"with all of its forms":   {false, []wire.Grant{listed(3, 3, active), listed(3, 4, active)}, []wire.CredentialID{{1, 4}, {1, 3}, {1, 9}}, true},
		"with one of two forms":   {false, []wire.Grant{listed(3, 3, active), listed(3, 4, active)}, []wire.CredentialID{{1, 3}}, false},
		"one of two":              {false, []wire.Grant{listed(3, 3, active), listed(4, 4, active)}, []wire.CredentialID{{1, 3}}, false},
		"the other of two":        {false, []wire.Grant{listed(3, 3, active), listed(4, 4, active)}, []wire.CredentialID{{1, 4}}, false},
		"beside one that is over": {false, []wire.Grant{listed(3, 3, active), listed(4, 4, revoked)}, []wire.CredentialID{{1, 3}}, true},
		"beside one that proves":  {true, []wire.Grant{listed(2, 1, active), listed(3, 3, active)}, []wire.CredentialID{{1, 3}}, false},
		"the one that proves":     {true, []wire.Grant{listed(2, 1, active), listed(3, 3, active)}, []wire.CredentialID{{1, 1}}, true},
		"nobody's":                {false, []wire.Grant{listed(3, 3, active)}, []wire.CredentialID{{1, 9}}, false},
	} {
		tt := &Tenancy{ID: wire.ID{1}}
		if c.checkIn {
			var all List
			all.Apply(own)
			tt = all[0]
		}
		s := Situation{Tenancy: tt, Standing: tt.Stand(c.held)}
		if err := s.ProveCard([][]wire.CredentialID{c.shown}, CheckOut); (err == nil) != c.proves {
			t.Errorf("%s: %v", name, err)
		}
	}
}
