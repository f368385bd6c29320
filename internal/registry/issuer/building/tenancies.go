package building

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/periods"
)

// Tenancies are the events of a building's grants, and their result.
type Tenancies struct {
	Events  map[wire.ID][]fold.Event // by grant
	Grants  map[wire.ID]*fold.Grant
	records map[recordKey]wire.ID // grants of the records that were taken in
}

type recordKey struct {
	gateway string
	id      wire.ID
}

// Add adds an event; its grant must be folded afterwards.
func (t *Tenancies) Add(e fold.Event) {
	e.Arrival = len(t.records)
	t.Events[e.Change.Grant] = append(t.Events[e.Change.Grant], e)
	t.records[recordKey{e.Source, e.Record}] = e.Change.Grant
}

// Fold computes a grant from its events.
func (t *Tenancies) Fold(grant wire.ID) { t.Grants[grant] = fold.Of(grant, t.Events[grant]) }

// FoldAll works out all grants.
func (t *Tenancies) FoldAll() {
	for id := range t.Events {
		t.Fold(id)
	}
}

// Record returns the grant of a gateway's record that was taken in.
func (t *Tenancies) Record(gateway string, id wire.ID) (grant wire.ID, known bool) {
	grant, known = t.records[recordKey{gateway, id}]
	return grant, known
}

// Count returns how many events were taken in.
func (t *Tenancies) Count() int { return len(t.records) }

// Ended returns how many grants were ended.
func (t *Tenancies) Ended() (n uint64) {
	for _, g := range t.Grants {
		if g.Ended {
			n++
		}
	}
	return n
}

// Of returns a tenancy's grants, ordered by id.
func (t *Tenancies) Of(tenancy wire.ID) (ids []wire.ID) {
	for id, g := range t.Grants {
		if g.Tenancy == tenancy {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, compareIDs)
	return ids
}

func compareIDs(a, b wire.ID) int { return bytes.Compare(a[:], b[:]) }

// OpenAt returns the tenancies with something that opens at a time, unix s.
func (t *Tenancies) OpenAt(now uint32) map[wire.ID]bool {
	open := make(map[wire.ID]bool)
	for _, g := range t.Grants {
		if g.Known && !g.Ended && (g.Until() == 0 || g.Until() > now) {
			open[g.Tenancy] = true
		}
	}
	return open
}

// Brief returns the tenancies whom logs name for a shorter time, and of which an entry may still name somebody at a time,
// unix s: those that are not over for longer than all who parts are kept.
func (t *Tenancies) Brief(now uint32) (ids []wire.ID) {
	for _, g := range t.Grants {
		over := uint64(g.Over())
		if g.Known && g.CheckIn.Change.Brief && (over == 0 || over+periods.Most*24*3600 > uint64(now)) {
			ids = append(ids, g.Tenancy)
		}
	}
	return ids
}

// FlatsOf returns the flats of tenancies, each once, for people who are to sign that they lose
// something.
func (t *Tenancies) FlatsOf(tenancies []wire.ID) []string {
	of := make(map[wire.ID]string)
	for _, g := range t.Grants {
		if flat := g.CheckIn.Change.Flat; g.Known && (of[g.Tenancy] == "" || flat != fold.UnknownFlat) {
			of[g.Tenancy] = flat
		}
	}
	flats := make(map[string]bool)
	for _, id := range tenancies {
		if flat := of[id]; flat != "" {
			flats[flat] = true
		}
	}
	return slices.Sorted(maps.Keys(flats))
}

// FlatsText names the flats of tenancies for people, the first ones.
func (t *Tenancies) FlatsText(tenancies []wire.ID) string {
	flats := t.FlatsOf(tenancies)
	switch n := len(flats); {
	case n == 0:
		return "flats unknown"
	case n > 8:
		return fmt.Sprintf("flats %s and %d more", strings.Join(flats[:8], ", "), n-8)
	}
	return "flats " + strings.Join(flats, ", ")
}

// CameWith returns the ids that came to a grant in the same records as one of it. Ids read from a
// list came together by chance: they count where no record says more.
func (t *Tenancies) CameWith(grant wire.ID, credential string) map[wire.CredentialID]bool {
	same, read := make(map[wire.CredentialID]bool), make(map[wire.CredentialID]bool)
	for _, e := range t.Events[grant] {
		if e.Change.Op != wire.OpCheckIn && e.Change.Op != wire.OpBind {
			continue
		}
		if !slices.ContainsFunc(e.Change.Credentials, func(c wire.CredentialID) bool { return c.String() == credential }) {
			continue
		}
		into := same
		if e.Source == "" && e.Unproven() {
			into = read
		}
		for _, c := range e.Change.Credentials {
			into[c] = true
		}
	}
	if len(same) == 0 {
		return read
	}
	return same
}
