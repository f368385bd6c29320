package inquiry

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"gatehouse/internal/evidence"
	"gatehouse/internal/inquiry/when"
	"gatehouse/internal/journal"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// drawLog fills a log with entries of several runs and epochs, some by a clock that is not sure, some erased,
// some gone.
func drawLog(t *rapid.T, m *memory) {
	boot, wall := uint64(1), int64(noon-7200)*1000
	m.gone = map[journaled.Position]bool{}
	for i := range rapid.IntRange(1, 60).Draw(t, "entries") {
		wall += int64(rapid.IntRange(0, 300_000).Draw(t, "ms"))
		if rapid.IntRange(0, 9).Draw(t, "boots") == 0 {
			boot++
		}
		h := access(rapid.SampledFrom([]string{"front", "back"}).Draw(t, "door"))
		h.Boot, h.BootTime, h.Wall, h.Clock = boot, uint64(wall)*1e6, wall, rapid.SampledFrom([]wire.ClockQuality{wire.ClockFloor, wire.ClockNTP, wire.ClockNTP}).Draw(t, "clock")
		m.add(h, tenant(byte(rapid.IntRange(1, 3).Draw(t, "who"))))
		last := &m.all[len(m.all)-1]
		if i > 0 && rapid.IntRange(0, 19).Draw(t, "epochs") == 0 {
			last.Position = journaled.Position{Epoch: last.Epoch + 1}
		}
		if rapid.IntRange(0, 5).Draw(t, "erased") == 0 {
			last.Stored = last.Erase()
		}
	}
	for _, e := range m.all[:len(m.all)-1] {
		if rapid.IntRange(0, 19).Draw(t, "gone") == 0 {
			m.gone[e.Position] = true
		}
	}
}

// slowly is the survey of a log by whole entries, decoded each.
func slowly(t *rapid.T, m *memory, s scope) *surveyed {
	v := newSurvey(s.span, journaled.Head{})
	v.scope = s
	for _, e := range m.all {
		if m.gone[e.Position] {
			continue
		}
		if e.Epoch == s.fixed.Epoch && e.Sequence >= s.fixed.Size {
			break
		}
		h, err := wire.DecodeHeader(e.Header)
		if err != nil {
			t.Fatal(err)
		}
		r := v.take(&journaled.Headed{Position: e.Position})
		if len(r.boots) == 0 || r.boots[len(r.boots)-1] != h.Boot {
			r.boots = append(r.boots, h.Boot)
		}
		v.Next(when.Moment{Number: uint64(len(v.runs)-1)<<runShift | e.Sequence, Boot: h.Boot, BootTime: h.BootTime, Wall: h.Wall, Clock: h.Clock})
	}
	v.settleAt(s.fixed)
	return v
}

// TestSameAsSlowly: what the walk for the uses has seen, with what came behind it, is what a look at each whole
// entry finds, for a new use and for one of before; and the proofs have the hashes that those of all leaves are.
func TestSameAsSlowly(outer *testing.T) {
	rapid.Check(outer, func(t *rapid.T) {
		s := newScene(outer)
		drawLog(t, s.log)
		q := query{Sources: s.desk.o, house: s.house, envelope: s.signed()}
		if refusal := q.read(); refusal != nil {
			t.Fatal(refusal)
		}
		must(outer, 0, q.findUses(outer.Context()))
		for range rapid.IntRange(0, 5).Draw(t, "meanwhile") {
			s.log.add(at(100, access("front")), tenant(1))
		}
		use, refusal := q.judge(0)
		if refusal != nil {
			t.Fatal(refusal)
		}
		fixed, err := q.count(outer.Context(), use)
		must(outer, fixed, err)
		s.log.add(at(50, access("front")), tenant(2))
		want := slowly(t, s.log, newScope(use, s.house.Place.Gateway, fixed))
		for _, afresh := range []bool{false, true} {
			got, err := q.survey(outer.Context(), want.scope, afresh)
			must(outer, got, err)
			if !reflect.DeepEqual(got.runs, want.runs) || !maps.Equal(got.unsure, want.unsure) || !maps.Equal(got.Pins, want.Pins) {
				t.Fatalf("afresh %v: %+v, %v, %v; want %+v, %v, %v", afresh, got.runs, got.unsure, got.Pins, want.runs, want.unsure, want.Pins)
			}
		}
		for _, r := range want.parts() {
			checkSpan(outer, t, s.log, &q, r)
		}
	})
}

