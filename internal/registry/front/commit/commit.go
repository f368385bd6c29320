// Package commit stores the messages of gateways, many in one transaction, and has the state on
// which the next message of each gateway depends. What follows from a commit (acks, messages, work
// for the issuer) is an Outcome, which the caller carries out.
package commit

import (
	"context"
	"crypto/ed25519"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/backoff"
	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/front/backup"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// Bounds of a transaction, which many messages share: one sync to disk for all.
const (
	maxJobs        = 128 // in the queue
	maxCommitJobs  = 256
	maxCommitBytes = 8 << 20
	// gatherMost is how long a transaction waits for messages that are being checked, so that those
	// of many gateways share a sync although they are not checked in the same moment.
	gatherMost = time.Millisecond
)

// Job is a message that was opened and checked, and is to be stored.
type Job struct {
	Gateway *roster.Gateway // the sender
	Size    int             // bytes
	Work    Work
}

// Work is the change that a message makes in the store.
type Work interface {
	Store(t *Txn, sender *roster.Gateway, its *Ledger) error
}

// Committer stores jobs. Submit, Waiting, Failing and Short are safe for concurrent use.
type Committer struct {
	o        Options
	jobs     chan Job
	outcomes chan Outcome
	memory   *memory

	coming  atomic.Int64 // messages that are checked, and may be submitted
	failed  atomic.Uint64
	failing atomic.Int64 // Unix s of the first failure since the last success; 0: the last message was stored
}

// New returns a Committer. Run starts it.
func New(o Options) *Committer {
	if o.CosignEvery == 0 {
		o.CosignEvery = cosignEvery
	}
	return &Committer{o: o, jobs: make(chan Job, maxJobs), outcomes: make(chan Outcome, 16), memory: newMemory()}
}

// Submit queues a job. It waits while the queue is full, or until ctx ends.
func (c *Committer) Submit(ctx context.Context, j Job) {
	select {
	case c.jobs <- j:
	case <-ctx.Done():
	}
}

// Expect notes that n more messages are being checked, or with a negative n that they no longer are. A
// message is no longer expected before it is submitted.
func (c *Committer) Expect(n int64) { c.coming.Add(n) }

// Waiting returns the number of queued jobs.
func (c *Committer) Waiting() int { return len(c.jobs) }

// Outcomes returns the channel of the commits' outcomes, in order.
func (c *Committer) Outcomes() <-chan Outcome { return c.outcomes }

// Failing returns since when no message can be stored (Unix s; 0: the last one was stored), and how
// many have failed since the start.
func (c *Committer) Failing() (since int64, failed uint64) { return c.failing.Load(), c.failed.Load() }

// Short returns since when a gateway's hellos have named entries that do not arrive although it was
// not asked to wait; zero: all are stored, or they arrive.
func (c *Committer) Short(g *roster.Gateway, now time.Time) time.Time {
	l := c.memory.ledger(g)
	if l.held(now) > 0 {
		return time.Time{}
	}
	return l.short
}

// Run stores jobs, as many at a time as are queued or expected, until ctx ends.
func (c *Committer) Run(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		jobs := c.gather(ctx, look.C)
		if ctx.Err() != nil {
			return nil
		}
		for _, o := range c.commit(ctx, jobs) {
			select {
			case c.outcomes <- o:
			case <-ctx.Done():
			}
		}
	}
}

