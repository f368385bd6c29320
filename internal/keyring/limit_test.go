package keyring

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/access"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring/signedtime"
	"gatehouse/sync/wire"
)

const day = 24 * time.Hour

// opening counts the tenants (of the rows of tenants) whom a trusted clock lets in.
func opening(k *Keyring, n int, at time.Time) (open int) {
	for i := range n {
		if decide(k, i, at).Reason == wire.ReasonGranted {
			open++
		}
	}
	return open
}

func decide(k *Keyring, card int, at time.Time) access.Decision {
	return access.Decide(k.Grants(), &access.Query{Credential: credential(card), Door: "front",
		Time: access.At(max(at.Unix(), k.Time.Floor()))})
}

// atDoor signs a list whose rows are for one other door.
func atDoor(t *testing.T, version uint64, door string, rows ...wire.Grant) grantlist.Update {
	t.Helper()
	d := grantlist.NewDraft(building, wire.Manifest{Version: version - 1}, wire.Hash{})
	_, err := d.DoorSet([]string{door})
	must(t, err)
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b wire.Grant) int { return a.Compare(&b) })
	l, _, err := d.Sign(rows, issuedAt, issuerKey(1), 1)
	must(t, err)
	return grantlist.Update{Manifest: l.Manifest, Buckets: l.Buckets}
}

// TestOneIssuerLocksNobodyOut: whatever the thief of one issuer's key says by his
// lists, at most three tenants of a small house stand outside within a day.
func TestOneIssuerLocksNobodyOut(t *testing.T) {
	const n = 20
	year := func(g *wire.Grant) { g.Until = uint32(issuedAt.Add(365 * day).Unix()) }
	list := func(version uint64, after time.Duration, rows ...wire.Grant) grantlist.Update {
		return listOf(t, version, issuedAt.Add(after), nil, 1, rows...)
	}
	all := func(how ...func(*wire.Grant)) []wire.Grant {
		rows := tenants(n, n, year)
		for i := range rows {
			for _, f := range how {
				f(&rows[i])
			}
		}
		return rows
	}
	daily := func() (us []grantlist.Update) { // each list a day after the other, by its own word
		for i := range 8 {
			rows := tenants(n, n, year)
			for j := range rows[:min(n, 3*(i+1))] {
				revoke(&rows[j])
			}
			us = append(us, list(uint64(i)+2, time.Duration(i)*day, rows...))
		}
		return us
	}
	moved := all()
	for i := range moved {
		moved[i].Tenancy = moved[0].Tenancy
	}
	past := listOf(t, 2, time.Unix(1, 0), nil, 1, all()...)
	for name, c := range map[string]struct {
		lists []grantlist.Update
		after time.Duration
	}{
		"revoked":                  {[]grantlist.Update{list(2, 0, all(revoke)...)}, 0},
		"suspended":                {[]grantlist.Update{list(2, 0, all(inState(wire.GrantSuspended))...)}, 0},
		"not named":                {[]grantlist.Update{list(2, 0)}, 0},
		"begun in a hundred years": {[]grantlist.Update{list(2, 0, all(func(g *wire.Grant) { g.From, g.Until = 1<<32-2, 0 })...)}, 0},
		"ended in a week":          {[]grantlist.Update{list(2, 0, all(func(g *wire.Grant) { g.Until = uint32(issuedAt.Add(7 * day).Unix()) })...)}, 7 * day},
		"other cards":              {[]grantlist.Update{list(2, 0, all(func(g *wire.Grant) { g.Credential[9] ^= 1 })...)}, 0},
		"another door":             {[]grantlist.Update{atDoor(t, 2, "cellar", all()...)}, 0},
		"issued in ten years":      {[]grantlist.Update{list(2, 3650*day, all(revoke)...)}, 0},
		"issued in 1970 first":     {[]grantlist.Update{past, list(3, 0, all(revoke)...)}, 0},
		"a day by each list":       {daily(), 0},
		"one tenancy, then ended":  {[]grantlist.Update{list(2, 0, moved...), list(3, 0, all(revoke)...)}, 0},
		"time itself":              {[]grantlist.Update{list(2, 365*day, all()...), list(3, 366*day, all()...)}, 0},
		"time, and then over":      {[]grantlist.Update{list(2, 366*day, all()...), list(3, 366*day)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			k, _ := enrolled(t)
			apply(t, k, list(1, 0, all()...))
			for _, u := range c.lists {
				if err := k.Apply(u); err != nil && !errors.Is(err, ErrSecondNeeded) {
					t.Fatal(err)
				}
				k = restarted(t, k)
			}
			if open := opening(k, n, issuedAt.Add(c.after+time.Minute)); open < n-3 {
				t.Errorf("%d of %d stand outside", n-open, n)
			}
		})
	}
}

