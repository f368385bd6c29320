package keyring

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/internal/keyring/signedtime"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// houseOf signs a house document of some gateways, each with its key's first byte.
func houseOf(t *testing.T, version uint64, gateways map[string]byte) []byte {
	t.Helper()
	_, kem := sealPair(t)
	doc := wire.House{Version: version, Issued: uint32(issuedAt.Unix()), District: "east", Town: "mill"}
	for _, id := range []string{"gate-a", "gate-b", "gate-c"} {
		if key, there := gateways[id]; there {
			doc.Gateways = append(doc.Gateways, wire.HouseGateway{ID: id, KEM: kem, Public: [32]byte{key}, Doors: []string{"front"}})
		}
	}
	return signed(t, wire.TypeHouse, wire.RoleIssuer, building, encoded(t, doc), 1)
}

// TestRecordsOfARemovedGateway: what its thief invented opens no more, and whom he
// ended is let in again, at once and after a restart; records of others stay.
func TestRecordsOfARemovedGateway(t *testing.T) {
	for name, c := range map[string]struct {
		house map[string]byte
		left  int
		gone  bool // those of gate-b
	}{
		"removed":             {map[string]byte{"gate-a": 0}, 1, true},
		"replaced":            {map[string]byte{"gate-a": 0, "gate-b": 7}, 1, true},
		"another one joins":   {map[string]byte{"gate-a": 0, "gate-b": 0, "gate-c": 9}, 3, false},
		"this one is removed": {map[string]byte{"gate-b": 0}, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			k, _ := enrolled(t)
			apply(t, k, listOf(t, 1, issuedAt, nil, 1, row(9, 9)))
			must(t, k.Records.Add(local(t, k, "gate-b", 5, 1, 1, change(wire.OpCheckIn, 1, 20, 1))))
			must(t, k.Records.Add(local(t, k, "gate-b", 5, 2, 2, change(wire.OpEnd, 9, 20))))
			own := local(t, k, "gate-a", 6, 1, 3, change(wire.OpCheckIn, 2, 20, 2))
			own.Person = []byte("sealed")
			must(t, k.Records.Add(own))
			must(t, k.Authority.SetHouse(houseOf(t, 2, c.house)))
			for range 2 {
				invented, ended := wire.ReasonGranted, wire.ReasonRevoked
				if c.gone {
					invented, ended = wire.ReasonUnknown, wire.ReasonGranted
				}
				want(t, k, credential(1), invented)
				want(t, k, credential(9), ended)
				if n := k.Status().Records.Unsettled; n != c.left {
					t.Fatalf("%d records, want %d", n, c.left)
				}
				k = restarted(t, k)
			}
			files, err := filepath.Glob(filepath.Join(recordsDir(k), "*.*"))
			must(t, err)
			persons, err := filepath.Glob(filepath.Join(recordsDir(k), "*.person"))
			must(t, err)
			if _, there := c.house["gate-a"]; len(files)-len(persons) != c.left || (len(persons) == 1) != there {
				t.Fatalf("files: %v", files)
			}
		})
	}
}

// TestRemovedGatewayAtAStart: power may go after the house document was written;
// nor does a replay bring the records back.
func TestRemovedGatewayAtAStart(t *testing.T) {
	k, dir := enrolled(t)
	invented := local(t, k, "gate-b", 5, 1, 1, change(wire.OpCheckIn, 1, 20, 1))
	must(t, k.Records.Add(invented))
	must(t, os.WriteFile(filepath.Join(dir, "keys", keys.HouseFile), houseOf(t, 2, map[string]byte{"gate-a": 0}), 0o600))
	k = restarted(t, k)
	if n := k.Status().Records.Unsettled; n != 0 {
		t.Fatalf("%d records", n)
	}
	if files, _ := os.ReadDir(recordsDir(k)); len(files) != 0 {
		t.Fatalf("%d files", len(files))
	}
	if err := k.Records.Add(invented); !errors.Is(err, ErrRefused) {
		t.Fatalf("replayed: %v", err)
	}
}

// TestRecordsWithoutAHouseDocument: a damaged document removes nobody.
func TestRecordsWithoutAHouseDocument(t *testing.T) {
	k, dir := enrolled(t)
	must(t, k.Records.Add(local(t, k, "gate-b", 5, 1, 1, change(wire.OpCheckIn, 1, 20, 1))))
	must(t, os.WriteFile(filepath.Join(dir, "keys", keys.HouseFile), []byte("x"), 0o600))
	if k = restarted(t, k); k.Status().Records.Unsettled != 1 {
		t.Fatal("erased")
	}
}