func checkSpan(outer *testing.T, t *rapid.T, m *memory, q *query, r run) {
	var leaves []tlog.Hash
	for _, e := range m.all {
		if e.Epoch == r.epoch {
			leaves = append(leaves, tree.LeafHash(e.Header, e.WhoHash[:]))
		}
	}
	size := rapid.IntRange(int(r.end), len(leaves)).Draw(t, "size")
	left := tree.Range{}.AddAll(leaves[:r.first])
	want, err := tree.NewSpan(left, r.end, uint64(size), func(first uint64, level int) (tlog.Hash, error) {
		return tree.Range{}.AddAll(leaves[first : first+1<<level]).Root(), nil
	})
	must(outer, want, err)
	for _, m.gone = range []map[journaled.Position]bool{nil, everySecond(m, r)} {
		m.trees = 0
		got, err := q.span(outer.Context(), r, left, r.end, uint64(size))
		must(outer, got, err)
		if !slices.Equal(got.Right, want.Right) {
			t.Fatalf("entries %d to %d of %d, %d gone: other hashes behind them", r.first, r.end, size, len(m.gone))
		}
		if m.gone == nil && m.trees != 1 {
			t.Fatalf("the log made %d trees, each from the start of a file, where all entries are here", m.trees)
		}
	}
}

// everySecond are entries behind a run, but not the last leaf of any tree that stands there: those have to be here.
func everySecond(m *memory, r run) map[journaled.Position]bool {
	gone := map[journaled.Position]bool{}
	for _, e := range m.all {
		if e.Epoch == r.epoch && e.Sequence >= r.end && e.Sequence%2 == 0 {
			gone[e.Position] = true
		}
	}
	return gone
}

// TestMeanwhile: what becomes of the log after its uses were looked for is in the answer.
func TestMeanwhile(t *testing.T) {
	for what, c := range map[string]struct {
		happens func(*scene)
		want    []evidence.Counts
	}{
		"an entry is erased while a card is waited for": {func(s *scene) {
			s.mandate.Request.InHand = true
			s.desk.o.Card = func(context.Context) ([]wire.CredentialID, error) {
				s.log.all[2].Stored = s.log.all[2].Erase()
				return []wire.CredentialID{{1, 1}}, nil
			}
		}, []evidence.Counts{{Entries: 6, Named: 1, Withheld: 5}}},
		"the oldest file is deleted while the use is written": {func(s *scene) {
			s.log.during = func() { s.log.gone = map[journaled.Position]bool{{Epoch: 7}: true, {Epoch: 7, Sequence: 1}: true} }
		}, []evidence.Counts{{Entries: 4, Named: 4}}},
		"an epoch is begun, with the last two entries appended again": {func(s *scene) {
			s.mandate.Request.Flats = []string{"3B"}
			s.desk.o.Tenancies = func([]string) []wire.ID {
				for i := range s.log.all[4:] {
					s.log.all[4+i].Position = journaled.Position{Epoch: 8, Sequence: uint64(i)}
				}
				return []wire.ID{{3, 4}}
			}
		}, []evidence.Counts{{Entries: 4, Withheld: 4}, {Entries: 2, Named: 1, Withheld: 1}}},
	} {
		t.Run(what, func(t *testing.T) {
			s := newScene(t)
			for n := range 6 {
				s.log.add(at(int64(900-n), access("front")), tenant(byte(n)))
			}
			c.happens(s)
			all, _ := s.files(s.ask(0))
			var got []evidence.Counts
			for _, r := range all {
				got = append(got, r.Manifest.Counts)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("the files have %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestOnAJournal: an answer from a real journal of several files, and of leaf tiles, is proved to the entry.
func TestOnAJournal(t *testing.T) {
	s := newScene(t)
	j := longLog(t, s, 3000, journal.Options{MaxEntries: 700})
	s.desk.o.Log = j
	r := &s.mandate.Request
	r.From, r.Until = noon-2*86400, noon-86400
	all, raw := s.files(s.ask(0))
	// The journal's own goroutines ask the stepping clock too, so that a day has some entries more or less.
	count := all[0].Manifest.Counts
	if len(all) != 1 || all[0].Size < 3000 || count.Named < passagesADay/2-3 || count.Named > passagesADay/2+3 || count.Entries > entriesADay+20 {
		t.Fatalf("%d files: %d entries of %d", len(all), count, all[0].Size)
	}
	for _, e := range all[0].Entries {
		if e.State == evidence.Named && e.Header.Door != "front" {
			t.Errorf("entry %d tells who was at door %s", e.Sequence, e.Header.Door)
		}
	}
	if _, err := j.Append(t.Context(), access("front"), tenant(1)); err != nil {
		t.Fatal(err)
	}
	if _, again := s.files(s.ask(1)); string(again[0]) != string(raw[0]) {
		t.Error("asked for again it is another file")
	}
}
