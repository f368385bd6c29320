package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

func openSQLite(t testing.TB) *Store {
	s, err := Open(context.Background(), filepath.Join(t.TempDir(), "front.db"), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestSQLite(t *testing.T) { conform(t, openSQLite) }

// conform is what every engine must do.
func conform(t *testing.T, open func(testing.TB) *Store) {
	for name, law := range map[string]func(*testing.T, *Store){
		"gateways": gatewaysHaveOneNumber, "numbering": numberingIsTheNewest, "batches": batchesComeBack, "transactions": failedUpdateLeavesNothing, "records": recordsAreNumbered,
		"lists": listsKeepTheirBuckets, "alarms": alarmsAreBounded, "documents": documentsAreReplaced, "forks": forksAreBounded, "applied": appliedNeedsItsList,
		"cosigned": cosignedOnlyGrows, "witnessed": witnessedGoesOnFromTheLast, "snapshots": snapshotsAreTwo, "broken off": brokenOffUpdateHarmsNone, "contexts": contextsStayWhileNeeded,
	} {
		t.Run(name, func(t *testing.T) { law(t, open(t)) })
	}
	t.Run("search", func(t *testing.T) { searchesFindAll(t, open) })
	t.Run("model", func(t *testing.T) { modelOfBatches(t, open) })
}

var (
	place = wire.Place{District: "d", Town: "t", Building: "b", Gateway: "g"}
	now   = time.UnixMilli(1_700_000_000_000)
)

// brokenOffUpdateHarmsNone: an Update whose context ends leaves nothing, and the next ones store with
// the same statements, which are compiled once.
func brokenOffUpdateHarmsNone(t *testing.T, s *Store) {
	want := func(n, from uint64) uint64 { // of those before n, 1 was broken off
		if from == 1 {
			from = 2
		}
		if from >= n {
			return 0
		}
		return from
	}
	for n := range uint64(4) {
		ctx, cancel := context.WithCancel(context.Background())
		err := s.Update(ctx, func(tx *Tx) error {
			for i := range uint64(3) { // of which the first row alone is read
				if first, err := tx.number("look", `SELECT first FROM batches WHERE first >= $1 ORDER BY first`, i); err != nil || first != want(n, i) {
					t.Errorf("before update %d the first from %d on is %d, %v", n, i, first, err)
				}
			}
			if err := tx.AddBatch(Batch{Gateway: 1, Epoch: 1, First: n, Next: n + 1, Body: []byte{1}}, now); n != 1 {
				return err
			}
			cancel()
			return tx.AddBatch(Batch{Gateway: 1, Epoch: 1, First: n + 1, Next: n + 2, Body: []byte{1}}, now)
		})
		cancel()
		if (err != nil) != (n == 1) {
			t.Errorf("update %d: %v", n, err)
		}
		if len(s.compiled.known) != 2 || len(s.compiled.missed) > 0 {
			t.Errorf("after update %d %d statements are compiled, %d are to be", n, len(s.compiled.known), len(s.compiled.missed))
		}
	}
	if _, batches, err := s.Count(context.Background()); err != nil || batches != 3 {
		t.Errorf("%d batches are stored: %v", batches, err)
	}
}

func update(t testing.TB, s *Store, f func(*Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), f); err != nil {
		t.Fatal(err)
	}
}

func gateway(t testing.TB, s *Store, p wire.Place) (id int64) {
	t.Helper()
	update(t, s, func(tx *Tx) (err error) { id, _, err = tx.Gateway(p); return err })
	return id
}

// contextsStayWhileNeeded: no batch is stored without the context that its seals need, in one Update or
// another, and no context goes while a batch needs it.
func contextsStayWhileNeeded(t *testing.T, s *Store) {
	id, name := gateway(t, s, place), wire.ID{1}
	batch := func(first, context uint64) Batch {
		return Batch{Gateway: id, Epoch: bigEpoch, First: first, Next: first + 1, Body: []byte{1}, Sealed: []byte{2}, Context: context}
	}
	if err := s.Update(t.Context(), func(tx *Tx) error { return tx.AddBatch(batch(0, 1), now) }); err == nil {
		t.Error("a batch is stored without its context")
	}
	var number uint64
	failed := s.Update(t.Context(), func(tx *Tx) (err error) {
		if number, err = tx.AddContext(id, bigEpoch, name, []byte("key"), now); err != nil {
			return err
		}
		return errors.Join(tx.AddBatch(batch(0, number), now), os.ErrInvalid)
	})
	update(t, s, func(tx *Tx) error {
		if n, err := tx.Context(id, bigEpoch, name); n != 0 || err != nil || !errors.Is(failed, os.ErrInvalid) {
			t.Errorf("of an update that failed context %d is left: %v, %v", n, err, failed)
		}
		if number, failed = tx.AddContext(id, bigEpoch, name, []byte("key"), now); failed != nil {
			return failed
		}
		return errors.Join(tx.AddBatch(batch(0, number), now), tx.AddBatch(batch(1, number), now), tx.AddBatch(batch(2, 0), now))
	})
	update(t, s, func(tx *Tx) error {
		for _, c := range []struct {
			gateway int64
			epoch   uint64
			id      wire.ID
			want    uint64
		}{{id, bigEpoch, name, number}, {id + 1, bigEpoch, name, 0}, {id, 1, name, 0}, {id, bigEpoch, wire.ID{2}, 0}} {
			if n, err := tx.Context(c.gateway, c.epoch, c.id); n != c.want || err != nil {
				t.Errorf("%+v: %d, %v", c, n, err)
			}
		}
		return nil
	})
	if err := s.Update(t.Context(), func(tx *Tx) error { _, err := tx.AddContext(id, bigEpoch, name, []byte("other"), now); return err }); err == nil {
		t.Error("a context is stored twice")
	}
	for what, c := range map[string]struct {
		text string
		goes bool
	}{
		"needed by two": {`DELETE FROM contexts`, false}, "needed by one": {`DELETE FROM batches WHERE first = 0; DELETE FROM contexts`, false},
		"needed by none": {`DELETE FROM batches; DELETE FROM contexts`, true},
	} {
		err := s.Update(t.Context(), func(tx *Tx) error { return errors.Join(tx.exec(c.text), os.ErrInvalid) })
		if gone := err.Error() == fmt.Sprintf("write database %s: %v", s.path, os.ErrInvalid); gone != c.goes {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func cosignedOnlyGrows(t *testing.T, s *Store) {
	id, a, b := gateway(t, s, place), wire.Hash{1}, wire.Hash{2}
	for i, c := range []struct {
		epoch, size uint64
		root        wire.Hash
		time        int64
		want        bool
	}{
		{bigEpoch, 5, a, 100, true},
		{bigEpoch, 5, a, 100, true}, // replayed
		{bigEpoch, 5, a, 101, true},
		{bigEpoch, 5, b, 102, false}, // another tree
		{bigEpoch, 4, a, 102, false}, // less
		{bigEpoch, 6, b, 100, false}, // earlier
		{bigEpoch, 6, b, 101, true},
		{7, 1, b, 1, true}, // another epoch
	} {
		var got bool
		update(t, s, func(tx *Tx) (err error) { got, err = tx.Cosign(id, c.epoch, c.size, c.root, c.time); return err })
		if got != c.want {
			t.Errorf("%d: cosigned: %t", i, got)
		}
	}
	update(t, s, func(tx *Tx) error {
		if size, at, err := tx.Cosigned(id, bigEpoch); size != 6 || at != 101 || err != nil {
			t.Errorf("cosigned %d at %d, %v", size, at, err)
		}
		if size, at, err := tx.Cosigned(id, 8); size != 0 || at != 0 || err != nil {
			t.Errorf("of an unknown epoch: %d at %d, %v", size, at, err)
		}
		return nil
	})
}

func witnessedGoesOnFromTheLast(t *testing.T, s *Store) {
	none, five, six := Head{}, Head{5, wire.Hash{1}, 100}, Head{6, wire.Hash{2}, 101}
	for i, c := range []struct {
		origin       string
		before, next Head
		want         bool
	}{
		{"log", five, six, false}, // it was never cosigned
		{"log", none, five, true},
		{"log", none, five, false},
		{"log", none, six, false},
		{"log", Head{4, wire.Hash{1}, 100}, six, false},
		{"log", Head{5, wire.Hash{9}, 100}, six, false}, // another tree
		{"log", five, Head{6, wire.Hash{2}, 99}, false}, // earlier
		{"log", five, six, true},
		{"log", five, six, false},
		{"log", six, six, true},
		{"another log", none, five, true},
	} {
		var got bool
		update(t, s, func(tx *Tx) (err error) { got, err = tx.Witnessed.Move(c.origin, c.before, c.next); return err })
		if got != c.want {
			t.Errorf("%d: witnessed: %t", i, got)
		}
	}
	update(t, s, func(tx *Tx) error {
		if last, found, err := tx.Witnessed.Last("log"); last != six || !found || err != nil {
			t.Errorf("witnessed %+v, %t, %v", last, found, err)
		}
		if last, found, err := tx.Witnessed.Last("no log"); last != none || found || err != nil {
			t.Errorf("of an unknown log: %+v, %t, %v", last, found, err)
		}
		return nil
	})
}

const bigEpoch = 1<<64 - 5 // does not fit into the signed numbers of SQL

func batchesComeBack(t *testing.T, s *Store) {
	id := gateway(t, s, place)
	b := Batch{Gateway: id, Epoch: bigEpoch, First: 10, Next: 20, WallFrom: 1000, WallTo: 2000, Body: []byte{1}, Sealed: []byte{2}}
	var r tree.Range
	for i := range 20 {
		r = r.Add(tlog.RecordHash([]byte{byte(i)}))
	}
	update(t, s, func(tx *Tx) error { return errors.Join(tx.AddBatch(b, now), tx.SetRange(id, bigEpoch, r, now)) })
	if err := s.Update(t.Context(), func(tx *Tx) error { return tx.AddBatch(b, now) }); err == nil {
		t.Error("the same batch is stored twice")
	}
	update(t, s, func(tx *Tx) error {
		got, err := tx.Range(id, bigEpoch)
		if err != nil || got.Root() != r.Root() || got.Size() != 20 {
			t.Errorf("range of %d, %v", got.Size(), err)
		}
		for span, want := range map[[2]uint64]int{{0, 10}: 0, {0, 11}: 1, {19, 30}: 1, {20, 30}: 0} {
			if rows, err := tx.Overlapping(id, bigEpoch, span[0], span[1], 1000); err != nil || len(rows) != want {
				t.Errorf("%v overlaps %d batches, %v", span, len(rows), err)
			}
		}
		return nil
	})
	b.Place, b.Stored, b.Sealed = place, now, nil
	at := func(seq uint64) *Cursor {
		return &Cursor{Building: "b", Gateway: "g", Epoch: bigEpoch, Sequence: seq, Stored: now.UnixMilli()}
	}
	for f, want := range map[Filter]int{{}: 1, {Building: "x"}: 0, {Building: "b", Gateway: "g"}: 1, {Gateway: "x"}: 0,
		{From: time.UnixMilli(2001)}: 1, // its clock may have been wrong: it was stored later
		{From: now}:                  1, {From: now.Add(time.Second)}: 0, {To: time.UnixMilli(1001)}: 1, {To: time.UnixMilli(1000)}: 0,
		{After: at(9)}: 1, {After: at(18)}: 1, {After: at(20)}: 0, {After: &Cursor{Building: "a", Gateway: "z"}}: 1, {After: &Cursor{Building: "c", Gateway: "a"}}: 0,
		{After: at(10), Newest: true}: 1, {After: at(9), Newest: true}: 0, {Newest: true}: 1} {
		n := 0
		for got, err := range s.Batches(t.Context(), f) {
			n++
			if err != nil || fmt.Sprint(got) != fmt.Sprint(b) {
				t.Errorf("batch %+v, %v", got, err)
			}
		}
		if n != want {
			t.Errorf("%+v: %d batches", f, n)
		}
	}
	if all, err := s.Gateways(t.Context(), "", now); err != nil || all[0].Epoch != bigEpoch || all[0].Size != 20 || all[0].Total != 20 {
		t.Errorf("gateways %+v, %v", all, err)
	}
	if entries, batches, err := s.Count(t.Context()); err != nil || entries != 20 || batches != 1 {
		t.Errorf("%d entries in %d batches, %v", entries, batches, err)
	}
}

func failedUpdateLeavesNothing(t *testing.T, s *Store) {
	id := gateway(t, s, place)
	failure := errors.New("no")
	err := s.Update(t.Context(), func(tx *Tx) error {
		if err := tx.AddBatch(Batch{Gateway: id, Epoch: 1, Next: 1, Body: []byte{1}}, now); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
	if _, batches, _ := s.Count(t.Context()); batches != 0 {
		t.Error("a failed transaction left a batch")
	}
}

func recordsAreNumbered(t *testing.T, s *Store) {
	id := gateway(t, s, place)
	person := []byte("sealed")
	hash := sha256.Sum256(person)
	for i := range uint64(5) {
		update(t, s, func(tx *Tx) error {
			return tx.AddRecord(id, api.Delivery{Line: bigEpoch, Record: i + 1, Envelope: []byte{byte(i)}, PersonHash: hash[:], Stored: now}, person)
		})
	}
	if err := s.Update(t.Context(), func(tx *Tx) error {
		return tx.AddRecord(id, api.Delivery{Line: bigEpoch, Record: 3, Envelope: []byte{9}, Stored: now}, nil)
	}); err == nil {
		t.Error("a record is stored twice")
	}
	var got []uint64
	all, err := s.Records(t.Context(), 2, 2)
	for _, r := range all {
		got = append(got, r.Number)
		if r.Place != api.Place(place) || r.Line != bigEpoch || r.Record != r.Number || len(r.Envelope) != 1 || !r.Stored.Equal(now) {
			t.Errorf("record %+v", r)
		}
	}
	if err != nil || fmt.Sprint(got) != "[3 4]" {
		t.Errorf("records %v, %v", got, err)
	}
	if sealed, err := s.Person(t.Context(), hash[:]); err != nil || string(sealed) != string(person) {
		t.Errorf("person %q, %v", sealed, err)
	}
	if _, err := s.Person(t.Context(), []byte{1}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a person that never came: %v", err)
	}
	update(t, s, func(tx *Tx) error {
		if n, err := tx.Line(id, bigEpoch); err != nil || n != 5 {
			t.Errorf("line of %d, %v", n, err)
		}
		return nil
	})
	if all, err := s.Gateways(t.Context(), "", now); err != nil || all[0].Line != bigEpoch || all[0].Records != 5 {
		t.Errorf("gateways %+v, %v", all, err)
	}
}

func listsKeepTheirBuckets(t *testing.T, s *Store) {
	put := func(version uint64, bodies, fresh []string) (List, error) {
		var keep []wire.Hash
		var bytes [][]byte
		for _, b := range bodies {
			keep = append(keep, sha256.Sum256([]byte(b)))
		}
		for _, b := range fresh {
			bytes = append(bytes, []byte(b))
		}
		l := List{Building: "b", Version: version, Hash: wire.Hash{byte(version)}, Manifest: []byte{byte(version)}, Second: []byte{}, Stored: now}
		return l, s.Update(context.Background(), func(tx *Tx) error { return tx.Documents.PutList(l, bytes, keep) })
	}
	if _, err := s.List(t.Context(), "b"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a list that never came: %v", err)
	}
	if _, err := put(1, []string{"one", "two"}, []string{"one", "two"}); err != nil {
		t.Fatal(err)
	}
	want, err := put(2, []string{"two", "three"}, []string{"three"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := put(2, nil, nil); err == nil {
		t.Error("a version is stored twice")
	}
	if got, err := s.List(t.Context(), "b"); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("list %+v, %v", got, err)
	}
	for body, there := range map[string]bool{"one": false, "two": true, "three": true} {
		got, err := s.Bucket(t.Context(), "b", sha256.Sum256([]byte(body)))
		if there && (err != nil || string(got) != body) || !there && !errors.Is(err, ErrNotFound) {
			t.Errorf("bucket %s: %q, %v", body, got, err)
		}
	}
	n := 0
	for l, err := range s.Lists(t.Context()) {
		n++
		if err != nil || l.Version != 2 || !l.Stored.Equal(now) {
			t.Errorf("list %+v, %v", l, err)
		}
	}
	if n != 1 {
		t.Errorf("%d lists", n)
	}
}

func alarmsAreBounded(t *testing.T, s *Store) {
	id := gateway(t, s, place)
	for i := range uint64(20) {
		update(t, s, func(tx *Tx) error {
			return tx.AddAlarm(Alarm{Gateway: id, Epoch: 1, Sequence: i, Header: []byte{1}, Stored: i == 0, Heard: now.Add(time.Duration(i) * time.Second)}, 5)
		})
	}
	update(t, s, func(tx *Tx) error { // a late notice of a stored entry, and the entry of a notice
		return errors.Join(tx.AddAlarm(Alarm{Gateway: id, Epoch: 1, Sequence: 0, Header: []byte{2}, Heard: now}, 5),
			tx.AddAlarm(Alarm{Gateway: id, Epoch: 1, Sequence: 19, Header: []byte{3}, Stored: true, Heard: now}, 5))
	})
	var got []string
	all, err := s.Alarms(t.Context(), "b", 100)
	for _, a := range all {
		got = append(got, fmt.Sprintf("%d:%d:%v", a.Sequence, a.Header[0], a.Stored))
	}
	if err != nil || fmt.Sprint(got) != "[19:3:true 18:1:false 17:1:false 16:1:false 15:1:false 0:1:true]" {
		t.Errorf("alarms %v, %v", got, err)
	}
}

func documentsAreReplaced(t *testing.T, s *Store) {
	trusts := func() string {
		all, err := s.Trusts(t.Context())
		if err != nil {
			t.Error(err)
		}
		return string(bytes.Join(all, []byte(" ")))
	}
	if got := trusts(); got != "" {
		t.Errorf("trust that never came: %s", got)
	}
	update(t, s, func(tx *Tx) error {
		return errors.Join(tx.Documents.PutTrust(2, []byte("two")), tx.Documents.PutTrust(1, []byte("one")),
			tx.Documents.PutHouse(House{Document: api.Document{Building: "b", Envelope: []byte("old"), Old: []byte("oldest")}, Mark: []byte("its")}, 1),
			tx.Documents.SetMark("other", []byte("none")),
			tx.Documents.PutHouse(House{Document: api.Document{Building: "b", Envelope: []byte("new")}}, 2))
	})
	if got := trusts(); got != "one two" {
		t.Errorf("trust %q", got)
	}
	for _, mark := range []string{"", "seen"} {
		n := 0
		for got, err := range s.Houses(t.Context()) {
			if n++; err != nil || n > 1 || got.Building != "b" || string(got.Envelope) != "new" || got.Old != nil || string(got.Mark) != mark {
				t.Errorf("house %q, %v; want mark %q", got, err, mark)
			}
		}
		update(t, s, func(tx *Tx) error { return tx.Documents.SetMark("b", []byte("seen")) })
	}
}

func forksAreBounded(t *testing.T, s *Store) {
	id := gateway(t, s, place)
	fresh := 0
	for i := range 10 {
		for range 2 {
			update(t, s, func(tx *Tx) error {
				is, err := tx.AddFork(id, 1, 5, wire.Hash{byte(i)}, []byte{1}, 4, now)
				if is {
					fresh++
				}
				return err
			})
		}
	}
	if all, err := s.Gateways(t.Context(), "", now); err != nil || all[0].Forks != 4 || fresh != 4 {
		t.Errorf("%d forks, %+v, %v", fresh, all, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(t.Context(), filepath.Join(dir, "none", "front.db"), zerolog.Nop()); err == nil {
		t.Error("a directory that is not there")
	}
	path := filepath.Join(dir, "odd name?#%.db")
	s, err := Open(t.Context(), path, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *Tx) error { return tx.exec(`INSERT INTO migrations VALUES (99)`) })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(t.Context(), func(*Tx) error { return nil }); err == nil {
		t.Error("a closed store is written")
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if _, err := Open(t.Context(), path, zerolog.Nop()); err == nil {
		t.Error("a database of a newer program is opened")
	}
	if err := os.WriteFile(path, make([]byte, 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(path + "-wal")
	if _, err := Open(t.Context(), path, zerolog.Nop()); err == nil {
		t.Error("garbage is opened")
	}
}

// TestEveryCommitIsSynced: without these an ack could be lost with the power.
func TestEveryCommitIsSynced(t *testing.T) {
	s := openSQLite(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2"} {
		got := ""
		if err := s.write.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, want %q (%v)", pragma, got, want, err)
		}
	}
}

// TestSecondOpen: a database that another front has open is refused before anything
// is touched, and free again when that one has closed it.
func TestSecondOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "front.db")
	first, err := Open(t.Context(), path, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	mark, _ := os.ReadFile(path + ".mark")
	if second, err := Open(t.Context(), path, zerolog.Nop()); !errors.Is(err, durable.ErrLocked) || !strings.Contains(err.Error(), "another front runs there") {
		t.Errorf("a second front: %v, %v", second, err)
	}
	if after, err := os.ReadFile(path + ".mark"); err != nil || !bytes.Equal(mark, after) {
		t.Errorf("the second one marked it: %s, then %s, %v", mark, after, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), path, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}
