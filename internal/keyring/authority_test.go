package keyring

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring/signedtime"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"

	"github.com/rs/zerolog"
)

func TestSetTrust(t *testing.T) {
	k, dir := enrolled(t)
	if r := k.Keys.Registry(); r.Trust.Version != 1 || r.House.Version != 1 || len(k.Keys.Issuers()) != 2 || r.Place.Address() != "house-1/gate-a" {
		t.Fatalf("registry %+v", r)
	}
	_, first := trust(t, 1, 1, 2)
	must(t, k.Authority.SetTrust(first)) // again
	doc, three := trust(t, 3, 2)
	_, two := trust(t, 2, 1, 2)
	_, other := trust(t, 3, 1)
	must(t, k.Authority.SetTrust(three))
	doc.Registry = "town"
	for name, c := range map[string]struct {
		envelope []byte
		cause    error
	}{
		"older":          {two, ErrRolledBack},
		"other of three": {other, ErrRolledBack},
		"not the root":   {signed(t, wire.TypeTrust, wire.RoleRoot, "city", encoded(t, doc), 1), wire.ErrUnknownKey},
		"issuer's":       {signed(t, wire.TypeTrust, wire.RoleIssuer, "city", encoded(t, doc), 1), wire.ErrWrongRole},
		"other address":  {signed(t, wire.TypeTrust, wire.RoleRoot, "town", encoded(t, doc), rootSeed), wire.ErrWrongAddress},
		"other registry": {signed(t, wire.TypeTrust, wire.RoleRoot, "city", encoded(t, doc), rootSeed), wire.ErrWrongAddress},
		"garbage":        {[]byte("x"), wire.ErrMalformed},
	} {
		if err := k.Authority.SetTrust(c.envelope); !errors.Is(err, ErrRefused) || !errors.Is(err, c.cause) {
			t.Errorf("%s: %v", name, err)
		}
	}
	k = restarted(t, k)
	if k.Keys.Registry().Trust.Version != 3 || len(k.Keys.Issuers()) != 1 {
		t.Fatal("not kept")
	}
	must(t, os.RemoveAll(filepath.Join(dir, "keys")))
	_, four := trust(t, 4, 1)
	if err := k.Authority.SetTrust(four); !errors.Is(err, ErrNotDurable) || k.Keys.Registry().Trust.Version != 4 {
		t.Fatalf("without a disk: %v", err)
	}
}

