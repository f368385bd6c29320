package retention

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/dbfile"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealing"
	"gatehouse/sync/wire/whos"
)

const (
	day   = 24 * time.Hour
	epoch = 7
)

var (
	begin  = time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	place  = wire.Place{District: "d1", Town: "t1", Building: "b1", Gateway: "g1"}
	spans  = Periods{Passages: 180 * day, Acts: 200 * day}
	swipe  = wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: "front", Clock: wire.ClockNTP}
	atDesk = wire.Header{Kind: wire.KindTenancy, Outcome: wire.OutcomeDone, Clock: wire.ClockNTP}
)

// office is a front's database with a clock that the test sets.
type office struct {
	t       *testing.T
	dir     string
	now     time.Time
	doors   []string      // of the gateway; nil: not known
	off     time.Duration // by which the wall clock is wrong
	store   *store.Store
	clock   *agreed.Clock
	eraser  *Eraser
	gateway int64
	next    uint64
	tree    tree.Range
	seals   map[uint64][]byte // of entries, by sequence number
}

func newOffice(t *testing.T) *office {
	o := &office{t: t, dir: t.TempDir(), now: begin, doors: []string{"front", "yard"}, seals: map[uint64][]byte{}}
	o.open()
	o.must(o.store.Update(t.Context(), func(tx *store.Tx) (err error) { o.gateway, _, err = tx.Gateway(place); return err }))
	return o
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) path(name string) string { return filepath.Join(o.dir, name) }

// open does what a front does before it serves.
func (o *office) open() {
	o.t.Helper()
	var err error
	o.store, err = store.Open(o.t.Context(), o.path("front.db"), zerolog.Nop())
	o.must(err)
	db := o.store
	o.t.Cleanup(func() { db.Close() })
	if o.clock == nil {
		o.clock, err = agreed.Open(o.path(agreed.File), agreed.Source{Wall: func() time.Time { return o.now.Add(o.off) },
			Boot: func() time.Duration { return o.now.Sub(begin) }, Synced: func() bool { return true }, BootID: "1"})
		o.must(err)
	}
	o.eraser, err = Open(o.t.Context(), Options{Periods: func() Periods { return spans }, Store: o.store, Clock: o.clock, Trust: trusts, Doors: func(context.Context, wire.Place, mandates.Order) ([]string, error) { return o.doors, nil }, Path: o.path(api.FileErasures), Log: zerolog.Nop()})
	o.must(err)
}

// take stores a batch of entries that name somebody, sealed each by itself in a context of their own, or in the
// first formats all at once.
func (o *office) take(alone bool, headers ...wire.Header) {
	o.t.Helper()
	_, kem, err := sealing.GenerateKey()
	o.must(err)
	sealer, err := whos.Begin(kem, place.Address(), epoch)
	o.must(err)
	b := wire.Batch{Epoch: epoch, First: o.next}
	row := store.Batch{Gateway: o.gateway, Epoch: epoch, First: o.next, Next: o.next + uint64(len(headers)), WallFrom: o.now.UnixMilli(), WallTo: o.now.UnixMilli()}
	var parts []whos.Part
	for i, h := range headers {
		if h.Wall == 0 {
			h.Wall = o.now.UnixMilli()
		}
		row.WallTo = max(row.WallTo, h.Wall)
		h.Counter = o.next + uint64(i)
		header, err := h.Encode()
		o.must(err)
		part := whos.Part{Index: uint16(i), Salt: [16]byte{byte(h.Counter), byte(h.Counter >> 8)}, Who: []byte("somebody")}
		hash := wire.WhoHash(part.Salt, part.Who)
		b.Headers, b.Whos, parts = append(b.Headers, header), append(b.Whos, hash[:]), append(parts, part)
		o.tree = o.tree.Add(tree.LeafHash(header, hash[:]))
	}
	b.Root = wire.Hash(o.tree.Root())
	if alone {
		row.Sealed, err = sealer.Seal(o.next, parts)
	} else {
		row.Sealed, err = whos.Seal(kem, place.Address(), epoch, o.next, parts)
	}
	o.must(err)
	o.remember(row.Sealed, alone, len(headers))
	row.Body, err = wire.Encode(b)
	o.must(err)
	o.must(o.store.Update(o.t.Context(), func(tx *store.Tx) (err error) {
		if alone {
			if row.Context, err = tx.AddContext(o.gateway, epoch, sealer.ID(), sealer.Encapsulated(), o.now); err != nil {
				return err
			}
		}
		if err := tx.AddBatch(row, o.now); err != nil {
			return err
		}
		return tx.SetRange(o.gateway, epoch, o.tree, o.now)
	}))
	o.next = row.Next
}

