package acts

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// desk is a database and a ledger in a directory.
type desk struct {
	t      *testing.T
	dir    string
	store  *store.Store
	ledger *Ledger
}

var (
	noon  = time.UnixMilli(1_790_000_000_000).UTC()
	house = api.Place{District: "tianhe", Town: "shipai", Building: "b1", Gateway: "gw1"}
)

// open opens both, and returns the error of the ledger.
func (d *desk) open() error {
	d.t.Helper()
	var err error
	if d.store, err = store.Open(d.t.Context(), filepath.Join(d.dir, "front.db"), zerolog.Nop()); err != nil {
		d.t.Fatal(err)
	}
	if d.ledger, err = Open(d.t.Context(), d.store, d.path(), noon, zerolog.Nop()); err != nil {
		_ = d.store.Close()
	}
	return err
}

func (d *desk) path() string { return filepath.Join(d.dir, api.FileAnswers) }

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) close() {
	d.t.Helper()
	d.must(d.ledger.Close())
	d.must(d.store.Close())
}

// fresh opens both with a database that is new.
func (d *desk) fresh() error {
	d.t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(filepath.Join(d.dir, "front.db"+suffix))
	}
	return d.open()
}

func (d *desk) do(all ...Act) {
	d.t.Helper()
	d.must(d.ledger.Update(d.t.Context(), func(tx *Tx) error {
		for _, a := range all {
			if err := tx.Do(a); err != nil {
				return err
			}
		}
		return nil
	}))
}

// uses is how many answers the database has of a reference.
func (d *desk) uses(reference wire.ID) (n int) {
	d.t.Helper()
	all, err := store.Handed(d.t.Context(), d.store).Uses(reference)
	d.must(err)
	for _, one := range all {
		n += one
	}
	return n
}

func (d *desk) refusals() (n int) {
	d.t.Helper()
	for _, err := range store.Refused(d.t.Context(), d.store, noon.Add(-time.Hour), noon.Add(time.Hour)) {
		d.must(err)
		n++
	}
	return n
}

func (d *desk) remarks() string {
	d.t.Helper()
	all, err := d.store.Remarks(d.t.Context())
	d.must(err)
	var text []string
	for _, r := range all {
		text = append(text, r.Text)
	}
	return strings.Join(text, "\n")
}

func answer(number, part int) Act {
	return Act{Answer: &Answer{Place: house, Reference: wire.ID{1}, Number: number, Part: part, At: noon, Mandate: []byte("paper"), Plan: []byte(`{"at":"\u003c"}`)}}
}

func refused() Act { return Act{Refused: &Refused{At: noon, Reason: "used_up"}} }

// TestReplayed: a database that is older, or new, has all again, and once.
func TestReplayed(t *testing.T) {
	d := &desk{t: t, dir: t.TempDir()}
	d.must(d.open())
	emergency := wire.Hash{9}
	d.do(answer(1, 0), Act{Emergency: &Emergency{Place: house, Mandate: emergency, Reference: wire.ID{1}, Number: 1, Approver: wire.KeyID{3}, Seat: "s", At: noon}})
	d.do(answer(1, 1))
	copied := filepath.Join(t.TempDir(), "copy")
	d.must(d.store.Copy(t.Context(), copied))
	d.do(answer(2, 0), Act{Answer: &Answer{Reference: wire.ID{1}, At: noon, Mandate: []byte("back"), Plan: []byte("{}")}})
	d.do(Act{Validated: &Validated{Mandate: emergency, Validation: []byte("word")}}, Act{Told: &Told{Reference: wire.ID{1}, At: noon, Teller: "u"}}, refused(), refused())
	d.close()
	has := func(what string) {
		t.Helper()
		if n := d.uses(wire.ID{1}); n != 2 {
			t.Errorf("%s: %d answers, want 2", what, n)
		}
		if n := d.refusals(); n != 2 {
			t.Errorf("%s: %d refusals, want 2", what, n)
		}
		d.must(d.store.Update(t.Context(), func(tx *store.Tx) error {
			id, _, err := tx.Gateway(wire.Place(house))
			d.must(err)
			if a, err := tx.Disclosures.Newest(wire.ID{1}, id, 1); err != nil || a.Part != 1 || string(a.Plan) != string(answer(1, 1).Answer.Plan) || !a.At.Equal(noon) {
				t.Errorf("%s: %+v, %v", what, a, err)
			}
			if a, err := tx.Disclosures.Find(wire.ID{1}, 0, 0); err != nil || string(a.Mandate) != "back" {
				t.Errorf("%s: the withdrawal: %+v, %v", what, a, err)
			}
			if open, err := tx.Emergencies.Open(); err != nil || len(open) != 0 {
				t.Errorf("%s: emergencies that wait: %v, %v", what, open, err)
			}
			if _, was, err := tx.Tellings.Find(wire.ID{1}); err != nil || !was {
				t.Errorf("%s: nobody was told, %v", what, err)
			}
			return nil
		}))
		if said := d.remarks(); said != "" {
			t.Errorf("%s: %s", what, said)
		}
	}
	d.must(d.open())
	has("as it was")
	d.close()
	d.must(d.fresh())
	has("a new database")
	d.close()
	d.must(d.open())
	has("opened again")
	d.close()
	for _, suffix := range []string{"-wal", "-shm"} {
		_ = os.Remove(filepath.Join(d.dir, "front.db"+suffix))
	}
	b, err := os.ReadFile(copied)
	d.must(err)
	d.must(os.WriteFile(filepath.Join(d.dir, "front.db"), b, 0o600))
	d.must(d.open())
	has("a copy of before")
	d.close()
}

