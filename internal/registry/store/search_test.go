package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// stored is a batch of searchesFindAll, with what orders it.
type stored struct {
	b      Batch
	number int
}

// searchesFindAll: whatever is stored by whatever clocks, a search gives the batches that a look at
// each one gives, in the same order, from any place on.
func searchesFindAll(t *testing.T, open func(testing.TB) *Store) {
	s := open(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		var all []stored
		for b := range rapid.IntRange(1, 2).Draw(rt, "buildings") {
			for g := range rapid.IntRange(1, 3).Draw(rt, "gateways") {
				p := wire.Place{District: "d", Town: "t", Building: fmt.Sprintf("b%06d-%d", run, b), Gateway: fmt.Sprintf("g%d", g)}
				all = append(all, fill(rt, s, p)...)
			}
		}
		for range 5 {
			f := Filter{Building: all[rapid.IntRange(0, len(all)-1).Draw(rt, "of")].b.Place.Building, Newest: rapid.Bool().Draw(rt, "newest")}
			for _, bound := range []*time.Time{&f.From, &f.To} {
				if rapid.Bool().Draw(rt, "bound") {
					*bound = now.Add(drawTime(rt))
				}
			}
			if rapid.Bool().Draw(rt, "one gateway") {
				f.Gateway = "g0"
			}
			if at := rapid.IntRange(0, 2*len(all)).Draw(rt, "after"); at < len(all) {
				b := all[at].b
				f.After = &Cursor{b.Place.Building, b.Place.Gateway, b.Epoch, rapid.Uint64Range(b.First, b.Next-1).Draw(rt, "sequence"), b.Stored.UnixMilli()}
			}
			want := look(all, f)
			n := 0
			for got, err := range s.Batches(t.Context(), f) {
				if err != nil || n == len(want) || fmt.Sprint(got) != fmt.Sprint(want[n]) {
					rt.Fatalf("%+v\nfound %+v, %v\nas number %d of %d", f, got, err, n, len(want))
				}
				n++
			}
			if n != len(want) {
				rt.Fatalf("%+v\nfound %d batches of %d", f, n, len(want))
			}
		}
	})
}

func drawTime(rt *rapid.T) time.Duration {
	return time.Duration(rapid.IntRange(-40, 40).Draw(rt, "quarters of an hour"))*15*time.Minute + time.Duration(rapid.IntRange(-1, 1).Draw(rt, "ms"))*time.Millisecond
}

// fill stores two epochs of a gateway, with clocks that run ahead, behind and back.
func fill(rt *rapid.T, s *Store, p wire.Place) (all []stored) {
	err := s.Update(context.Background(), func(tx *Tx) error {
		id, _, err := tx.Gateway(p)
		for epoch := range 2 {
			number := uint64(9 - epoch)
			first := uint64(0)
			for range rapid.IntRange(1, 6).Draw(rt, "batches") {
				b := Batch{Place: p, Gateway: id, Epoch: number, First: first, Next: first + rapid.Uint64Range(1, 3).Draw(rt, "entries"), Body: []byte{1}, Sealed: []byte{2}}
				b.Stored = now.Add(drawTime(rt))
				b.WallFrom = now.Add(drawTime(rt)).UnixMilli()
				if rapid.Bool().Draw(rt, "prompt") {
					b.WallFrom = b.Stored.UnixMilli() - rapid.Int64Range(0, 3000).Draw(rt, "late")
				}
				b.WallTo = b.WallFrom + rapid.Int64Range(0, 1000).Draw(rt, "long")
				first = b.Next
				if err == nil {
					err = tx.AddBatch(b, b.Stored)
				}
				b.Sealed = nil // no search reads it
				all = append(all, stored{b, epoch})
			}
			if err == nil {
				err = tx.SetRange(id, number, tree.Range{}, now)
			}
		}
		return err
	})
	if err != nil {
		rt.Fatal(err)
	}
	return all
}