// TestVisitorOfAResident: without a clock a visitor's term opens nothing, so a
// resident who is made a visitor has lost something.
func TestVisitorOfAResident(t *testing.T) {
	k, _ := enrolled(t)
	apply(t, k, listOf(t, 1, issuedAt, nil, 1, tenants(20, 0, nil)...))
	visitor := func(g *wire.Grant) { g.Kind = wire.GrantVisitor }
	if err := k.Apply(listOf(t, 2, issuedAt, nil, 1, tenants(20, 4, visitor)...)); !errors.Is(err, ErrSecondNeeded) {
		t.Fatal(err)
	}
	apply(t, k, listOf(t, 2, issuedAt, nil, 1, tenants(20, 3, visitor)...))
}

// TestLimitCountsNewTenants: a list may not refuse those who were checked in here
// and whom no list has named before.
func TestLimitCountsNewTenants(t *testing.T) {
	k, _ := enrolled(t)
	apply(t, k, listOf(t, 1, issuedAt, nil, 1, tenants(4, 0, nil)...))
	var rows []wire.Grant
	for i := range byte(5) {
		must(t, k.Records.Add(local(t, k, "gate-a", 5, uint64(i)+1, i+1, change(wire.OpCheckIn, 50+i, 20, 50+int(i)))))
		rows = append(rows, row(50+i, 50+int(i), revoke))
	}
	with := func(n int) grantlist.Update {
		return listOf(t, 2, issuedAt, seenBy("gate-a", uint64(n)), 1, append(tenants(4, 0, nil), rows[:n]...)...)
	}
	if err := k.Apply(with(4)); !errors.Is(err, ErrSecondNeeded) {
		t.Fatal(err)
	}
	apply(t, k, with(3))
}

// TestLimitForgivesCardsAndNotices: a card that was lost and a notice that was
// given at the building are not the registry's doing either.
func TestLimitForgivesCardsAndNotices(t *testing.T) {
	k, _ := enrolled(t)
	rows := tenants(20, 0, nil)
	apply(t, k, listOf(t, 1, issuedAt, nil, 1, rows...))
	for i := range 10 {
		c := change(wire.OpSuspend, 1, 20, i)
		if i >= 5 {
			c = change(wire.OpNotice, 1, 20)
			rows[i].Until = c.Until
		} else {
			rows[i].State = wire.GrantSuspended
		}
		c.Grant, c.Tenancy = rows[i].ID, rows[i].Tenancy
		must(t, k.Records.Add(local(t, k, "gate-b", 5, uint64(i)+1, byte(i)+1, c)))
	}
	more := slices.Clone(rows)
	for i := 10; i < 14; i++ {
		more[i].State = wire.GrantSuspended
	}
	seen := seenBy("gate-b", 10)
	if err := k.Apply(listOf(t, 2, issuedAt, seen, 1, more...)); !errors.Is(err, ErrSecondNeeded) {
		t.Fatalf("four more: %v", err)
	}
	apply(t, k, listOf(t, 2, issuedAt, seen, 1, rows...))
}

