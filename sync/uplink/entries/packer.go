package entries

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/journaled"
	"gatehouse/sync/wire/whos"
)

const (
	// BatchEntries is the most entries in a batch: more only adds latency.
	BatchEntries = 700
	// batchFixed is what a batch takes besides its entries: the encapsulated key of
	// its seals (1,120 bytes), root, signature and heads.
	batchFixed = 1400
	// readEvery is the pause after a failed read.
	readEvery = time.Second
	packAhead = 8 // batches, while all of the window is under way
)

// Batch is a signed run of entries, kept until it is confirmed.
type Batch struct {
	end      journaled.Position
	root     wire.Hash
	entries  int
	envelope []byte
	context  wire.ID // of its seals, if the registry has to have it already; else zero
	gap      bool    // no batch: the entries before end are missing

	said  time.Time // when it was published first; zero: not yet
	twice bool      // it was published again: nobody knows which one an ack is to
}

// packer reads, seals and signs batches ahead of the sender, so that both cores work. Full batches
// wait in out; a batch that is not full is made only when the sender has nothing in flight.
type packer struct {
	o     Options
	seals *seals
	out   chan Batch    // sealed
	idle  chan struct{} // the sender has nothing in flight
}

// packing is a running packer.
type packing struct {
	packer
	asked   bool // a batch that is not full was asked for, and has not come
	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// startPacking runs a packer in a goroutine of its own until ctx ends or end is called. It packs
// from a place on; r is the tree over the epoch's entries before it.
func startPacking(ctx context.Context, o Options, s *seals, at journaled.Position, r tree.Range) *packing {
	ctx, stop := context.WithCancel(ctx)
	w := &packing{packer: packer{o, s, make(chan Batch, packAhead), make(chan struct{}, 1)}, stop: stop}
	w.stopped.Go(func() { w.run(ctx, at, r) })
	return w
}

// end stops the packer and returns when its goroutine is gone.
func (w *packing) end() {
	w.stop()
	w.stopped.Wait()
}

// ask requests a batch that is not full.
func (w *packing) ask() {
	if !w.asked {
		w.asked = true
		poke(w.idle)
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run packs from a place on; r is the tree over the epoch's entries before it.
func (p *packer) run(ctx context.Context, at journaled.Position, r tree.Range) {
	var have []journaled.Entry
	next := at // the next position to read
	h := hold{gather: p.o.Gather}
	for ctx.Err() == nil {
		changed := p.o.Journal.Changed()
		more, err := p.read(ctx, &next, len(have))
		h.came(more, len(have), time.Now())
		have = append(have, more...)
		switch {
		case err != nil:
			p.rest(ctx, err)
			continue
		case len(have) > 0 && have[0].Position != at:
			if have[0].Epoch == at.Epoch || have[0].Sequence > 0 {
				p.emit(ctx, Batch{end: have[0].Position, gap: true})
				return
			}
			at, r = have[0].Position, tree.Range{} // an epoch has ended
		}
		n := p.cut(have)
		if n == len(have) && len(more) > 0 && n < p.o.Batch {
			continue // read on before deciding that the batch is not full
		}
		if n == len(have) && n < p.o.Batch && !h.over(time.Now()) {
			p.wait(ctx, &h, n > 0, changed)
			continue // with the entries that came meanwhile
		}
		b, after, err := p.pack(have[:n], r)
		if err != nil {
			p.rest(ctx, err)
			continue
		}
		p.emit(ctx, b)
		full := n < len(have) || n == p.o.Batch
		have, at, r = have[n:], b.end, after
		h.packed(full)
	}
}

// read reads the missing entries of a batch and one more, which shows that the batch is full.
func (p *packer) read(ctx context.Context, next *journaled.Position, have int) ([]journaled.Entry, error) {
	if have > p.o.Batch {
		return nil, nil
	}
	list, after, err := p.o.Journal.Entries(ctx, *next, 2*p.o.Batch-have)
	if errors.Is(err, journaled.ErrGone) { // the epoch is gone, with all of it delivered or lost
		list, after, err = p.o.Journal.Entries(ctx, journaled.Position{}, 2*p.o.Batch-have)
	}
	if err == nil {
		*next = after
	}
	return list, err
}

func (p *packer) rest(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	p.o.Log.Error().Err(err).Msg("entries can't be sent to the registry; it is tried again")
	select {
	case <-ctx.Done():
	case <-time.After(readEvery):
	}
}

// wait waits for new entries, or if there are some, until they are to be sent.
func (p *packer) wait(ctx context.Context, h *hold, some bool, changed <-chan struct{}) {
	var idle <-chan struct{}
	var end <-chan time.Time
	switch at := h.end(); {
	case !some:
		h.caughtUp()
	case at.IsZero():
		idle = p.idle
	default:
		timer := time.NewTimer(time.Until(at))
		defer timer.Stop()
		end = timer.C
	}
	select {
	case <-ctx.Done():
	case <-changed:
	case <-end:
	case <-idle:
		h.idle(time.Now())
	}
}

// emit hands a batch to the sender, which ends its request for one.
func (p *packer) emit(ctx context.Context, b Batch) {
	select {
	case <-p.idle:
	default:
	}
	select {
	case <-ctx.Done():
	case p.out <- b:
	}
}

// cut returns how many of the entries fit into one batch; a batch has entries of one epoch, without
// a gap.
func (p *packer) cut(list []journaled.Entry) int {
	size := batchFixed
	for i, e := range list {
		size += len(e.Header) + 4 + 1 // its head, and that of no hash
		if e.WhoHash != ([32]byte{}) {
			size += 34
		}
		if len(e.Who) > 0 {
			size += len(e.Who) + 16 + 16 + 8 // with salt, tag and heads
		}
		follows := i == 0 || e.Epoch == list[i-1].Epoch && e.Sequence == list[i-1].Sequence+1
		if i == p.o.Batch || size > wire.MaxBatchSize || !follows {
			return i
		}
	}
	return len(list)
}

func (p *packer) pack(list []journaled.Entry, r tree.Range) (Batch, tree.Range, error) {
	first := list[0].Position
	b := wire.Batch{Epoch: first.Epoch, First: first.Sequence, Headers: make([][]byte, len(list)), Whos: make([][]byte, len(list))}
	leaves := make([]tlog.Hash, len(list))
	var parts []whos.Part
	for i := range list {
		e := &list[i]
		leaves[i] = tree.LeafHash(e.Header, e.WhoHash[:])
		b.Headers[i] = e.Header
		if e.WhoHash != ([32]byte{}) {
			b.Whos[i] = e.WhoHash[:]
		}
		if len(e.Who) > 0 {
			parts = append(parts, whos.Part{Index: uint16(i), Salt: e.Salt, Who: e.Who})
		}
	}
	r = r.AddAll(leaves)
	out := Batch{end: journaled.Position{Epoch: first.Epoch, Sequence: r.Size()}, root: wire.Hash(r.Root()), entries: len(list)}
	b.Root = out.root
	b.Signature = checkpoint.Checkpoint{Address: p.o.Address, Epoch: first.Epoch, Size: r.Size(), Root: b.Root}.Sign(p.o.Key)
	var err error
	if out.context, err = p.seals.seal(parts, &b); err != nil {
		return Batch{}, r, err
	}
	out.envelope, err = wire.SignBody(wire.Protected{Type: wire.TypeBatch, Role: wire.RoleGateway, Address: p.o.Address}, b, p.o.Key)
	if err != nil {
		return Batch{}, r, fmt.Errorf("pack batch from %d in epoch %016x: %w", first.Sequence, first.Epoch, err)
	}
	return out, r, nil
}
