package ingest

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/registry/front/commit"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/journaled"
	"gatehouse/sync/wire/whos"
)

// batchWork is a batch with verified signatures. Whether it continues the stored entries is known
// only in the transaction.
type batchWork struct {
	batch    wire.Batch // without Sealed and Context
	sealed   []byte
	context  []byte
	body     []byte // of batch
	envelope []byte
	machine  []byte // public key of the gateway
	leaves   []tlog.Hash
	notes    []note
}

// note is what the registry itself reads from an entry. An unreadable entry is stored all the same:
// its content is no reason to refuse it.
type note struct {
	wall    int64
	unsure  bool // the clock was not known to be good
	alarm   bool
	applied bool
	version uint64
	hash    wire.Hash
	refuses wire.Reason // why it refuses a list, or what the list gives; ReasonNone: nothing
}

// checkSeals reports what is wrong with the seals of a batch in an envelope of this version. What a
// seal holds is not for this registry to read.
func checkSeals(b wire.Batch, version uint64) error {
	if wire.VersionOf(b) != version {
		return fmt.Errorf("%w: a batch of format %d in version %d", wire.ErrMalformed, wire.VersionOf(b), version)
	}
	if len(b.Context) == 0 {
		return nil
	}
	return whos.Check(b)
}

var errCheckpoint = errors.New("the signature on the checkpoint does not verify")

func openBatch(m message, version uint64, payload []byte) (*batchWork, error) {
	w := &batchWork{envelope: m.payload, machine: m.key.Public}
	if err := wire.Decode(payload, &w.batch); err != nil {
		return nil, err
	}
	b := &w.batch
	if err := checkSeals(*b, version); err != nil {
		return nil, err
	}
	w.sealed, w.context, b.Sealed, b.Context = b.Sealed, b.Context, nil, nil
	end := checkpoint.Checkpoint{Address: m.g.Address(), Epoch: b.Epoch, Size: b.First + uint64(len(b.Headers)), Root: b.Root}
	if checked(b.First, end.Size) && !end.Verify(m.key.Public, b.Signature) {
		return nil, errCheckpoint
	}
	w.leaves = leafHashes(*b)
	w.notes = make([]note, len(b.Headers))
	for i, header := range b.Headers {
		w.notes[i] = readNote(header)
	}
	var err error
	w.body, err = wire.Encode(*b)
	return w, err
}

// checkEvery is the number of entries within which the signature on a checkpoint is verified at
// least once. The envelope is signed by the same key and covers the root, so that nothing is believed
// without a signature: the one on the checkpoint is for third parties. To verify it with each batch
// of a passage would cost as much as all else.
const checkEvery = 64

// checked reports whether the signature on the checkpoint of a batch is verified: at the begin of an
// epoch, and with each checkEvery entries.
func checked(first, end uint64) bool { return first == 0 || first/checkEvery != end/checkEvery }

func readNote(header []byte) (n note) {
	g, ok := journaled.Glance(header)
	n = note{wall: g.Wall, unsure: !ok || g.Clock < wire.ClockRTC}
	if !ok || !mayConcern(g.Kind) {
		return n
	}
	h, err := wire.DecodeHeader(header)
	if err != nil {
		return note{unsure: true}
	}
	n.alarm = h.Alarm()
	if h.Kind == wire.KindListApplied && len(h.Detail) == len(n.hash) {
		n.applied, n.version, n.hash = true, h.Count, wire.Hash(h.Detail)
	}
	if h.Kind == wire.KindRefused && h.Source == wire.TypeList {
		n.refuses = h.Reason
	}
	return n
}

// mayConcern reports whether an entry of the kind can be an alarm or a proof. Most can't, and are
// not decoded.
func mayConcern(kind wire.Kind) bool {
	switch kind {
	case wire.KindForced, wire.KindDamaged, wire.KindRefused, wire.KindGap, wire.KindEpoch, wire.KindHeld, wire.KindFire,
		wire.KindJournal, wire.KindUplink, wire.KindFault, wire.KindOffline, wire.KindListApplied:
		return true
	}
	return false
}

// maxForks is the most batches of a gateway that are stored as evidence.
const maxForks = 64

// Store stores the new entries of the batch, if it continues the stored ones.
func (w *batchWork) Store(t *commit.Txn, g *roster.Gateway, l *commit.Ledger) error {
	before, err := t.Stored(l.ID, w.batch.Epoch)
	if err != nil {
		return err
	}
	l.Epoch = w.batch.Epoch
	t.Ack(g, w.batch.Epoch)
	first, end, next := w.batch.First, w.batch.First+uint64(len(w.leaves)), before.Size()
	if first > next {
		return nil // entries before it are missing: the ack says from where
	}
	if end <= next {
		same, err := w.known(t, l.ID, before)
		if err != nil || same {
			return err
		}
		return w.fork(t, g, l)
	}
	// The signed root is over all entries: if it is right, those before
	// `next` are the stored ones.
	fresh := w.leaves[next-first:]
	after := before.AddAll(fresh)
	if wire.Hash(after.Root()) != w.batch.Root {
		return w.fork(t, g, l)
	}
	admitted, err := t.AdmitBatch(g, l, next == 0, len(w.body)+len(w.sealed)+len(w.context))
	if err != nil || !admitted {
		return err
	}
	number, err := w.seals(t, l)
	if err != nil || number == 0 && w.context != nil {
		return err // the ack says which context is here
	}
	w.tell(t, g)
	t.Reached(g, l, w.batch.Epoch, before, fresh)
	l.SetShort(false, t.Now)
	if next == 0 {
		if err := w.begins(t, g, l); err != nil {
			return err
		}
	}
	t.SetStored(l.ID, w.batch.Epoch, after)
	return w.add(t, l, store.Batch{Gateway: l.ID, Epoch: w.batch.Epoch, First: next, Next: end, Body: w.body, Sealed: w.sealed, Context: number}, int(next-first))
}