// TestDaysOfTheLimit: a gateway that was away, or has refused a list, takes a
// share for each day since; one that was there all the time takes no more after a
// quiet month.
func TestDaysOfTheLimit(t *testing.T) {
	hear := func(k *Keyring, from, to, step time.Duration) {
		for at := from; at <= to; at += step {
			k.Time.RaiseFloor(issuedAt.Add(at).Unix(), 0)
		}
	}
	for name, c := range map[string]struct {
		before func(t *testing.T, k *Keyring)
		at     time.Duration
		most   int
	}{
		"quiet":               {func(t *testing.T, k *Keyring) { hear(k, 0, 30*day, 12*time.Hour) }, 30 * day, 10},
		"away":                {func(t *testing.T, k *Keyring) { hear(k, 3*day, 3*day, day) }, 3 * day, 40},
		"back for half a day": {func(t *testing.T, k *Keyring) { hear(k, 3*day, 3*day+day/2, time.Hour) }, 3*day + day/2, 40},
		"away twice":          {func(t *testing.T, k *Keyring) { hear(k, 3*day, 6*day, 3*day) }, 6 * day, 70},
		"back for a day":      {func(t *testing.T, k *Keyring) { hear(k, 3*day, 4*day, time.Hour) }, 4 * day, 10},
		"away, and a new list": {func(t *testing.T, k *Keyring) {
			hear(k, 3*day, 3*day, day)
			apply(t, k, listOf(t, 2, issuedAt, nil, 1, tenants(100, 0, nil)...))
		}, 3 * day, 10},
		"refused two days ago": {func(t *testing.T, k *Keyring) { refuseMany(t, k); hear(k, 0, 2*day, time.Hour) }, 2 * day, 30},
		"away, refused, waited": {func(t *testing.T, k *Keyring) {
			hear(k, 3*day, 3*day, day)
			refuseMany(t, k)
			hear(k, 3*day, 5*day, time.Hour)
		}, 5 * day, 60},
	} {
		t.Run(name, func(t *testing.T) {
			k, _ := enrolled(t)
			apply(t, k, listOf(t, 1, issuedAt, nil, 1, tenants(100, 0, nil)...))
			c.before(t, k)
			k = restarted(t, k)
			version := k.Status().Version + 1
			if err := k.Apply(listOf(t, version, issuedAt.Add(c.at), nil, 1, tenants(100, c.most+1, revoke)...)); !errors.Is(err, ErrSecondNeeded) {
				t.Fatalf("one too many: %v", err)
			}
			apply(t, k, listOf(t, version, issuedAt.Add(c.at), nil, 1, tenants(100, c.most, revoke)...))
		})
	}
}

// TestOverIsNoLoss: by witnessed time, and not a second before.
func TestOverIsNoLoss(t *testing.T) {
	k, _ := enrolled(t)
	soon := func(g *wire.Grant) { g.Until = uint32(issuedAt.Unix()) + 60 }
	apply(t, k, listOf(t, 1, issuedAt, nil, 1, tenants(20, 9, soon)...))
	next := listOf(t, 2, issuedAt.Add(time.Hour), nil, 1, tenants(20, 9, revoke)...)
	k.Time.RaiseFloor(issuedAt.Unix()+59, 0)
	if err := k.Apply(next); !errors.Is(err, ErrSecondNeeded) {
		t.Fatal(err)
	}
	k.Time.RaiseFloor(issuedAt.Unix()+60, 0)
	apply(t, k, next)
}

// TestTenancyCountsOnceADay: suspended first and revoked then is one loss; and
// what is a day old is forgotten.
func TestTenancyCountsOnceADay(t *testing.T) {
	k, _ := enrolled(t)
	apply(t, k, listOf(t, 1, issuedAt, nil, 1, tenants(20, 0, nil)...))
	week := func(g *wire.Grant) { g.Until = uint32(issuedAt.Add(7 * day).Unix()) }
	apply(t, k, listOf(t, 2, issuedAt, nil, 1, tenants(20, 3, week)...))
	apply(t, k, listOf(t, 3, issuedAt, nil, 1, tenants(20, 3, revoke)...))
	for version := uint64(4); version < 8; version++ {
		k.Time.RaiseFloor(k.Time.Floor()+signedtime.Day, 0)
		apply(t, k, listOf(t, version, issuedAt, nil, 1, tenants(20, int(version), revoke)...))
	}
	if n := len(k.active.marks.Removed); n != 1 {
		t.Fatalf("%d days are kept", n)
	}
}

