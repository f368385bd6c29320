package keyring

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring/record"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// The registry of the tests: root key 100, issuers 1 and 2, a witness 3.
const rootSeed = 100

var sealKeys = sync.OnceValues(func() (pair [2][]byte, err error) {
	pair[0], pair[1], err = sealing.GenerateKey()
	return pair, err
})

func sealPair(t testing.TB) (private, public []byte) {
	t.Helper()
	pair, err := sealKeys()
	if err != nil {
		t.Fatal(err)
	}
	return pair[0], pair[1]
}

func public(n byte) ed25519.PublicKey { return issuerKey(n).Public().(ed25519.PublicKey) }

func encoded[P wire.Payload](t testing.TB, p P) []byte {
	t.Helper()
	b, err := wire.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func signed(t testing.TB, kind string, role wire.Role, address string, payload []byte, key byte) []byte {
	t.Helper()
	p := wire.Protected{Type: kind, Role: role, Address: address}
	if role == wire.RoleIssuer {
		p.Epoch = 1
	}
	b, err := wire.Sign(p, payload, issuerKey(key))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// trust names these issuers.
func trust(t testing.TB, version uint64, issuers ...byte) (wire.Trust, []byte) {
	t.Helper()
	_, kem := sealPair(t)
	doc := wire.Trust{Version: version, Issued: uint32(issuedAt.Unix()), Registry: "city", Records: kem, Desk: kem, Escrow: kem, CAs: [][]byte{{1}}}
	for _, n := range issuers {
		doc.Keys = append(doc.Keys, wire.RoleKey{Role: wire.RoleIssuer, Epoch: 1, Public: [32]byte(public(n))})
	}
	doc.Keys = append(doc.Keys, wire.RoleKey{Role: wire.RoleWitness, Epoch: 1, Public: [32]byte(public(3))})
	return doc, signed(t, wire.TypeTrust, wire.RoleRoot, "city", encoded(t, doc), rootSeed)
}

func houseDoc(t testing.TB, version uint64, issuer byte) (wire.House, []byte) {
	t.Helper()
	_, kem := sealPair(t)
	doc := wire.House{Version: version, Issued: uint32(issuedAt.Unix()), District: "east", Town: "mill",
		Gateways: []wire.HouseGateway{{ID: "gate-a", KEM: kem, Doors: []string{"front"}}, {ID: "gate-b", KEM: kem, Doors: []string{"front"}}}}
	return doc, signed(t, wire.TypeHouse, wire.RoleIssuer, building, encoded(t, doc), issuer)
}

// enrol writes the files of an enrolled gateway, with or without the building's
// key, into a directory beside that of the grants.
func enrol(t testing.TB, dir, gateway string, withKey bool) {
	t.Helper()
	keyset := filepath.Join(dir, "keys")
	must(t, os.MkdirAll(keyset, 0o700))
	r := &keys.Registry{Name: "city", Enrol: "city.example:8443", Broker: "city.example:8883",
		Place: wire.Place{District: "east", Town: "mill", Building: building, Gateway: gateway}}
	private, _ := sealPair(t)
	_, r.TrustEnvelope = trust(t, 1, 1, 2)
	_, r.HouseEnvelope = houseDoc(t, 1, 1)
	must(t, keys.SaveIssuer(filepath.Join(keyset, keys.RootFile), wire.Key{Public: public(rootSeed)}))
	must(t, keys.SaveSealKey(filepath.Join(keyset, keys.SealKeyFile), private))
	must(t, keys.SavePrivateKey(filepath.Join(keyset, keys.GatewayKeyFile), issuerKey(50)))
	must(t, os.WriteFile(filepath.Join(keyset, keys.TrustFile), r.TrustEnvelope, 0o600))
	must(t, os.WriteFile(filepath.Join(keyset, keys.HouseFile), r.HouseEnvelope, 0o600))
	if withKey {
		must(t, keys.SaveBuildingKey(filepath.Join(keyset, keys.BuildingKeyFile), goldenKey()))
	}
	must(t, keys.SavePlace(keyset, r))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// openEnrolled opens the keyring of a directory that enrol has filled.
func openEnrolled(t testing.TB, dir string) *Keyring { return openWith(t, dir, func(*Options) {}) }

func openWith(t testing.TB, dir string, change func(*Options)) *Keyring {
	t.Helper()
	keys, err := keys.LoadKeys(filepath.Join(dir, "keys"))
	if keys.Registry == nil { // a key that is missing, a house whose issuer is gone: the keyring goes on
		t.Fatal(err)
	}
	// Time passes here as a witness says, on the machine's own clock too.
	var k *Keyring
	floor := func() int64 {
		if k == nil {
			return 0
		}
		return k.Time.Floor()
	}
	o := Options{Dir: filepath.Join(dir, "grants"), Building: building, Keys: keys, Log: zerolog.Nop(), Now: func() time.Time { return issuedAt },
		Sure: floor, Elapsed: func() time.Duration { return time.Duration(floor()) * time.Second }}
	change(&o)
	k, err = Open(o)
	must(t, err)
	t.Cleanup(func() { k.Close() })
	return k
}

func enrolled(t testing.TB) (k *Keyring, dir string) {
	t.Helper()
	dir = t.TempDir()
	enrol(t, dir, "gate-a", true)
	return openEnrolled(t, dir), dir
}

func restarted(t testing.TB, k *Keyring) *Keyring {
	t.Helper()
	must(t, k.Close())
	return openEnrolled(t, filepath.Dir(k.opts.Dir))
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

// listOf signs a whole list by an issuer of the tests' registry.
func listOf(t testing.TB, version uint64, issued time.Time, seen []wire.Seen, issuer byte, rows ...wire.Grant) grantlist.Update {
	t.Helper()
	d := grantlist.NewDraft(building, wire.Manifest{Version: version - 1}, wire.Hash{})
	d.Seen = seen
	_, err := d.DoorSet([]string{"front"})
	must(t, err)
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b wire.Grant) int { return a.Compare(&b) })
	l, m, err := d.Sign(rows, issued, issuerKey(issuer), 1)
	must(t, err)
	if m.Version != version {
		t.Fatalf("version %d, want %d", m.Version, version)
	}
	return grantlist.Update{Manifest: l.Manifest, Buckets: l.Buckets}
}

// change makes a change of a grant of the tests.
func change(op wire.Op, grant byte, at uint32, cards ...int) wire.Change {
	c := wire.Change{Op: op, At: at, Proof: wire.ProofLandlord, Grant: wire.ID{grant}, Tenancy: wire.ID{grant, 1}}
	for _, n := range cards {
		c.Credentials = append(c.Credentials, credential(n))
	}
	switch op {
	case wire.OpCheckIn:
		c.Kind, c.Doors, c.Flat = wire.GrantResident, []string{"front"}, "3A"
		c.Basis, c.Informed, c.Document = wire.BasisContract, true, wire.DocumentPassport
	case wire.OpEnd:
		c.Cause = wire.CauseMovedOut
	case wire.OpNotice:
		c.Cause, c.Until = wire.CauseLeaseOver, uint32(issuedAt.Unix())
	}
	return c
}

// local makes a record; ids are of the caller's choice.
func local(t testing.TB, k *Keyring, gateway string, line, number uint64, id byte, c wire.Change) record.Local {
	t.Helper()
	sealed, err := k.Keys.Building().SealRecord(c)
	must(t, err)
	return record.Local{Gateway: gateway, Envelope: []byte{1, 2, 3}, Change: c,
		Record: wire.Record{Line: line, Number: number, ID: wire.ID{id, 7}, House: sealed, Desk: []byte{1}}}
}