// TestOverdue: siblings' records that no list settles within a day are counted,
// over restarts; a gateway's own are not.
func TestOverdue(t *testing.T) {
	k, _ := enrolled(t)
	apply(t, k, listOf(t, 1, issuedAt, nil, 1))
	must(t, k.Records.Add(local(t, k, "gate-b", 5, 1, 1, change(wire.OpCheckIn, 1, 20, 1))))
	must(t, k.Records.Add(local(t, k, "gate-a", 6, 1, 2, change(wire.OpCheckIn, 2, 20, 2))))
	for _, c := range []struct{ after, want int }{{signedtime.Day, 0}, {signedtime.Day + 1, 1}} {
		k.Time.RaiseFloor(issuedAt.Unix()+int64(c.after), 0)
		again := local(t, k, "gate-b", 7+uint64(c.after), 1, 1, change(wire.OpCheckIn, 1, 20, 1))
		must(t, k.Records.Add(again)) // in a new line it is no newer
		k = restarted(t, k)
		if n := k.Status().Records.Overdue; n["gate-b"] != c.want || len(n) != c.want {
			t.Fatalf("after %d s: %v", c.after, n)
		}
	}
	apply(t, k, listOf(t, 2, issuedAt, seenBy("gate-b", 1), 1, row(1, 1)))
	if n := k.Status().Records.Overdue; len(n) != 0 {
		t.Fatalf("settled: %v", n)
	}
}

// TestOverdueBeforeAnyTime: a record that came before a witness was heard is no
// older than its word.
func TestOverdueBeforeAnyTime(t *testing.T) {
	k, _ := enrolled(t)
	must(t, k.Records.Add(local(t, k, "gate-b", 5, 1, 1, change(wire.OpCheckIn, 1, 20, 1))))
	for _, c := range []struct{ after, want int }{{0, 0}, {signedtime.Day + 1, 1}} {
		k.Time.RaiseFloor(issuedAt.Unix()+int64(c.after), 0)
		if n := k.Status().Records.Overdue["gate-b"]; n != c.want {
			t.Fatalf("after %d s: %d", c.after, n)
		}
	}
}

// TestRemovedGatewayStaysRemoved: a registry that was rolled back names a stolen gateway
// again; it is not heard, nor after a restart, and with another key it is.
func TestRemovedGatewayStaysRemoved(t *testing.T) {
	k, _ := enrolled(t)
	must(t, k.Authority.SetHouse(houseOf(t, 2, map[string]byte{"gate-a": 1, "gate-b": 7})))
	must(t, k.Authority.SetHouse(houseOf(t, 3, map[string]byte{"gate-a": 1})))
	must(t, k.Authority.SetHouse(houseOf(t, 4, map[string]byte{"gate-a": 1, "gate-b": 7})))
	for range 2 {
		if s := k.Status(); k.Keys.Registry().House.Gateway("gate-b") != nil || len(s.House.Shut) != 1 || s.House.Shut[0] != "gate-b" {
			t.Fatalf("the stolen gateway is back: %+v", s.House.Shut)
		}
		if err := k.Records.Add(local(t, k, "gate-b", 5, 1, 1, change(wire.OpCheckIn, 1, 20, 1))); !errors.Is(err, ErrRefused) {
			t.Fatalf("its record is taken: %v", err)
		}
		k = restarted(t, k)
	}
	must(t, k.Authority.SetHouse(houseOf(t, 5, map[string]byte{"gate-a": 1, "gate-b": 8})))
	if k.Keys.Registry().House.Gateway("gate-b") == nil || len(k.Status().House.Shut) > 0 {
		t.Fatal("a new machine in its place is not heard")
	}
}

// TestHouseOfAnotherLine: a house document that does not name the active one waits
// for a day, and then is no dead end; one that names it, or of format 1, does not.
func TestHouseOfAnotherLine(t *testing.T) {
	var elapsed time.Duration
	k, _ := enrolled(t)
	must(t, k.Close())
	k = openWith(t, filepath.Dir(k.opts.Dir), func(o *Options) { o.Elapsed = func() time.Duration { return elapsed } })
	sign := func(version uint64, earlier ...wire.Hash) []byte {
		doc, _ := houseDoc(t, version, 1)
		doc.Earlier = earlier
		return signed(t, wire.TypeHouse, wire.RoleIssuer, building, encoded(t, doc), 1)
	}
	hashOf := func(envelope []byte) wire.Hash {
		payload, err := wire.PayloadOf(envelope)
		must(t, err)
		return sha256.Sum256(payload)
	}
	first := hashOf(k.Keys.Registry().HouseEnvelope)
	five := sign(5, wire.Hash{1}, first)
	must(t, k.Authority.SetHouse(five))
	for _, at := range []time.Duration{0, doubtFor - 1} {
		elapsed = at
		if err := k.Authority.SetHouse(sign(7, first)); !errors.Is(err, ErrUnproved) || k.Keys.Registry().House.Version != 5 || k.Status().House.Doubt != 7 {
			t.Fatalf("after %v: %v", at, err)
		}
	}
	must(t, k.Authority.SetHouse(sign(8, wire.Hash{2}, hashOf(five)))) // it has learned
	if k.Status().House.Doubt != 0 {
		t.Fatal("still in doubt")
	}
	if err := k.Authority.SetHouse(sign(9, first)); !errors.Is(err, ErrUnproved) {
		t.Fatal(err)
	}
	elapsed += doubtFor
	must(t, k.Authority.SetHouse(sign(9, first)))
	must(t, k.Authority.SetHouse(sign(10))) // of format 1
}
