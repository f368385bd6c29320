package tenancy

import (
	"encoding/binary"
	"reflect"
	"testing"

	"gatehouse/internal/access"
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

// TestHoldingsOfSome: what some tenancies hold is what they hold among all, and costs nothing for
// each of the others.
func TestHoldingsOfSome(t *testing.T) {
	const others = 3000
	rows := make([]wire.Grant, 0, others+2)
	for n := range others {
		r := wire.Grant{Credential: wire.CredentialID{1}, ID: wire.ID{9, byte(n), byte(n >> 8)}, Tenancy: wire.ID{8, byte(n), byte(n >> 8)}, Kind: wire.GrantResident, State: wire.GrantActive}
		binary.BigEndian.PutUint32(r.Credential[1:], uint32(n+10))
		rows = append(rows, r)
	}
	of := func(card byte, kind wire.GrantKind) wire.Grant {
		r := wire.Grant{ID: wire.ID{1, card}, Tenancy: wire.ID{1}, Kind: kind, State: wire.GrantActive}
		r.Credential = wire.CredentialID{0: 1, 1: 0xff, 2: card}
		return r
	}
	rows = append(rows, of(1, wire.GrantResident), of(2, wire.GrantStaff), of(3, wire.GrantResident))
	bucket, err := access.NewBucket(0, rows)
	if err != nil {
		t.Fatal(err)
	}
	g, err := access.NewGrants(access.Doors{IDs: []string{"front"}, Sets: [][]uint16{{0}}}, 0, []*access.Bucket{bucket})
	if err != nil {
		t.Fatal(err)
	}
	some := List{{ID: wire.ID{1}}, {ID: wire.ID{8, 7}}, {ID: wire.ID{77}}}
	held, all := some.Holdings(g), Holdings(g)
	for i, want := range []int{2, 1, 0} {
		if id := some[i].ID; len(held[id]) != want || !reflect.DeepEqual(held[id], all[id]) {
			t.Errorf("tenancy %x holds %v, among all %v, want %d", id, held[id], all[id], want)
		}
	}
	if n := testing.AllocsPerRun(10, func() { some.Holdings(g) }); n > 20 {
		t.Errorf("%v allocations for three tenancies", n)
	}
	if held := some.Holdings(nil); len(held) != 0 {
		t.Errorf("without a list they hold %v", held)
	}
}
