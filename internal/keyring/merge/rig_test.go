package merge

import (
	"crypto/ed25519"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/access"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring/record"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"
)

const building = "house-1"

// issuedAt is when the tests' lists are signed.
var issuedAt = time.Unix(1_790_000_000, 0)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// credential makes made-up ids that spread over the buckets.
func credential(n int) (c wire.CredentialID) {
	c[0] = 1
	binary.BigEndian.PutUint64(c[1:], uint64(n)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint32(c[9:], uint32(n))
	return c
}

// row is a record of a list, active unless said otherwise.
func row(grant byte, card int, changes ...func(*wire.Grant)) wire.Grant {
	g := wire.Grant{Credential: credential(card), ID: wire.ID{grant}, Tenancy: wire.ID{grant, 1}, Kind: wire.GrantResident, State: wire.GrantActive}
	for _, f := range changes {
		f(&g)
	}
	return g
}

func inState(s wire.GrantState) func(*wire.Grant) { return func(g *wire.Grant) { g.State = s } }

func atDoors(set uint16) func(*wire.Grant) { return func(g *wire.Grant) { g.DoorSet = set } }

// listOf makes a list, signed and verified, that was made with some records.
func listOf(t testing.TB, seen []wire.Seen, rows ...wire.Grant) *signedlist.List {
	t.Helper()
	d := grantlist.NewDraft(building, wire.Manifest{}, wire.Hash{})
	d.Seen = seen
	_, err := d.DoorSet([]string{"front"})
	must(t, err)
	slices.SortFunc(rows, func(a, b wire.Grant) int { return a.Compare(&b) })
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	signed, _, err := d.Sign(rows, issuedAt, key, 1)
	must(t, err)
	l, err := signedlist.Open(signed.Manifest, building, wire.LogFormat, []wire.Key{{Role: wire.RoleIssuer, Epoch: 1, Public: key.Public().(ed25519.PublicKey)}})
	must(t, err)
	must(t, l.Fill(nil, func(i int) []byte { return signed.Buckets[i] }))
	return l
}

// change makes a change of a grant of the tests.
func change(op wire.Op, grant byte, at uint32, cards ...int) wire.Change {
	c := wire.Change{Op: op, At: at, Grant: wire.ID{grant}, Tenancy: wire.ID{grant, 1}}
	for _, n := range cards {
		c.Credentials = append(c.Credentials, credential(n))
	}
	switch op {
	case wire.OpCheckIn:
		c.Kind, c.Doors = wire.GrantResident, []string{"front"}
	case wire.OpNotice:
		c.Until = uint32(issuedAt.Unix())
	}
	return c
}

func plain(gateway string, line, number uint64, c wire.Change) record.Local {
	return record.Local{Gateway: gateway, Change: c, Record: wire.Record{Line: line, Number: number, ID: wire.ID{gateway[0], byte(line), byte(number)}}}
}

// beside is what some records make of no list.
func beside(over map[wire.ID]bool, records ...record.Local) *State {
	s := &State{Over: Tombstones{Known: over}}
	for _, l := range records {
		s.Records = s.Records.With(&record.Held{Local: l})
	}
	return s
}

// opened answers for cards as the merge of a list and records does.
func (s *State) opened(t testing.TB, l *signedlist.List, cards ...int) (answers []wire.Reason) {
	t.Helper()
	listed := rowsOf(l, s.Records)
	left, _ := settle(l, listed, s.Over.Known, s.Records)
	v, err := merge(l, listed, s.Over.Known, left)
	must(t, err)
	for _, n := range cards {
		answers = append(answers, access.Decide(v.Grants, &access.Query{Credential: credential(n),
			Door: "front", Time: access.At(issuedAt.Unix() + 60)}).Reason)
	}
	return answers
}