// TestLimitCountsDroppedCheckIns: a grant that was named and is no more is over,
// whatever check-in of it is still held.
func TestLimitCountsDroppedCheckIns(t *testing.T) {
	k, _ := enrolled(t)
	var rows []wire.Grant
	for i := range byte(4) {
		must(t, k.Records.Add(local(t, k, "gate-a", 5, uint64(i)+1, i+1, change(wire.OpCheckIn, 50+i, 20, 50+int(i)))))
		rows = append(rows, row(50+i, 50+int(i)))
	}
	apply(t, k, listOf(t, 1, issuedAt, nil, 1, rows...)) // named, and not as seen
	if err := k.Apply(listOf(t, 2, issuedAt, nil, 1)); !errors.Is(err, ErrSecondNeeded) {
		t.Fatal(err)
	}
	apply(t, k, listOf(t, 2, issuedAt, nil, 1, rows[0]))
	want(t, k, credential(51), wire.ReasonRevoked)
}

func refuseMany(t *testing.T, k *Keyring) {
	t.Helper()
	if err := k.Apply(listOf(t, 2, issuedAt, nil, 1, tenants(100, 100, revoke)...)); !errors.Is(err, ErrSecondNeeded) {
		t.Fatal(err)
	}
}

// TestFloorOfAList: a list raises the floor by a day beyond a witness's word
// at most; the first of all sets it.
func TestFloorOfAList(t *testing.T) {
	k, _ := enrolled(t)
	floor := func(want time.Duration) {
		t.Helper()
		if got := time.Unix(k.Time.Floor(), 0).Sub(issuedAt); got != want {
			t.Fatalf("floor %v, want %v", got, want)
		}
	}
	apply(t, k, listOf(t, 1, issuedAt, nil, 1, row(1, 1)))
	floor(0)
	if data, err := os.ReadFile(filepath.Join(k.opts.Dir, marksFile)); err != nil || !strings.Contains(string(data), fmt.Sprintf(`"floor":%d,`, issuedAt.Unix())) {
		t.Fatalf("not on disk with the list: %s, %v", data, err)
	}
	for version := range uint64(4) {
		apply(t, k, listOf(t, version+2, issuedAt.Add(time.Duration(version+1)*9*time.Hour), nil, 1, row(1, 1)))
		k = restarted(t, k)
		floor(min(time.Duration(version+1)*9*time.Hour, day))
	}
	k.Time.RaiseFloor(issuedAt.Add(time.Hour).Unix(), 0) // the witness is behind, and its word goes on
	floor(day)
	apply(t, k, listOf(t, 6, issuedAt.Add(99*day), nil, 1, row(1, 1)))
	floor(day + time.Hour)
}

// TestFloorOfAHouseThatEnrols: what it knew of time bounds the first list too.
func TestFloorOfAHouseThatEnrols(t *testing.T) {
	dir := t.TempDir()
	alone := open(t, filepath.Join(dir, "grants"))
	e := edit(t, alone)
	add(t, e, credential(1))
	apply(t, alone, sign(t, e))
	floor := alone.Time.Floor()
	must(t, alone.Close())
	enrol(t, dir, "gate-a", true)
	k := openEnrolled(t, dir)
	apply(t, k, listOf(t, 1, time.Unix(floor, 0).Add(99*day), nil, 1, row(1, 1)))
	if k.Time.Floor() != floor+signedtime.Day {
		t.Fatalf("floor %d, was %d", k.Time.Floor(), floor)
	}
}