// remember keeps the seals for a search.
func (o *office) remember(sealed []byte, alone bool, n int) {
	if !alone {
		for i := range n {
			o.seals[o.next+uint64(i)] = sealed[len(sealed)-64:]
		}
		return
	}
	all, err := whos.Split(sealed)
	o.must(err)
	for _, s := range all {
		o.seals[o.next+uint64(s.Index)] = bytes.Clone(s.Bytes)
	}
}

// files are all files of the front.
func (o *office) files() (all []byte) {
	o.t.Helper()
	o.must(filepath.WalkDir(o.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var b []byte
			b, err = os.ReadFile(path)
			all = append(all, b...)
		}
		return err
	}))
	return all
}

// there lists which entries' seals are in some file.
func (o *office) there() (found []uint64) {
	o.t.Helper()
	all := o.files()
	for n := range o.next {
		if bytes.Contains(all, o.seals[n]) {
			found = append(found, n)
		}
	}
	return found
}

// proved recomputes the tree from what is stored.
func (o *office) proved() {
	o.t.Helper()
	var r tree.Range
	for row, err := range o.store.Batches(o.t.Context(), store.Filter{}) {
		o.must(err)
		var b wire.Batch
		o.must(wire.Decode(row.Body, &b))
		for i := range b.Headers {
			r = r.Add(tree.LeafHash(b.Headers[i], b.Whos[i]))
		}
		if b.Root != wire.Hash(r.Root()) {
			o.t.Fatalf("after %d entries the root is another", r.Size())
		}
	}
	if r.Size() != o.next || r.Root() != tlog.Hash(o.tree.Root()) {
		o.t.Fatalf("%d entries are stored, want %d", r.Size(), o.next)
	}
}

// after goes on by a time, and erases.
func (o *office) after(d time.Duration) {
	o.t.Helper()
	o.now = o.now.Add(d)
	now, doubt := o.clock.Now()
	if doubt != agreed.None {
		o.t.Fatalf("the clock is in doubt: %s", doubt)
	}
	o.must(o.eraser.round(o.t.Context(), now))
	o.proved()
}

func (o *office) want(what string, seals ...uint64) {
	o.t.Helper()
	if got := o.there(); fmt.Sprint(got) != fmt.Sprint(seals) {
		o.t.Errorf("%s: seals of entries %v are in the files, want %v", what, got, seals)
	}
}

// TestErasesByAge: who passed goes after 180 days and who did what else after 200, out of every byte of every file,
// also where a neighbour stays; what is sealed together stays together; and the tree stays.
func TestErasesByAge(t *testing.T) {
	o := newOffice(t)
	o.take(true, swipe, atDesk, swipe)
	o.take(false, swipe, atDesk)
	o.take(false, swipe, swipe)
	o.now = o.now.Add(day)
	o.take(true, swipe)
	o.after(178*day + 12*time.Hour)
	o.want("before", 0, 1, 2, 3, 4, 5, 6, 7)
	o.after(day)
	o.want("after 180 days", 1, 3, 4, 7)
	o.after(10 * day)
	o.want("ten days later", 1, 3, 4)
	o.after(10 * day)
	o.want("after 200 days")
	if s := o.eraser.State(); s.Erased != 8 || s.Waits {
		t.Errorf("state %+v", s)
	}
	o.wantContexts(1) // the newest stays
}

// wantContexts checks how many contexts are stored.
func (o *office) wantContexts(n int) {
	o.t.Helper()
	db, err := sql.Open("sqlite", "file:"+o.path("front.db"))
	o.must(err)
	defer db.Close()
	var got int
	o.must(db.QueryRowContext(o.t.Context(), "SELECT COUNT(*) FROM contexts").Scan(&got))
	if got != n {
		o.t.Errorf("%d contexts are stored, want %d", got, n)
	}
}

