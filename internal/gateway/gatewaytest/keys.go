package gatewaytest

import (
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/periods"
	"gatehouse/sync/wire/sealing"
)

// Keys puts keys of a building into a state directory, as gatehouse init does, and returns
// the issuer's and the building's.
func Keys(t testing.TB, state string) (ed25519.PrivateKey, *keys.BuildingKey) {
	t.Helper()
	public, issuer := pair(t)
	building, err := keys.GenerateBuildingKey(1)
	must(t, err)
	_, err = keys.Install(filepath.Join(state, "keys"), public, building)
	must(t, err)
	return issuer, building
}

// Town is the registry of gateway gw1 of building lane-7, as its files have it.
type Town struct {
	Issuer   ed25519.PrivateKey
	CA       []byte            // what is none is never over
	Witness  ed25519.PublicKey // nil: none
	Approver ed25519.PublicKey // of mandates for the gateway's town; nil: none
	Policy   *periods.Periods  // of how long who parts stay; nil: none
	House    wire.House        // what is said of the house besides its place
	Doors    []string          // of the gateway
}

// Place is where the gateway stands.
func (Town) Place() wire.Place {
	return wire.Place{District: "panyu", Town: "shiqiao", Building: "lane-7", Gateway: "gw1"}
}

// Enrol puts the files of an enrolled gateway beside the keys that Keys put there.
func (w Town) Enrol(t testing.TB, state string) {
	t.Helper()
	dir := filepath.Join(state, "keys")
	keyset, err := keys.LoadKeys(dir)
	must(t, err)
	root, rootKey := pair(t)
	private, public, err := sealing.GenerateKey()
	must(t, err)
	own := keyset.Gateway.Public().(ed25519.PublicKey)
	trust := wire.Trust{Version: 1, Issued: 1, Registry: "town", CAs: [][]byte{w.CA}, Records: public, Desk: public, Escrow: public,
		Keys: []wire.RoleKey{{Role: wire.RoleIssuer, Public: [32]byte(w.Issuer.Public().(ed25519.PublicKey))}}}
	if w.Witness != nil {
		trust.Keys = append(trust.Keys, wire.RoleKey{Role: wire.RoleWitness, Public: [32]byte(w.Witness)})
	}
	if w.Approver != nil {
		trust.Approvers = []approver.Approver{{Seat: "shiqiao-1", Public: [32]byte(w.Approver), District: w.Place().District, Town: w.Place().Town}}
	}
	trust.Retention = w.Policy
	house, place := w.House, w.Place()
	house.Version, house.Issued, house.District, house.Town = 1, 1, place.District, place.Town
	house.Gateways = []wire.HouseGateway{{ID: place.Gateway, Public: [32]byte(own), KEM: public, Doors: w.Doors}}
	must(t, os.WriteFile(filepath.Join(dir, keys.TrustFile), Sign(t, wire.Protected{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: "town", Version: wire.VersionOf(trust)}, trust, rootKey), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, keys.HouseFile), Sign(t, wire.Protected{Type: wire.TypeHouse, Role: wire.RoleIssuer, Address: place.Building}, house, w.Issuer), 0o600))
	must(t, keys.SaveSealKey(filepath.Join(dir, keys.SealKeyFile), private))
	must(t, keys.SaveIssuer(filepath.Join(dir, keys.RootFile), wire.Key{Public: root}))
	must(t, keys.SavePlace(dir, &keys.Registry{Name: "town", Enrol: "town.example:8443", Broker: "town.example:8883", Place: place}))
}

// Sign is a signed message.
func Sign(t testing.TB, about wire.Protected, p wire.Payload, key ed25519.PrivateKey) []byte {
	t.Helper()
	body, err := wire.Encode(p)
	must(t, err)
	envelope, err := wire.Sign(about, body, key)
	must(t, err)
	return envelope
}

func pair(t testing.TB) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	return public, private
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