// gather returns the jobs of the next transaction, until ctx ends; look tells when to add what is owed.
func (c *Committer) gather(ctx context.Context, look <-chan time.Time) (jobs []Job) {
	var size int
	var enough <-chan time.Time // set with the first wait for an expected job
	for len(jobs) < maxCommitJobs && size < maxCommitBytes {
		if len(jobs) > 0 && len(c.jobs) == 0 {
			if c.coming.Load() <= 0 {
				break
			}
			if enough == nil {
				enough = time.After(gatherMost)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case j := <-c.jobs:
			jobs, size = append(jobs, j), size+j.Size
		case <-look:
			jobs = append(jobs, c.owed()...)
		case <-enough:
			return jobs
		}
	}
	return jobs
}

// commit stores the jobs in one transaction. If that fails each gets its own, so that only a bad
// one fails; a message that can't be stored is not acked, and comes again.
func (c *Committer) commit(ctx context.Context, jobs []Job) []Outcome {
	out, err := c.try(ctx, jobs)
	if err == nil {
		c.failing.Store(0)
		return []Outcome{out}
	}
	if len(jobs) == 1 {
		c.failed.Add(1)
		c.failing.CompareAndSwap(0, c.o.Now().Unix())
		c.o.Log.Error().Err(err).Str("gateway", jobs[0].Gateway.Address()).Msg("a message can't be stored")
		backoff.Sleep(ctx, 100*time.Millisecond) // a full disk is not to be tried a thousand times a second
		return nil
	}
	var all []Outcome
	for i := 0; i < len(jobs) && ctx.Err() == nil; i++ {
		all = append(all, c.commit(ctx, jobs[i:i+1])...)
	}
	return all
}

func (c *Committer) try(ctx context.Context, jobs []Job) (Outcome, error) {
	t := c.begin()
	err := c.o.Store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		t.Tx = tx
		for _, j := range jobs {
			l, err := t.Ledger(j.Gateway)
			if err == nil {
				err = j.Work.Store(t, j.Gateway, l)
			}
			if err != nil {
				return err
			}
		}
		for key, r := range t.ranges {
			if err := t.SetRange(key.gateway, key.epoch, r, t.Now); err != nil {
				return err
			}
		}
		return t.makeReplies()
	})
	if err != nil {
		return Outcome{}, err
	}
	c.memory.keep(t)
	return t.Outcome, nil
}

// begin returns a transaction without a Tx.
func (c *Committer) begin() *Txn {
	at, doubt := c.o.Clock.Now()
	now := c.o.Now()
	return &Txn{Outcome: Outcome{At: now}, Now: now, Roster: c.o.Roster, Log: &c.o.Log, o: &c.o, memory: c.memory, agreed: at, unsure: doubt != agreed.None,
		ranges: map[rangeKey]tree.Range{}, ledgers: map[*roster.Gateway]*Ledger{}, cosigns: map[ackKey]cosigning{}}
}

// Options of a Committer. All but CosignEvery are needed.
type Options struct {
	Store   *store.Store
	Roster  *roster.Roster
	Safety  *backup.Safety
	Clock   *agreed.Clock
	Now     func() time.Time  // time of storing
	Witness ed25519.PublicKey // of cosignatures
	PerDay  int64             // quota of one gateway: bytes of new entries
	// CosignEvery is the least time between cosignatures of an epoch, except in answers to hellos; 0: 3 s.
	CosignEvery time.Duration
	Log         zerolog.Logger
	Limited     *zerolog.Logger // rate-limited, for events that any gateway can cause
}

// Outcome is what follows from a commit, in this order.
type Outcome struct {
	Heard    []*roster.Gateway // new data of these was stored
	At       time.Time         // of the commit
	Verdicts []Verdict
	Records  bool      // there is work for the issuer
	Messages []Message // to gateways
	Replies  []Reply
}

// Verdict is the state of a list by a stored entry: active, or refused.
type Verdict struct {
	Gateway *roster.Gateway
	List    wire.Hash
	Refuses wire.Reason // ReasonNone: the list is active
}

// Message is a message to a gateway.
type Message struct {
	Topic   string
	Payload []byte
}

// Reply is an ack, except for the fields that are only known when it is sent.
type Reply struct {
	Gateway *roster.Gateway
	Ack     wire.Ack2
	Hold    uint16 // for how long the gateway should send no batches, s
	Cosign  bool   // the witness may sign the tree at Ack.Time
}
