package tenancy

import (
	"testing"

	"gatehouse/sync/wire"
)

// TestRegistryHasTheWord: another end in the list counts before the book's, and
// what the list revokes is over.
func TestRegistryHasTheWord(t *testing.T) {
	id := wire.ID{1}
	var b List
	b.Apply(wire.Change{Op: wire.OpCheckIn, At: 10, Tenancy: id, Grant: wire.ID{2}, Until: 100, Flat: "3B", Credentials: []wire.CredentialID{{1, 1}}})
	for name, c := range map[string]struct {
		held []wire.Grant
		at   uint32
		want string
		end  uint32 // as it is shown
	}{
		"the book's end":  {nil, 100, Ended, 100},
		"a longer term":   {[]wire.Grant{{Credential: wire.CredentialID{1, 1}, State: wire.GrantActive, Until: 200}}, 150, Active, 200},
		"its end":         {[]wire.Grant{{Credential: wire.CredentialID{1, 1}, State: wire.GrantActive, Until: 200}}, 200, Ended, 200},
		"no end any more": {[]wire.Grant{{Credential: wire.CredentialID{1, 1}, State: wire.GrantActive}}, 900, Active, 0},
		"revoked":         {[]wire.Grant{{Credential: wire.CredentialID{1, 1}, State: wire.GrantRevoked}}, 50, Ended, 100},
	} {
		tt := b.Find(id)
		if got := tt.State(tt.Stand(c.held), c.at); got != c.want {
			t.Errorf("%s: it is %s, want %s", name, got, c.want)
		}
		if got := tt.Show(tt.Stand(c.held), Time{Sure: int64(c.at)}, 0).Term.Until; got != c.end {
			t.Errorf("%s: shown to end at %d, want %d", name, got, c.end)
		}
	}
}
