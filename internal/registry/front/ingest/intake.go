// Package ingest receives the gateways' messages: it checks signature and form of each, so that it
// only has to be stored. It never waits for a full queue: the message is dropped, and its gateway
// sends it again.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/front/commit"
	"gatehouse/internal/registry/front/downlink"
	"gatehouse/internal/registry/front/inbox"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/sync/wire"
)

// Bounds of the queues: at 64 KiB a message, 64 MiB in all.
const (
	maxQueue      = 1024 // messages from all gateways
	maxQueueOfOne = 64   // from one gateway
)

// Options of an Intake. All are needed.
type Options struct {
	Roster    *roster.Roster
	Clock     *agreed.Clock // gets the gateways' times
	Committer *commit.Committer
	Downlink  downlink.Downlink
	Inbox     *inbox.Inbox
	Formats   uint64          // wire formats of hellos and batches, 1 to this one
	Limited   *zerolog.Logger // rate-limited, for events that any gateway can cause
}

// Intake receives messages. Receive, Waiting and Counts are safe for concurrent use.
type Intake struct {
	o      Options
	seed   maphash.Seed
	queues []chan message // one for each worker

	dropped, refused atomic.Uint64

	mu      sync.Mutex
	waiting map[*roster.Gateway]int // messages that are queued or being checked
	all     int                     // from all gateways
}

// message is a message from the link.
type message struct {
	g       *roster.Gateway
	key     wire.Key
	kind    string
	payload []byte
}

// New returns an Intake. Run starts it.
func New(o Options) *Intake {
	in := &Intake{o: o, seed: maphash.MakeSeed(), waiting: map[*roster.Gateway]int{}}
	workers := max(2, min(8, runtime.GOMAXPROCS(0)))
	for range workers {
		in.queues = append(in.queues, make(chan message, maxQueue/workers))
	}
	return in
}

// Waiting returns how many messages wait to be stored, and the most that may.
func (in *Intake) Waiting() (n, capacity int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.all + in.o.Committer.Waiting(), len(in.queues) * cap(in.queues[0])
}

// Counts returns how many messages were dropped since the queues were full, and how many were
// refused.
func (in *Intake) Counts() (dropped, refused uint64) {
	return in.dropped.Load() + in.o.Downlink.Wants.Dropped(), in.refused.Load()
}

// Receive takes a message from the link, and returns at once.
func (in *Intake) Receive(topic string, payload []byte) {
	p, dir, kind, err := wire.ParseTopic(topic)
	if err != nil || len(payload) > wire.MaxMessage {
		in.refused.Add(1)
		return
	}
	switch dir {
	case wire.DirStatus:
		kind = wire.TypeStatus
	case wire.DirUp:
	default:
		return
	}
	g, key, ok := in.o.Roster.Member(p)
	if !ok {
		in.refused.Add(1)
		return
	}
	if !in.enter(g) {
		in.dropped.Add(1)
		return
	}
	// A gateway's messages stay in order, since one worker gets them all.
	q := in.queues[maphash.String(in.seed, g.Address())%uint64(len(in.queues))]
	select {
	case q <- message{g, key, kind, payload}:
	default:
		in.leave(g)
		in.dropped.Add(1)
	}
}

// enter counts a waiting message, and reports whether its gateway may have another.
func (in *Intake) enter(g *roster.Gateway) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.waiting[g] >= maxQueueOfOne {
		return false
	}
	in.waiting[g]++
	in.all++
	in.o.Committer.Expect(1)
	return true
}

func (in *Intake) leave(g *roster.Gateway) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.all--
	in.o.Committer.Expect(-1)
	if in.waiting[g]--; in.waiting[g] == 0 {
		delete(in.waiting, g)
	}
}

// Run checks messages until ctx ends.
func (in *Intake) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	for _, q := range in.queues {
		workers.Go(func() { in.work(ctx, q) })
	}
	workers.Wait()
	return nil
}

func (in *Intake) work(ctx context.Context, queue <-chan message) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-queue:
			work, err := in.open(m)
			in.leave(m.g)
			if err == nil && work != nil {
				in.o.Committer.Submit(ctx, commit.Job{Gateway: m.g, Size: len(m.payload), Work: work})
			}
			if err != nil {
				in.refused.Add(1)
				if m.kind == wire.TypeHello && errors.Is(err, wire.ErrUnknownKey) {
					in.o.Roster.HeardStranger(m.g)
				}
				in.o.Limited.Warn().Err(err).Str("gateway", m.g.Address()).Str("type", m.kind).Msg("a message is refused")
			}
		}
	}
}

// open checks the signature and the form of a message. It returns what is to be stored of it; nil: it
// was taken otherwise.
func (in *Intake) open(m message) (commit.Work, error) {
	expect := wire.Expect{Type: m.kind, Role: wire.RoleGateway, Address: m.g.Address()}
	switch m.kind {
	case wire.TypeHello:
		expect.Newest = min(in.o.Formats, wire.VersionOf(wire.Hello2{}))
	case wire.TypeBatch:
		expect.Newest = in.o.Formats
	}
	payload, p, err := wire.Open(m.payload, expect, []wire.Key{m.key})
	if err != nil {
		return nil, err
	}
	m.g.Spoke()
	switch m.kind {
	case wire.TypeHello:
		return openHello(in.o, m.g, p.Version, payload)
	case wire.TypeBatch:
		return openBatch(m, p.Version, payload)
	case wire.TypeNotice:
		return openNotice(payload)
	case wire.TypeDelivery:
		return openRecord(in.o.Roster, m, payload)
	case wire.TypeWant:
		var w wire.Want
		if err := wire.Decode(payload, &w); err != nil {
			return nil, err
		}
		in.o.Downlink.Wants.Ask(m.g, w)
		return nil, nil
	case wire.TypeStatus:
		return nil, in.takeStatus(m.g, payload)
	case wire.TypeHolding:
		return nil, in.takeHolding(m, payload)
	}
	return nil, fmt.Errorf("%w: gateways send no %q", wire.ErrWrongType, m.kind)
}

// takeStatus handles a last will. It counts if the newest hello came on its connection. An online
// status adds nothing to the hello and may be a replay, so it is ignored.
func (in *Intake) takeStatus(g *roster.Gateway, payload []byte) error {
	var s wire.Status
	if err := wire.Decode(payload, &s); err != nil {
		return err
	}
	if !s.Online {
		in.o.Roster.Leave(g, s.Nonce)
	}
	return nil
}

var errUnasked = errors.New("nobody asked for what the gateway holds")

// takeHolding handles a part of what a gateway holds.
func (in *Intake) takeHolding(m message, payload []byte) error {
	var part wire.Holding
	if err := wire.Decode(payload, &part); err != nil {
		return err
	}
	s := in.o.Roster.Look(m.g)
	if !(s.View.Lacks || s.View.HandOver) || part.Nonce != s.View.Nonce {
		return errUnasked
	}
	return in.o.Inbox.AddHolding(s.Place, part, m.payload)
}

// askEvery is how often gateways that have not handed over what they hold are asked again.
const askEvery = 20 * time.Second

// RunQuestions asks gateways for what they hold, until ctx ends: those that have not answered, and
// those that were not asked because the issuer had not yet published what is known.
func (in *Intake) RunQuestions(ctx context.Context) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, g := range in.o.Roster.Unanswered(inbox.MaxHoldings) {
			in.o.Committer.Submit(ctx, commit.Job{Gateway: g, Work: question{}})
		}
	}
}
