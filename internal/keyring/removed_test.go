package keyring

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"gatehouse/internal/access"
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
			must(t, k.AddLocal(local(t, k, "gate-b", 5, 1, 1, change(wire.OpCheckIn, 1, 20, 1))))
			must(t, k.AddLocal(local(t, k, "gate-b", 5, 2, 2, change(wire.OpEnd, 9, 20))))
			own := local(t, k, "gate-a", 6, 1, 3, change(wire.OpCheckIn, 2, 20, 2))
			own.Person = []byte("sealed")
			must(t, k.AddLocal(own))
			must(t, k.SetHouse(houseOf(t, 2, c.house)))
			for range 2 {
				invented, ended := access.ReasonGranted, access.ReasonRevoked
				if c.gone {
					invented, ended = access.ReasonUnknown, access.ReasonGranted
				}
				want(t, k, credential(1), invented)
				want(t, k, credential(9), ended)
				if n := k.Status().Records; n != c.left {
					t.Fatalf("%d records, want %d", n, c.left)
				}
				k = restarted(t, k)
			}
			files, err := filepath.Glob(filepath.Join(k.recordsDir(), "*.*"))
			must(t, err)
			persons, err := filepath.Glob(filepath.Join(k.recordsDir(), "*.person"))
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
	must(t, k.AddLocal(invented))
	must(t, os.WriteFile(filepath.Join(dir, "keys", HouseFile), houseOf(t, 2, map[string]byte{"gate-a": 0}), 0o600))
	k = restarted(t, k)
	if n := k.Status().Records; n != 0 {
		t.Fatalf("%d records", n)
	}
	if files, _ := os.ReadDir(k.recordsDir()); len(files) != 0 {
		t.Fatalf("%d files", len(files))
	}
	if err := k.AddLocal(invented); !errors.Is(err, ErrRefused) {
		t.Fatalf("replayed: %v", err)
	}
}

// TestRecordsWithoutAHouseDocument: a damaged document removes nobody.
func TestRecordsWithoutAHouseDocument(t *testing.T) {
	k, dir := enrolled(t)
	must(t, k.AddLocal(local(t, k, "gate-b", 5, 1, 1, change(wire.OpCheckIn, 1, 20, 1))))
	must(t, os.WriteFile(filepath.Join(dir, "keys", HouseFile), []byte("x"), 0o600))
	if k = restarted(t, k); k.Status().Records != 1 {
		t.Fatal("erased")
	}
}

// TestOverdue: siblings' records that no list settles within a day are counted,
// over restarts; a gateway's own are not.
func TestOverdue(t *testing.T) {
	k, _ := enrolled(t)
	apply(t, k, listOf(t, 1, issuedAt, nil, 1))
	must(t, k.AddLocal(local(t, k, "gate-b", 5, 1, 1, change(wire.OpCheckIn, 1, 20, 1))))
	must(t, k.AddLocal(local(t, k, "gate-a", 6, 1, 2, change(wire.OpCheckIn, 2, 20, 2))))
	for _, c := range []struct{ after, want int }{{dayOfTime, 0}, {dayOfTime + 1, 1}} {
		k.RaiseFloor(issuedAt.Unix() + int64(c.after))
		again := local(t, k, "gate-b", 7+uint64(c.after), 1, 1, change(wire.OpCheckIn, 1, 20, 1))
		must(t, k.AddLocal(again)) // in a new line it is no newer
		k = restarted(t, k)
		if n := k.Status().Overdue; n["gate-b"] != c.want || len(n) != c.want {
			t.Fatalf("after %d s: %v", c.after, n)
		}
	}
	apply(t, k, listOf(t, 2, issuedAt, seenBy("gate-b", 1), 1, row(1, 1)))
	if n := k.Status().Overdue; len(n) != 0 {
		t.Fatalf("settled: %v", n)
	}
}

// TestOverdueBeforeAnyTime: a record that came before a witness was heard is no
// older than its word.
func TestOverdueBeforeAnyTime(t *testing.T) {
	k, _ := enrolled(t)
	must(t, k.AddLocal(local(t, k, "gate-b", 5, 1, 1, change(wire.OpCheckIn, 1, 20, 1))))
	for _, c := range []struct{ after, want int }{{0, 0}, {dayOfTime + 1, 1}} {
		k.RaiseFloor(issuedAt.Unix() + int64(c.after))
		if n := k.Status().Overdue["gate-b"]; n != c.want {
			t.Fatalf("after %d s: %d", c.after, n)
		}
	}
}