func TestSetHouse(t *testing.T) {
	k, _ := enrolled(t)
	_, two := houseDoc(t, 2, 2)
	must(t, k.Authority.SetHouse(two))
	must(t, k.Authority.SetHouse(two))
	_, old := houseDoc(t, 1, 1)
	doc, stranger := houseDoc(t, 3, 9)
	foreign := signed(t, wire.TypeHouse, wire.RoleIssuer, "house-2", encoded(t, doc), 1)
	for name, c := range map[string]struct {
		envelope []byte
		cause    error
	}{"older": {old, ErrRolledBack}, "no issuer": {stranger, wire.ErrUnknownKey}, "other building": {foreign, wire.ErrWrongAddress}} {
		if err := k.Authority.SetHouse(c.envelope); !errors.Is(err, ErrRefused) || !errors.Is(err, c.cause) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r := restarted(t, k).Keys.Registry(); r.House.Version != 2 || r.House.Gateway("gate-b") == nil {
		t.Fatalf("house %+v", r.House)
	}
}

// TestHouseInAnotherFormat: a version of the House document that comes in two formats is no rollback.
// Another document of that version is one, whatever it names before it.
func TestHouseInAnotherFormat(t *testing.T) {
	k, _ := enrolled(t)
	doc, first := houseDoc(t, 2, 1)
	must(t, k.Authority.SetHouse(first))
	inSecond := func(h wire.House) []byte {
		h.Earlier = []wire.Hash{{1}, {2}}
		return signed(t, wire.TypeHouse, wire.RoleIssuer, "house-1", encoded(t, h), 1)
	}
	must(t, k.Authority.SetHouse(inSecond(doc)))
	must(t, k.Authority.SetHouse(first))
	if r := restarted(t, k).Keys.Registry(); r.House.Version != 2 || len(r.House.Gateways) != len(doc.Gateways) {
		t.Fatalf("house %+v", r.House)
	}
	doc.NoticeDays++
	if err := k.Authority.SetHouse(inSecond(doc)); !errors.Is(err, ErrRefused) || !errors.Is(err, ErrRolledBack) {
		t.Errorf("another document of the version: %v", err)
	}
}

// TestIssuersFollowTrust: lists are taken from those whom the root names now. The
// active list stays when its issuer is taken back, at a restart too.
func TestIssuersFollowTrust(t *testing.T) {
	k, _ := enrolled(t)
	apply(t, k, listOf(t, 1, issuedAt, nil, 1, row(1, 1)))
	_, two := trust(t, 2, 2)
	must(t, k.Authority.SetTrust(two))
	k = restarted(t, k)
	want(t, k, credential(1), wire.ReasonGranted)
	if err := k.Apply(listOf(t, 2, issuedAt, nil, 1, row(2, 2))); !errors.Is(err, wire.ErrUnknownKey) {
		t.Fatalf("taken from an issuer of yesterday: %v", err)
	}
	apply(t, k, listOf(t, 2, issuedAt, nil, 2, row(2, 2), row(1, 1)))
	k = restarted(t, k)
	want(t, k, credential(2), wire.ReasonGranted)
}

// TestStolenIssuerAtAStart: of an issuer that was taken back only the very list
// active is read again, not another one with a higher version.
func TestStolenIssuerAtAStart(t *testing.T) {
	k, _ := enrolled(t)
	apply(t, k, listOf(t, 1, issuedAt, nil, 1, row(1, 1)))
	marks := readFile(t, fileOf(k, marksFile))
	_, two := trust(t, 2, 2)
	apply(t, k, listOf(t, 2, issuedAt, nil, 1, row(1, 1), row(9, 9)))
	must(t, k.Authority.SetTrust(two))
	must(t, k.Close())
	writeFile(t, fileOf(k, marksFile), marks)
	k = restarted(t, k)
	want(t, k, credential(9), wire.ReasonNotReady)
}

// TestOtherAuthority: an enrolled house begins the count of its lists anew.
func TestOtherAuthority(t *testing.T) {
	dir := t.TempDir()
	alone, err := Open(Options{Dir: filepath.Join(dir, "grants"), Building: building, Keys: keys.Keys{Building: goldenKey(), Issuers: pinned(1)}, Log: zerolog.Nop()})
	must(t, err)
	for range 3 {
		bulk(t, alone, 2)
	}
	must(t, alone.Close())
	enrol(t, dir, "gate-a", true)
	k := openEnrolled(t, dir)
	if k.Time.Floor() != issuedAt.Unix() {
		t.Fatal("time fell back")
	}
	apply(t, k, listOf(t, 1, issuedAt, nil, 1, row(1, 1)))
	want(t, restarted(t, k), credential(1), wire.ReasonGranted)
}

func TestRaiseFloor(t *testing.T) {
	k, _ := enrolled(t)
	now := issuedAt.Unix()
	k.Time.RaiseFloor(now, 0)
	k.Time.RaiseFloor(now-5, 0)
	if k.Time.Floor() != now {
		t.Fatalf("floor %d", k.Time.Floor())
	}
	tend := func() int64 {
		k.active.mu.Lock()
		defer k.active.mu.Unlock()
		k.active.saveFloor(floorEvery)
		return k.active.marks.Floor
	}
	if tend() != now {
		t.Fatal("the first is not written")
	}
	for i := range int64(floorEvery) {
		k.Time.RaiseFloor(now+i, 0)
		if tend() != now {
			t.Fatal("written twice within an hour")
		}
	}
	if k.Time.RaiseFloor(now+floorEvery, 0); tend() != now+floorEvery {
		t.Fatal("not written after an hour")
	}
	k.Time.RaiseFloor(now+floorEvery+7, 0)
	if k = restarted(t, k); k.Time.Floor() != now+floorEvery+7 {
		t.Fatalf("after a restart: %d", k.Time.Floor())
	}
}

func TestMissing(t *testing.T) {
	k, _ := enrolled(t)
	rows := make([]wire.Grant, 2000)
	for n := range rows {
		rows[n] = row(1, n)
		rows[n].ID = wire.ID{1, byte(n), byte(n >> 8)}
	}
	one := listOf(t, 1, issuedAt, nil, 1, rows...)
	if missing, err := k.Missing(one.Manifest, grantlist.Proof{}); err != nil || len(missing) != len(one.Buckets) || len(missing) < 4 {
		t.Fatalf("%d of %d: %v", len(missing), len(one.Buckets), err)
	}
	apply(t, k, one)
	rows[7].State = wire.GrantSuspended
	nine := listOf(t, 9, issuedAt, nil, 1, rows...) // made from another list: buckets prove themselves
	missing, err := k.Missing(nine.Manifest, grantlist.Proof{})
	if err != nil || len(missing) != 1 {
		t.Fatalf("%d: %v", len(missing), err)
	}
	nine.Buckets = nine.Buckets[rows[7].Credential.Bucket(k.Grants().Bits()):][:1]
	apply(t, k, nine)
	want(t, k, credential(7), wire.ReasonSuspended)
	if missing, err := k.Missing(nine.Manifest, grantlist.Proof{}); err != nil || len(missing) != 0 {
		t.Fatalf("of the active list: %d, %v", len(missing), err)
	}
	if _, err := k.Missing(one.Manifest, grantlist.Proof{}); !errors.Is(err, ErrConflict) || !errors.Is(err, ErrRolledBack) {
		t.Fatalf("older: %v", err)
	}
	if _, err := k.Missing([]byte("x"), grantlist.Proof{}); !errors.Is(err, ErrRefused) {
		t.Fatalf("garbage: %v", err)
	}
}

// tenants are n rows of as many tenancies, the first ones in another state.
func tenants(n, gone int, how func(*wire.Grant)) []wire.Grant {
	rows := make([]wire.Grant, n)
	for i := range rows {
		rows[i] = row(1, i)
		rows[i].ID, rows[i].Tenancy = wire.ID{1, byte(i), byte(i >> 8)}, wire.ID{2, byte(i), byte(i >> 8)}
		if i < gone {
			how(&rows[i])
		}
	}
	return rows
}

var revoke = inState(wire.GrantRevoked)

// TestLimit: from how many tenancies one issuer takes something in a day. The
// days are a witness's, who speaks before each list. Suspending and a term pulled
// to a day in the future count as ending does: the thief of an issuer's key would
// use what does not.
func TestLimit(t *testing.T) {
	soon := func(g *wire.Grant) { g.Until = uint32(issuedAt.Unix()) + 60 }
	later := func(g *wire.Grant) { g.Until = uint32(issuedAt.Unix()) + 3*signedtime.Day }
	type step struct {
		after  time.Duration
		rows   []wire.Grant
		second byte // issuer of the second signature; 0: none
		taken  bool
	}
	drop := func(n, gone int) []wire.Grant { return tenants(n, 0, nil)[gone:] }
	cases := map[string][]step{
		"three of four":             {{0, tenants(4, 3, revoke), 0, true}},
		"four of four":              {{0, tenants(4, 4, revoke), 0, false}},
		"ten of a hundred":          {{0, tenants(100, 10, revoke), 0, true}},
		"eleven of a hundred":       {{0, tenants(100, 11, revoke), 0, false}},
		"dropped counts":            {{0, drop(100, 11), 0, false}},
		"terms pulled near count":   {{0, tenants(100, 11, soon), 0, false}},
		"terms of days count":       {{0, tenants(100, 11, later), 0, false}},
		"suspended counts":          {{0, tenants(100, 11, inState(wire.GrantSuspended)), 0, false}},
		"second issuer":             {{0, tenants(100, 90, revoke), 2, true}},
		"the same issuer twice":     {{0, tenants(100, 90, revoke), 1, false}},
		"a witness":                 {{0, tenants(100, 90, revoke), 3, false}},
		"small lists of one day":    {{0, tenants(100, 6, revoke), 0, true}, {time.Hour, tenants(100, 10, revoke), 0, true}, {2 * time.Hour, tenants(100, 11, revoke), 0, false}},
		"small lists of days":       {{0, tenants(100, 10, revoke), 0, true}, {day, tenants(100, 18, revoke), 0, true}},
		"one list after days":       {{3*day + time.Hour, tenants(100, 40, revoke), 0, true}},
		"too many, also after days": {{3*day + time.Hour, tenants(100, 41, revoke), 0, false}},
		"revoked goes off the list": {{0, tenants(100, 10, revoke), 0, true}, {time.Hour, drop(100, 10), 0, true}},
		"two signed, then one":      {{0, tenants(100, 50, revoke), 2, true}, {time.Hour, tenants(100, 55, revoke), 0, true}, {2 * time.Hour, tenants(100, 61, revoke), 0, false}},
	}
	for name, steps := range cases {
		t.Run(name, func(t *testing.T) {
			k, _ := enrolled(t)
			n := 100
			if len(steps[0].rows) == 4 {
				n = 4
			}
			apply(t, k, listOf(t, 1, issuedAt, nil, 1, tenants(n, 0, nil)...))
			for i, s := range steps {
				k = restarted(t, k)
				k.Time.RaiseFloor(issuedAt.Add(s.after).Unix(), 0)
				u := listOf(t, uint64(i)+2, issuedAt.Add(s.after), nil, 1, s.rows...)
				if s.second != 0 {
					u.Second = secondFor(t, u, s.second)
				}
				before := k.Status().Version
				err := k.Apply(u)
				if (err == nil) != s.taken || err != nil && !errors.Is(err, ErrSecondNeeded) {
					t.Fatalf("step %d: %v", i, err)
				}
				if err != nil && k.Status().Version != before {
					t.Fatal("refused, and active")
				}
			}
		})
	}
}

// TestLimitForgivesTheBuilding: those who ended at the building, with their own
// cards, are not the registry's doing.
func TestLimitForgivesTheBuilding(t *testing.T) {
	k, _ := enrolled(t)
	rows := tenants(10, 0, nil)
	apply(t, k, listOf(t, 1, issuedAt, nil, 1, rows...))
	for i := range 6 {
		c := change(wire.OpEnd, 1, 20)
		c.Grant, c.Tenancy = rows[i].ID, rows[i].Tenancy
		must(t, k.Records.Add(local(t, k, "gate-a", 5, uint64(i)+1, byte(i)+1, c)))
	}
	if err := k.Apply(listOf(t, 2, issuedAt, seenBy("gate-a", 6), 1, tenants(10, 10, revoke)...)); !errors.Is(err, ErrSecondNeeded) {
		t.Fatalf("four more: %v", err)
	}
	apply(t, k, listOf(t, 2, issuedAt, seenBy("gate-a", 6), 1, tenants(10, 9, revoke)...))
	if n := len(k.Records.All()); n != 0 {
		t.Fatalf("%d records are left", n)
	}
}

// TestSecondOfAnotherList: a second signature counts for its list only.
func TestSecondOfAnotherList(t *testing.T) {
	k, _ := enrolled(t)
	apply(t, k, listOf(t, 1, issuedAt, nil, 1, tenants(10, 0, nil)...))
	u := listOf(t, 2, issuedAt, nil, 1, tenants(10, 9, revoke)...)
	u.Second = secondFor(t, listOf(t, 2, issuedAt, nil, 1, tenants(10, 8, revoke)...), 2)
	if err := k.Apply(u); !errors.Is(err, ErrSecondNeeded) {
		t.Fatal(err)
	}
	u.Second = secondFor(t, u, 2)
	apply(t, k, u)
}

// undoOf is what two issuers sign to take a time back.
func undoOf(t testing.TB, f wire.Floor, first, second byte) []byte {
	t.Helper()
	payload, err := wire.Encode(wire.Undo{Floor: f})
	must(t, err)
	inner := signed(t, wire.TypeUndo, wire.RoleIssuer, building+"/gate-a", payload, first)
	return signed(t, wire.TypeUndo, wire.RoleIssuer, building+"/gate-a", inner, second)
}

// TestUndo: two issuers take back the one time that they name, once; what other
// keys have signed stays, and a start later it is so still.
func TestUndo(t *testing.T) {
	k, _ := enrolled(t)
	wrong := issuedAt.Add(200 * day).Unix()
	apply(t, k, listOf(t, 1, issuedAt, nil, 1, tenants(3, 0, nil)...))
	k.Time.RaiseFloor(wrong, 1)
	f := k.Time.HighestSigned()
	if want := (wire.Floor{Role: wire.RoleWitness, Epoch: 1, Unix: uint32(wrong)}); f != want {
		t.Fatalf("highest signed: %+v, want %+v", f, want)
	}
	for name, envelope := range map[string][]byte{
		"one issuer twice": undoOf(t, f, 1, 1),
		"a witness":        undoOf(t, f, 1, 3),
		"another time":     undoOf(t, wire.Floor{Role: f.Role, Epoch: f.Epoch, Unix: f.Unix - 1}, 1, 2),
		"another epoch":    undoOf(t, wire.Floor{Role: f.Role, Epoch: 2, Unix: f.Unix}, 1, 2),
		"not the next":     undoOf(t, wire.Floor{Role: f.Role, Epoch: f.Epoch, Unix: f.Unix, Undos: 1}, 1, 2),
		"one alone":        signed(t, wire.TypeUndo, wire.RoleIssuer, building+"/gate-a", []byte{0xa0}, 1),
	} {
		if _, err := k.Authority.Undo(envelope); !errors.Is(err, ErrRefused) || k.Time.Floor() != wrong {
			t.Errorf("%s: %v, floor %d", name, err, k.Time.Floor())
		}
	}
	undo := undoOf(t, f, 1, 2)
	if _, err := k.Authority.Undo(undo); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if now := k.Time.HighestSigned(); now.Role != wire.RoleIssuer || k.Time.Floor() != issuedAt.Unix() || now.Undos != 1 {
			t.Errorf("after the undo: %+v, floor %d, want the list's time", now, k.Time.Floor())
		}
		k = restarted(t, k)
	}
	k.Time.RaiseFloor(wrong, 1) // the same wrong time again: the undo was good once
	if _, err := k.Authority.Undo(undo); !errors.Is(err, keys.ErrOtherFloor) || k.Time.Floor() != wrong {
		t.Errorf("the same undo again: %v, floor %d", err, k.Time.Floor())
	}
	if _, err := k.Authority.Undo(undoOf(t, k.Time.HighestSigned(), 2, 1)); err != nil || k.Time.Floor() != issuedAt.Unix() {
		t.Errorf("the next undo: %v, floor %d", err, k.Time.Floor())
	}
}