// seals returns the number of the context of the seals; 0: there is none, or it is not here.
func (w *batchWork) seals(t *commit.Txn, l *commit.Ledger) (uint64, error) {
	if w.context == nil {
		return 0, nil
	}
	return t.Context(l, w.batch.Epoch, w.context)
}

// tell notes what the entries prove about lists.
func (w *batchWork) tell(t *commit.Txn, g *roster.Gateway) {
	t.Heard(g)
	for _, n := range w.notes {
		if n.applied || n.refuses != wire.ReasonNone {
			t.Outcome.Verdicts = append(t.Outcome.Verdicts, commit.Verdict{Gateway: g, List: n.hash, Refuses: n.refuses})
		}
	}
}

// begins raises an alarm if the gateway had epochs and begins one that cites none of them: its
// journal was deleted. A machine that replaces another has another key.
func (w *batchWork) begins(t *commit.Txn, g *roster.Gateway, l *commit.Ledger) error {
	again, err := t.Begins(l.ID, w.machine)
	if err != nil || !again {
		return err
	}
	if h, err := wire.DecodeHeader(w.batch.Headers[0]); err == nil && h.Kind == wire.KindEpoch && len(h.Detail) > 0 {
		return nil // it is an alarm of its own
	}
	header, err := wire.Header{Kind: wire.KindEpoch, Reason: wire.ReasonCitesNone, Wall: t.Now.UnixMilli()}.Encode()
	if err != nil {
		return err
	}
	t.Log.Error().Str("gateway", g.Address()).Msg("a new epoch of its journal cites none before: the journal was deleted, or entries are hidden")
	return t.Alarm(l, w.batch.Epoch, 0, header, true)
}

// add stores a row with the entries from the i-th on. They also replace notices if an entry is no alarm to this program: it may be from a newer gateway, or the notice
// was wrong.
func (w *batchWork) add(t *commit.Txn, l *commit.Ledger, row store.Batch, i int) error {
	waiting, err := t.Noticed(l, row.Epoch, row.First, row.Next)
	if err != nil {
		return err
	}
	row.WallFrom, row.WallTo = w.notes[i].wall, w.notes[i].wall
	for ; i < len(w.notes); i++ {
		n := &w.notes[i]
		row.WallFrom, row.WallTo = min(row.WallFrom, n.wall), max(row.WallTo, n.wall)
		if n.unsure { // its time may be any until now
			row.WallFrom, row.WallTo = min(row.WallFrom, 0), max(row.WallTo, t.Now.UnixMilli())
		}
		seq := w.batch.First + uint64(i)
		if n.alarm || slices.Contains(waiting, seq) {
			if err := t.Alarm(l, row.Epoch, seq, w.batch.Headers[i], true); err != nil {
				return err
			}
		}
		if n.applied {
			a := store.Applied{Gateway: l.ID, Epoch: w.batch.Epoch, Sequence: seq, Version: n.version, Hash: n.hash}
			if err := t.AddApplied(a, t.Now); err != nil {
				return err
			}
		}
	}
	return t.AddBatch(row, t.Now)
}

// maxOverlap is the most stored batches with which a repeated one is compared.
const maxOverlap = 16

// known reports whether a batch without new entries repeats the stored ones. If a stored batch ends
// at the same entry the signed roots decide; else the entries are compared, but only with the last
// maxOverlap stored batches, since comparing costs more than sending.
func (w *batchWork) known(t *commit.Txn, id int64, stored tree.Range) (bool, error) {
	first, end := w.batch.First, w.batch.First+uint64(len(w.leaves))
	if end == stored.Size() {
		return wire.Hash(stored.Root()) == w.batch.Root, nil
	}
	rows, err := t.Overlapping(id, w.batch.Epoch, first, end, maxOverlap)
	if err != nil {
		return false, err
	}
	for _, row := range slices.Backward(rows) {
		var old wire.Batch
		if err := wire.Decode(row.Body, &old); err != nil {
			return false, err
		}
		if row.Next == end {
			return old.Root == w.batch.Root, nil
		}
		from, until := max(row.First, first), min(row.Next, end)
		if !slices.Equal(leafHashes(old)[from-old.First:until-old.First], w.leaves[from-first:until-first]) {
			return false, nil
		}
	}
	return true, nil
}

// fork stores a batch that contradicts the store as evidence: an old copy of the SD card was
// restored, or the gateway lies.
func (w *batchWork) fork(t *commit.Txn, g *roster.Gateway, l *commit.Ledger) error {
	fresh, err := t.AddFork(l.ID, w.batch.Epoch, w.batch.First, w.batch.Root, w.envelope, maxForks, t.Now)
	if err == nil && fresh {
		t.Log.Error().Str("gateway", g.Address()).Uint64("first", w.batch.First).
			Msg("a signed batch contradicts what was stored before: both are kept")
	}
	return err
}

// leafHashes returns the hashes of a batch's leaves.
func leafHashes(b wire.Batch) []tlog.Hash {
	var nobody wire.Hash
	hashes := make([]tlog.Hash, len(b.Headers))
	for i, who := range b.Whos {
		if len(who) == 0 {
			who = nobody[:]
		}
		hashes[i] = tree.LeafHash(b.Headers[i], who)
	}
	return hashes
}
