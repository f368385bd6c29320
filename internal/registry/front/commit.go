package front

import (
	"context"
	"time"

	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// Bounds of a transaction that many messages share: one sync to disk for all.
const (
	maxCommitJobs  = 256
	maxCommitBytes = 8 << 20
	maxRanges      = 1 << 14 // in memory: some 20 MB
)

type rangeKey struct {
	gateway int64
	epoch   uint64
}

// committer owns what the next message of every gateway depends on.
type committer struct {
	front  *Front
	ranges map[rangeKey]tree.Range
}

// txn is one transaction with what it changes in memory, so that nothing of it
// remains when it fails.
type txn struct {
	*store.Tx
	front   *Front
	now     time.Time // as far as it is known: what things are stored with
	at      time.Time // agreed: what is signed
	unsure  bool      // the clock is in doubt
	cache   map[rangeKey]tree.Range
	ranges  map[rangeKey]tree.Range // changed
	books   map[*gateway]*ledger    // changed, maybe
	acks    []ackKey
	acked   map[ackKey]bool
	heard   []*gateway // by something new
	proved  []proof
	records bool // there is work for the issuer
	entries uint64
}

// proof is a list_applied entry that came.
type proof struct {
	g       *gateway
	list    wire.Hash
	refuses wire.Reason // it says that it does not take one, or not whole
}

// ackKey names an ack: where a gateway stands in an epoch.
type ackKey struct {
	g     *gateway
	epoch uint64
}

// commitLoop stores jobs, as many at a time as there are.
func (f *Front) commitLoop(ctx context.Context) error {
	c := &committer{front: f, ranges: map[rangeKey]tree.Range{}}
	for {
		var jobs []job
		select {
		case <-ctx.Done():
			return nil
		case j := <-f.jobs:
			jobs = append(jobs, j)
		}
		for size := jobs[0].size; size < maxCommitBytes && len(jobs) < maxCommitJobs; {
			select {
			case j := <-f.jobs:
				jobs, size = append(jobs, j), size+j.size
				continue
			default:
			}
			break
		}
		replies := c.commit(ctx, jobs)
		select {
		case f.answers <- replies:
		case <-ctx.Done():
		}
	}
}

// commit stores the jobs in one transaction. If that fails each gets its own,
// so that a bad one takes no other with it; what can't be stored is not acked,
// and comes again.
func (c *committer) commit(ctx context.Context, jobs []job) []reply {
	replies, err := c.try(ctx, jobs)
	if err == nil {
		c.front.failing.Store(0)
		return replies
	}
	if len(jobs) == 1 {
		c.front.failed.Add(1)
		c.front.failing.CompareAndSwap(0, c.front.o.Now().Unix())
		c.front.o.Log.Error().Err(err).Str("gateway", jobs[0].g.address).Msg("a message can't be stored")
		select { // a full disk is not to be asked a thousand times a second
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
		return nil
	}
	for i := range jobs {
		if ctx.Err() == nil {
			replies = append(replies, c.commit(ctx, jobs[i:i+1])...)
		}
	}
	return replies
}

func (c *committer) try(ctx context.Context, jobs []job) ([]reply, error) {
	at, doubt := c.front.clock.Now()
	t := &txn{front: c.front, now: c.front.o.Now(), at: at, unsure: doubt != agreed.None, cache: c.ranges, ranges: map[rangeKey]tree.Range{},
		books: map[*gateway]*ledger{}, acked: map[ackKey]bool{}}
	var replies []reply
	err := c.front.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		t.Tx = tx
		for _, j := range jobs {
			if err := j.work.store(t, j.g); err != nil {
				return err
			}
		}
		if err := t.saveRanges(); err != nil {
			return err
		}
		return t.replies(&replies)
	})
	if err != nil {
		return nil, err
	}
	c.done(t)
	return replies, nil
}

// done takes over what was committed.
func (c *committer) done(t *txn) {
	for key, r := range t.ranges {
		if len(c.ranges) >= maxRanges {
			for other := range c.ranges { // any: it can be read again
				delete(c.ranges, other)
				break
			}
		}
		c.ranges[key] = r
	}
	c.front.mu.Lock()
	for g, l := range t.books {
		g.books = *l
	}
	for _, g := range t.heard {
		g.view.heard = t.now
	}
	for _, p := range t.proved {
		c.front.said(p)
	}
	c.front.mu.Unlock()
	if t.records {
		c.front.inbox.wake()
	}
}

// ledger returns what is known of a gateway, to be changed in place.
func (t *txn) ledger(g *gateway) (*ledger, error) {
	if l := t.books[g]; l != nil {
		return l, nil
	}
	l := g.books
	if l.id == 0 {
		t.front.mu.RLock()
		p := g.place
		t.front.mu.RUnlock()
		var err error
		if l.id, err = t.Gateway(p); err != nil {
			return nil, err
		}
	}
	t.books[g] = &l
	return &l, nil
}

func (t *txn) rangeOf(gateway int64, epoch uint64) (tree.Range, error) {
	key := rangeKey{gateway, epoch}
	if r, ok := t.ranges[key]; ok {
		return r, nil
	}
	if r, ok := t.cache[key]; ok {
		return r, nil
	}
	return t.Range(gateway, epoch)
}

func (t *txn) setRange(gateway int64, epoch uint64, r tree.Range) error {
	t.ranges[rangeKey{gateway, epoch}] = r
	return nil
}

func (t *txn) saveRanges() error {
	for key, r := range t.ranges {
		if err := t.SetRange(key.gateway, key.epoch, r, t.now); err != nil {
			return err
		}
	}
	return nil
}

// ack asks for one ack after the commit, however many messages it answers.
func (t *txn) ack(g *gateway, epoch uint64) {
	key := ackKey{g, epoch}
	if !t.acked[key] {
		t.acked[key] = true
		t.acks = append(t.acks, key)
	}
}

func (t *txn) replies(into *[]reply) error {
	for _, key := range t.acks {
		l := t.books[key.g]
		r, err := t.rangeOf(l.id, key.epoch)
		if err != nil {
			return err
		}
		line, count, err := t.numbering(l)
		if err != nil {
			return err
		}
		cosign, err := t.cosign(l, key.epoch, r)
		if err != nil {
			return err
		}
		*into = append(*into, reply{g: key.g, epoch: key.epoch, at: r, line: line, count: count, hold: l.held(t.now),
			safe: t.front.safety.of(l.id, store.MarkEntries, key.epoch, r.Size()), safeRecords: t.front.safety.of(l.id, store.MarkRecords, line, count), time: uint32(t.at.Unix()), unsure: t.unsure, cosign: cosign})
	}
	return nil
}