// look finds what a filter selects by a look at each batch.
func look(all []stored, f Filter) (out []Batch) {
	order := func(a, b stored) int {
		place := cmp.Or(cmp.Compare(a.b.Place.Building, b.b.Place.Building), cmp.Compare(a.b.Place.Gateway, b.b.Place.Gateway))
		if f.Newest {
			return cmp.Or(b.b.Stored.Compare(a.b.Stored), place, cmp.Compare(b.number, a.number), cmp.Compare(b.b.First, a.b.First))
		}
		return cmp.Or(place, cmp.Compare(a.number, b.number), cmp.Compare(a.b.First, b.b.First))
	}
	sorted := slices.SortedFunc(slices.Values(all), order)
	if c := f.After; c != nil {
		i := slices.IndexFunc(sorted, func(x stored) bool {
			return x.b.Place.Building == c.Building && x.b.Place.Gateway == c.Gateway && x.b.Epoch == c.Epoch && x.b.First <= c.Sequence && c.Sequence < x.b.Next
		})
		sorted = sorted[i:]
	}
	for _, x := range sorted {
		b := x.b
		from, to := f.From.UnixMilli(), f.To.UnixMilli()
		switch {
		case b.Place.Building != f.Building, f.Gateway != "" && b.Place.Gateway != f.Gateway:
		case !f.From.IsZero() && b.WallTo < from && b.Stored.UnixMilli() < from:
		case !f.To.IsZero() && b.WallFrom >= to && b.WallTo <= b.Stored.Add(Ahead).UnixMilli():
		default:
			out = append(out, b)
		}
	}
	return out
}

// TestSearchesByKey: no search of a building reads a table or an index from end to end, or sorts
// more than what is stored at the same moment.
func TestSearchesByKey(t *testing.T) {
	s := openSQLite(t)
	rapid.Check(t, func(rt *rapid.T) {
		if all, err := s.Gateways(t.Context(), "b", now); err == nil && len(all) == 0 {
			for _, g := range []string{"g", "h"} {
				fill(rt, s, wire.Place{District: "d", Town: "t", Building: "b", Gateway: g})
			}
		}
	})
	after := &Cursor{Building: "b", Gateway: "g", Epoch: 9, Sequence: 1, Stored: now.UnixMilli()}
	for name, f := range map[string]Filter{"all": {Building: "b"}, "a day": {Building: "b", From: now.Add(-time.Hour), To: now.Add(time.Hour)},
		"from": {Building: "b", From: now}, "to": {Building: "b", To: now}, "after": {Building: "b", After: after}} {
		for _, f.Newest = range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, newest %v", name, f.Newest), func(t *testing.T) { mustUseKeys(t, s, f) })
		}
	}
}

// scanned is a step that reads a whole table or index, or sorts all that was found.
var scanned = regexp.MustCompile(`SCAN (b|batches|e|epochs|g|gateways)\b|TEMP B-TREE FOR ORDER BY`)

// mustUseKeys checks how each query of a search is executed. The bounds in time are found in
// indexes, without a look at the batches.
func mustUseKeys(t *testing.T, s *Store, f Filter) {
	heard := &listener{DB: s.read.DB}
	c := search{conn{t.Context(), heard}, f}
	found := c.oldest()
	if f.Newest {
		found = c.newest()
	}
	for _, err := range found {
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(heard.all) < 2 {
		t.Fatalf("%d queries", len(heard.all))
	}
	for _, q := range heard.all {
		steps, err := list(s.reading(t.Context()), "explain", func(step *plan) []any { return []any{&step.id, &step.parent, &step.unused, &step.text} },
			`EXPLAIN QUERY PLAN `+q.text, q.args...)
		if err != nil || len(steps) == 0 {
			t.Fatal(err)
		}
		for _, step := range steps {
			covered := !strings.Contains(q.text, "MIN(v)") || !strings.Contains(step.text, "SEARCH") || strings.Contains(step.text, "COVERING")
			if scanned.MatchString(step.text) || !covered {
				t.Errorf("%s\n%s", step.text, q.text)
			}
		}
	}
}

// plan is a step of SQLite's plan for a query.
type plan struct {
	id, parent, unused int
	text               string
}

// listener keeps the queries to a database.
type listener struct {
	*sql.DB
	all []heard
}

type heard struct {
	text string
	args []any
}

func (l *listener) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	l.all = append(l.all, heard{text, args})
	return l.DB.QueryContext(ctx, text, args...)
}