// TestScrubs: with many rows, of which every other one stays, SQLite moves rows between pages; no rest of what
// is erased stays where they were.
func TestScrubs(t *testing.T) {
	o := newOffice(t)
	var gone []uint64
	for n := range uint64(600) {
		if n%2 == 0 {
			o.take(true, swipe, swipe)
			gone = append(gone, 2*n, 2*n+1)
		} else {
			o.take(true, atDesk, atDesk)
		}
	}
	o.after(181 * day)
	all := o.files()
	for _, n := range gone {
		if bytes.Contains(all, o.seals[n]) {
			t.Fatalf("the seal of entry %d, which is erased, is in a file", n)
		}
	}
	if got := len(o.there()); got != 600 {
		t.Errorf("%d seals are there, want those of 600 acts", got)
	}
}

// TestErasesNothingInDoubt: a clock that leaps ahead, or was never set, erases nothing.
func TestErasesNothingInDoubt(t *testing.T) {
	o := newOffice(t)
	o.take(true, swipe)
	o.off = 300 * day
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- o.eraser.Run(ctx) }()
	for end := time.Now().Add(time.Minute); !o.eraser.State().Waits && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	cancel()
	o.must(<-ended)
	if s := o.eraser.State(); !s.Waits || s.Erased > 0 || s.Last != nil {
		t.Errorf("in doubt: %+v", s)
	}
	o.want("in doubt", 0)
	o.off = 0
	o.after(181 * day)
	o.want("when it is over")
}

// TestClocksOfGateways: a gateway whose clock runs behind loses nothing early, and one whose clock is ahead
// keeps it for twice the time, not for ever.
func TestClocksOfGateways(t *testing.T) {
	o := newOffice(t)
	ahead, behind := swipe, swipe
	ahead.Wall, behind.Wall = begin.Add(5000*day).UnixMilli(), begin.Add(-5000*day).UnixMilli()
	o.take(true, behind)
	o.take(true, ahead)
	o.after(179 * day)
	o.want("before", 0, 1)
	o.after(2 * day)
	o.want("after 180 days", 1)
	o.after(218 * day)
	o.want("after 399 days", 1)
	o.after(2 * day)
	o.want("after 400 days")
}

// TestRestored: a copy of the database from before the erasing, put back, has nothing of it left when the
// front serves again, whatever the clock says.
func TestRestored(t *testing.T) {
	o := newOffice(t)
	for range 20 {
		o.take(true, swipe, atDesk)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	o.must(o.store.Copy(t.Context(), copied))
	o.after(201 * day)
	o.want("erased")
	o.must(o.store.Close())
	for _, suffix := range []string{"", "-wal", "-shm"} {
		os.Remove(o.path("front.db" + suffix))
	}
	in, err := os.Open(copied)
	o.must(err)
	out, err := os.Create(o.path("front.db"))
	o.must(err)
	_, err = io.Copy(out, in)
	o.must(err)
	o.must(out.Close())
	if len(o.there()) != 40 {
		t.Fatalf("the copy has %d seals", len(o.there()))
	}
	o.off = -400 * day
	o.open()
	o.want("put back")
	o.proved()
	o.must(dbfile.Check(t.Context(), copied))
}

// TestScrubsAfterARestart: what was erased in the week after the last rewriting is still to be rewritten when the
// front was started anew meanwhile, and nothing is rewritten where nothing was erased.
func TestScrubsAfterARestart(t *testing.T) {
	o := newOffice(t)
	o.take(true, swipe)
	o.now = o.now.Add(day)
	o.take(true, swipe)
	o.after(179*day + time.Hour)
	first := o.eraser.ledger.scrubbed()
	o.after(day)
	if !o.eraser.ledger.owes() || !o.eraser.ledger.scrubbed().Equal(first) {
		t.Error("it is rewritten each day")
	}
	o.must(o.store.Close())
	o.open()
	o.after(7 * day)
	second := o.eraser.ledger.scrubbed()
	if o.eraser.ledger.owes() || !second.Equal(o.now) {
		t.Errorf("it was rewritten last on %s", second)
	}
	o.after(7 * day)
	if !o.eraser.ledger.scrubbed().Equal(second) {
		t.Error("it is rewritten without a reason")
	}
}

// TestForksForget: of a batch that contradicts what is stored the gateway's signed checkpoint stays, and nobody.
func TestForksForget(t *testing.T) {
	o := newOffice(t)
	seal := bytes.Repeat([]byte("seal of a person"), 4)
	header, err := swipe.Encode()
	o.must(err)
	payload, err := wire.Encode(wire.Batch{Epoch: epoch, Headers: [][]byte{header}, Whos: [][]byte{make([]byte, 32)}, Root: wire.Hash{1}, Sealed: seal, Signature: wire.Signature{2}})
	o.must(err)
	envelope := signed(t, payload)
	o.must(o.store.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.AddFork(o.gateway, epoch, 0, wire.Hash{1}, envelope, 9, o.now)
		return err
	}))
	o.after(199 * day)
	if !bytes.Contains(o.files(), seal) {
		t.Fatal("it goes early")
	}
	o.take(true, swipe)
	for range 2 {
		o.after(181 * day)
	}
	if bytes.Contains(o.files(), seal) {
		t.Error("the fork has its seals")
	}
	all, err := o.store.Seals().Forks(t.Context(), o.now)
	o.must(err)
	var left wire.Batch
	if len(all) != 1 || wire.Decode(all[0].Envelope, &left) != nil || left.Root != (wire.Hash{1}) || left.Signature != (wire.Signature{2}) {
		t.Errorf("what is left: %+v", left)
	}
}

