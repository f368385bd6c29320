package issuer

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/briefs"
	"gatehouse/sync/wire/periods"
)

// TestBriefs: of which tenancies logs name somebody for a shorter time goes to the front with each house document and list,
// signed for all gateways; after a restart too, until no entry of the tenancy can be anywhere any more. A database of before
// has everything handed over once more.
func TestBriefs(t *testing.T) {
	w := newWorld(t)
	b := w.enrolled("g1")
	says := func(when string, want ...wire.ID) {
		t.Helper()
		l, err := briefs.Open(w.front.briefs[building1], building1, w.i.ledger.Keys.Issuers)
		if err != nil || !slices.Equal(l.Tenancies, want) {
			t.Errorf("%s: %x, %v; want %x", when, l.Tenancies, err, want)
		}
	}
	says("nobody lives here")
	child, end := checkIn(2, 1), other(wire.OpEnd, 2, 5)
	child.Brief = true
	w.front.deliver(b.record(id('r', 1), checkIn(1, 0)))
	w.turn()
	says("a check-in")
	w.front.deliver(b.record(id('r', 2), child))
	w.turn()
	says("that of a child", child.Tenancy)
	w.reopen()
	w.front.deliver(b.record(id('r', 3), end))
	w.turn()
	says("it has moved out", child.Tenancy)
	w.now = w.now.Add((periods.Most + 1) * 24 * time.Hour)
	w.front.deliver(b.record(id('r', 4), checkIn(4, 9)))
	w.turn()
	says("no entry of it is anywhere")
	delete(w.front.briefs, building1)
	if err := w.i.Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, filepath.Join(w.directory(authority.DirIssuer), FileDatabase), `DELETE FROM migrations WHERE version > 3`)
	w.open()
	w.turn()
	says("after the database was brought up to date")
}