// TestNotCommitted: what is in the ledger, and was not committed, counts with the next act, and after a start.
func TestNotCommitted(t *testing.T) {
	for name, next := range map[string]func(*desk){
		"next act":  func(d *desk) { d.do(refused()) },
		"new start": func(d *desk) { d.close(); d.must(d.open()) },
	} {
		d := &desk{t: t, dir: t.TempDir()}
		d.must(d.open())
		d.do(answer(1, 0))
		d.must(d.ledger.append([]Act{answer(2, 0)}))
		next(d)
		if n := d.uses(wire.ID{1}); n != 2 {
			t.Errorf("%s: %d answers, want 2", name, n)
		}
		d.close()
	}
}

// TestRefusedAct: what is refused is neither in the ledger nor in the database.
func TestRefusedAct(t *testing.T) {
	d := &desk{t: t, dir: t.TempDir()}
	d.must(d.open())
	err := d.ledger.Update(t.Context(), func(tx *Tx) error {
		if err := tx.Do(answer(1, 0)); err != nil {
			return err
		}
		return io.ErrNoProgress
	})
	if err == nil || d.ledger.end != (end{}) || d.uses(wire.ID{1}) != 0 {
		t.Error(err, d.ledger.end)
	}
	d.close()
}

// TestDamaged: a torn last line was never acted upon and goes; any other change is an error that says what to do, and a
// ledger that is gone or older is told once.
func TestDamaged(t *testing.T) {
	lines := func(b []byte) [][]byte { return bytes.SplitAfter(b, []byte("\n")) }
	for name, c := range map[string]struct {
		change    func([]byte) []byte
		err, said string
		left      int // refusals in a new database
	}{
		"as it is":       {func(b []byte) []byte { return b }, "", "", 3},
		"torn":           {func(b []byte) []byte { return b[:len(b)-5] }, "", "has line 2, the database knows of line 3", 2},
		"empty":          {func([]byte) []byte { return nil }, "", "has line 0, the database knows of line 3", 0},
		"older":          {func(b []byte) []byte { return lines(b)[0] }, "", "has line 1, the database knows of line 3", 1},
		"another reason": {func(b []byte) []byte { return bytes.Replace(b, []byte("used_up"), []byte("no_such"), 1) }, "behind line 0", "", 0},
		"last changed":   {func(b []byte) []byte { return append(bytes.Clone(b[:len(b)-20]), bytes.ToUpper(b[len(b)-20:])...) }, "behind line 2", "", 0},
		"garbled":        {func(b []byte) []byte { return append([]byte("{x"), b[2:]...) }, "behind line 0", "", 0},
		"first gone":     {func(b []byte) []byte { return bytes.Join(lines(b)[1:], nil) }, "behind line 0", "", 0},
		"middle gone":    {func(b []byte) []byte { l := lines(b); return append(bytes.Clone(l[0]), l[2]...) }, "behind line 1", "", 0},
		"twice":          {func(b []byte) []byte { return append(bytes.Clone(b), lines(b)[2]...) }, "behind line 3", "", 0},
	} {
		d := &desk{t: t, dir: t.TempDir()}
		d.must(d.open())
		for range 3 {
			d.do(refused())
		}
		d.close()
		b, err := os.ReadFile(d.path())
		d.must(err)
		d.must(os.WriteFile(d.path(), c.change(b), 0o600))
		if err = d.open(); c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "put the copy of the newest backup in its place") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		d.must(err)
		if said := d.remarks(); (c.said == "") != (said == "") || !strings.Contains(said, c.said) {
			t.Errorf("%s: %q", name, said)
		}
		d.must(d.store.Update(t.Context(), func(tx *store.Tx) error { return tx.Backups.PutAway() }))
		d.do(refused())
		d.close()
		d.must(d.open())
		if said := d.remarks(); said != "" || d.refusals() != 4 {
			t.Errorf("%s: told twice: %q, %d refusals", name, said, d.refusals())
		}
		d.close()
		d.must(d.fresh())
		if said := d.remarks(); d.refusals() != c.left+1 || (c.said != "") != strings.Contains(said, "has lost lines before line 4") {
			t.Errorf("%s: a new database has %d refusals, and says %q", name, d.refusals(), said)
		}
		d.close()
	}
}

// TestTornWrite: what a failed write has left behind the whole lines is no part of the next.
func TestTornWrite(t *testing.T) {
	d := &desk{t: t, dir: t.TempDir()}
	d.must(d.open())
	d.do(refused())
	_, err := d.ledger.file.WriteAt(bytes.Repeat([]byte("x"), 4096), d.ledger.end.size)
	d.must(err)
	d.ledger.torn = true
	d.do(refused())
	var b bytes.Buffer
	d.must(d.ledger.Copy(&b))
	d.close()
	if file, err := os.ReadFile(d.path()); err != nil || !bytes.Equal(file, b.Bytes()) || bytes.Count(file, []byte("\n")) != 2 {
		t.Errorf("%q, %v", file, err)
	}
	d.must(d.open())
	d.close()
}