// signed puts a batch into an envelope of some gateway.
func signed(t *testing.T, payload []byte) []byte {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := wire.Sign(wire.Protected{Type: wire.TypeBatch, Role: wire.RoleGateway, Address: place.Address()}, payload, key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// forget asks for entries of the gateway to be forgotten.
func (o *office) forget(sequences ...uint64) int {
	o.t.Helper()
	f, err := o.eraser.Forget(o.t.Context(), []api.Forget{{Gateway: place.Address(), Epoch: epoch, Sequences: sequences}})
	o.must(err)
	o.proved()
	return f.Erased
}

// TestForgets: entries lose who they name at once, and their neighbours do not; what opens only together goes
// together; a batch that brought an entry again has nothing of it either; and a copy that is put back neither.
func TestForgets(t *testing.T) {
	o := newOffice(t)
	o.take(true, swipe, swipe, swipe)
	o.take(false, swipe, swipe)
	o.take(true, swipe)
	copied := filepath.Join(t.TempDir(), "copy.db")
	o.must(o.store.Copy(t.Context(), copied))
	if n := o.forget(1, 5, 99); n != 2 {
		t.Errorf("%d went", n)
	}
	o.want("two of six", 0, 2, 3, 4)
	if n := o.forget(3, 1); n != 2 {
		t.Errorf("of the first formats %d went", n)
	}
	o.want("of the first formats", 0, 2)
	b, err := os.ReadFile(o.path(api.FileErasures))
	o.must(err)
	if !strings.Contains(string(b), `"sequences":[1,3,5,99]`) {
		t.Errorf("the ledger tells requests apart: %s", b)
	}
	o.must(o.store.Close())
	b, err = os.ReadFile(copied)
	o.must(err)
	o.must(os.WriteFile(o.path("front.db"), b, 0o600))
	o.open()
	o.want("put back", 0, 2)
	o.after(401 * day)
	if b, err = os.ReadFile(o.path(api.FileErasures)); err != nil || strings.Contains(string(b), "sequences") {
		t.Errorf("the ledger keeps what is over: %s, %v", b, err)
	}
}

// TestForgetsTwice: a gateway that sends an entry again, with others behind it, brings who it names again; both go.
func TestForgetsTwice(t *testing.T) {
	o := newOffice(t)
	o.take(true, swipe, swipe)
	row := store.Batch{}
	all, err := o.store.Seals().Page(t.Context(), o.now, row, 9)
	o.must(err)
	row = all[0] // its body begins before its entries do
	row.First, row.Next = 1, 2
	o.must(o.store.Update(t.Context(), func(tx *store.Tx) error {
		first := all[0]
		first.Next, first.First, first.Epoch = 1, 0, epoch+1
		row.Epoch = epoch + 1
		return errors.Join(tx.AddBatch(first, o.now), tx.AddBatch(row, o.now))
	}))
	f, err := o.eraser.Forget(t.Context(), []api.Forget{{Gateway: place.Address(), Epoch: epoch, Sequences: []uint64{0}}, {Gateway: place.Address(), Epoch: epoch + 1, Sequences: []uint64{0}}})
	o.must(err)
	if f.Erased != 3 {
		t.Errorf("%d went", f.Erased)
	}
	o.want("the first", 1)
}

// TestForgetRefuses requests that name no gateway, and erases nothing of the others in them.
func TestForgetRefuses(t *testing.T) {
	o := newOffice(t)
	o.take(true, swipe)
	for _, bad := range []string{"", "b1", "b1/", "B1/g1", "../g1"} {
		_, err := o.eraser.Forget(t.Context(), []api.Forget{{Gateway: place.Address(), Epoch: epoch, Sequences: []uint64{0}}, {Gateway: bad, Epoch: epoch}})
		if err == nil {
			t.Errorf("%q is a gateway", bad)
		}
	}
	o.want("refused", 0)
}

// TestLedgerRefuses a ledger that can't be read, and says what to do.
func TestLedgerRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), api.FileErasures)
	if err := os.WriteFile(path, []byte("{\"at\":\"2027-01-01T00:00:00Z\",\"erased\":3}\n{\"at\""), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readLedger(path); err == nil || !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), "copy of yesterday") {
		t.Errorf("it says %v", err)
	}
}

