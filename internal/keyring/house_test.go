package keyring

import (
	"crypto/ed25519"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/access"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// issuedAt is when the tests' lists are signed.
var issuedAt = time.Unix(1_790_000_000, 0)

const building = "house-1"

func issuerKey(n byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	return ed25519.NewKeyFromSeed(seed)
}

func pinned(n byte) []wire.Key {
	return []wire.Key{{Role: wire.RoleIssuer, Public: issuerKey(n).Public().(ed25519.PublicKey)}}
}

// goldenKey is the building key 00 01 .. 1f with number 1.
var goldenKey = sync.OnceValue(func() *keys.BuildingKey {
	const address = building + "/gate-a"
	plain := []byte{1}
	for i := range byte(32) {
		plain = append(plain, i)
	}
	pair, err := sealKeys()
	if err != nil {
		panic(err)
	}
	sealed, err := sealing.Seal(pair[1], sealing.BuildingKey, address, plain)
	if err != nil {
		panic(err)
	}
	k, err := keys.UnsealBuildingKey(pair[0], address, sealed)
	if err != nil {
		panic(err)
	}
	return k
})

// credential makes made-up ids that spread over the buckets.
func credential(n int) (c wire.CredentialID) {
	c[0] = 1
	binary.BigEndian.PutUint64(c[1:], uint64(n)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint32(c[9:], uint32(n))
	return c
}

func open(t testing.TB, dir string) *Keyring {
	t.Helper()
	k, err := Open(Options{Dir: dir, Building: building, Keys: keys.Keys{Building: goldenKey(), Issuers: pinned(1)},
		Log: zerolog.Nop(), Now: func() time.Time { return issuedAt }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

// reopen closes and opens again, as a restart does.
func reopen(t testing.TB, k *Keyring) *Keyring {
	t.Helper()
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, k.opts.Dir)
}

func edit(t testing.TB, k *Keyring) *grantlist.Editor {
	t.Helper()
	l, err := k.List()
	if err != nil {
		t.Fatal(err)
	}
	e, err := grantlist.NewEditor(l, building, issuerKey(1), 0)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// editAs starts from the active list as if its manifest said something else.
func editAs(t testing.TB, k *Keyring, change func(*wire.Manifest)) *grantlist.Editor {
	t.Helper()
	l, err := k.List()
	must(t, err)
	m := k.active.state.List.Manifest
	change(&m)
	payload, err := m.Encode()
	must(t, err)
	l.Manifest, err = wire.Sign(wire.Protected{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Address: building}, payload, issuerKey(1))
	must(t, err)
	e, err := grantlist.NewEditor(l, building, issuerKey(1), 0)
	must(t, err)
	return e
}

func sign(t testing.TB, e *grantlist.Editor) grantlist.Update {
	t.Helper()
	u, err := e.Sign(issuedAt)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func apply(t testing.TB, k *Keyring, u grantlist.Update) {
	t.Helper()
	if err := k.Apply(u); err != nil {
		t.Fatal(err)
	}
}

func add(t testing.TB, e *grantlist.Editor, credentials ...wire.CredentialID) wire.ID {
	t.Helper()
	id, err := e.Add(grantlist.NewGrant{Kind: wire.GrantResident, Doors: []string{"front"}, Credentials: credentials})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func ask(k *Keyring, c wire.CredentialID) wire.Reason {
	return access.Decide(k.Grants(), &access.Query{Credential: c, Door: "front",
		Time: access.At(max(issuedAt.Unix()+60, k.Time.Floor()))}).Reason
}

func want(t testing.TB, k *Keyring, c wire.CredentialID, r wire.Reason) {
	t.Helper()
	if got := ask(k, c); got != r {
		t.Fatalf("the door says %d, want %d", got, r)
	}
}

// bulk fills a house with n grants of one credential each, in one version.
func bulk(t testing.TB, k *Keyring, n int) []wire.ID {
	t.Helper()
	e := edit(t, k)
	ids := make([]wire.ID, n)
	for i := range ids {
		ids[i] = add(t, e, credential(i))
	}
	apply(t, k, sign(t, e))
	return ids
}