// TestLedgerStaysSmall: years of rounds are a few lines, with the sum of what went.
func TestLedgerStaysSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), api.FileErasures)
	l, err := readLedger(path)
	for n := range 300 {
		at := begin.Add(time.Duration(n) * day)
		for _, next := range []line{{At: at, Over: new(spans.cutoffAt(at))}, {At: at, Erased: 2}, {At: at, Scrubbed: true}} {
			if err == nil {
				err = l.add(next)
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	again, err := readLedger(path)
	last := begin.Add(299 * day)
	if err != nil || len(again.lines) != 3 || again.erased() != 600 || !again.scrubbed().Equal(last) || again.over() != spans.cutoffAt(last) {
		t.Errorf("%+v, %v", again, err)
	}
}

// TestLedgerNamesNobody: it has times and counts.
func TestLedgerNamesNobody(t *testing.T) {
	o := newOffice(t)
	o.take(true, swipe)
	o.after(181 * day)
	b, err := os.ReadFile(o.path(api.FileErasures))
	o.must(err)
	if strings.Contains(string(b), place.Building) || !strings.Contains(string(b), `"erased":1`) {
		t.Errorf("ledger: %s", b)
	}
}

// remarks is what the front says after a start.
func (o *office) remarks() (texts []string) {
	o.t.Helper()
	all, err := o.store.Remarks(o.t.Context())
	o.must(err)
	for _, r := range all {
		texts = append(texts, r.Text)
	}
	return texts
}

// TestLedgerLost: a ledger that is gone, or older than what the database knows of, is said once; one that is newer is
// not, nor are lines that newer ones replaced missed.
func TestLedgerLost(t *testing.T) {
	o := newOffice(t)
	again := func() []string {
		t.Helper()
		o.must(o.store.Close())
		o.open()
		return o.remarks()
	}
	put := func(b []byte) { t.Helper(); o.must(os.WriteFile(o.path(api.FileErasures), b, 0o600)) }
	b, err := o.eraser.Ledger()
	o.must(err)
	put(b) // of before the first line
	if said := again(); len(said) != 0 {
		t.Errorf("before the first line: %q", said)
	}
	o.take(true, swipe, swipe, swipe)
	o.forget(0)
	old, err := o.eraser.Ledger()
	o.must(err)
	o.forget(1)
	newest, err := o.eraser.Ledger()
	o.must(err)
	if said := again(); len(said) != 0 {
		t.Errorf("nothing was lost: %q", said)
	}
	put(old)
	if said := again(); len(said) != 1 || !strings.Contains(said[0], "has line 4, the database knows of line 8") {
		t.Errorf("an older one: %q", said)
	}
	o.must(o.store.Update(t.Context(), func(tx *store.Tx) error { return tx.Backups.PutAway() }))
	o.must(o.eraser.count(t.Context(), o.now, 1)) // the front has written since
	put(newest)
	if said := again(); len(said) != 0 {
		t.Errorf("the newest was put back: %q", said)
	}
	put(old)
	again()
	o.must(o.eraser.PutAway(t.Context()))
	if said := again(); len(said) != 0 {
		t.Errorf("it was put away: %q", said)
	}
	o.forget(2)
	o.must(os.Remove(o.path(api.FileErasures)))
	if said := again(); len(said) != 1 || !strings.Contains(said[0], "is not there, the database knows of line 8") {
		t.Errorf("gone: %q", said)
	}
}
