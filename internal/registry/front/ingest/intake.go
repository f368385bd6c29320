// Package ingest takes what gateways send: it checks signature and form of each
// message, so that a commit has only to store it. It never waits for room: a message
// that finds none is dropped, and its gateway sends it again.
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

// Bounds of what waits: at 64 KiB a message, 64 MiB in all.
const (
	maxQueue      = 1024 // messages of all gateways
	maxQueueOfOne = 64   // of one gateway
)

// Options of an Intake. All are needed.
type Options struct {
	Roster    *roster.Roster
	Clock     *agreed.Clock // told what gateways' clocks say
	Committer *commit.Committer
	Downlink  downlink.Downlink
	Inbox     *inbox.Inbox
	Formats   uint64          // of the wire that hellos may have, 1 to this one
	Limited   *zerolog.Logger // for what any gateway can cause
}

// Intake takes messages. Receive, Waiting and Counts may be called at any time from
// any goroutine.
type Intake struct {
	o      Options
	seed   maphash.Seed
	queues []chan message // one a worker

	dropped, refused atomic.Uint64

	mu      sync.Mutex
	waiting map[*roster.Gateway]int // messages that are queued or being opened
	all     int                     // of all gateways
}

// message is one as it came from the link.
type message struct {
	g       *roster.Gateway
	key     wire.Key
	kind    string
	payload []byte
}

// New makes an Intake; it starts nothing.
func New(o Options) *Intake {
	in := &Intake{o: o, seed: maphash.MakeSeed(), waiting: map[*roster.Gateway]int{}}
	workers := max(2, min(8, runtime.GOMAXPROCS(0)))
	for range workers {
		in.queues = append(in.queues, make(chan message, maxQueue/workers))
	}
	return in
}

// Waiting returns how many messages wait to be stored, and for how many there is room.
func (in *Intake) Waiting() (n, room int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.all + in.o.Committer.Waiting(), len(in.queues) * cap(in.queues[0])
}

// Counts returns how many messages were dropped since there was no room, and how many
// were refused.
func (in *Intake) Counts() (dropped, refused uint64) {
	return in.dropped.Load() + in.o.Downlink.Wants.Dropped(), in.refused.Load()
}

// Receive takes what comes from the link, and returns at once.
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
	// One gateway's messages stay in order: they go to one worker.
	q := in.queues[maphash.String(in.seed, g.Address())%uint64(len(in.queues))]
	select {
	case q <- message{g, key, kind, payload}:
	default:
		in.leave(g)
		in.dropped.Add(1)
	}
}

// enter counts a message that waits, and reports whether its gateway may have so many.
func (in *Intake) enter(g *roster.Gateway) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.waiting[g] >= maxQueueOfOne {
		return false
	}
	in.waiting[g]++
	in.all++
	return true
}

func (in *Intake) leave(g *roster.Gateway) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.all--
	if in.waiting[g]--; in.waiting[g] == 0 {
		delete(in.waiting, g)
	}
}

// Run opens messages until ctx ends.
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
			err := in.open(ctx, m)
			in.leave(m.g)
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

// open checks the signature and the form of a message, and passes it on.
func (in *Intake) open(ctx context.Context, m message) error {
	expect := wire.Expect{Type: m.kind, Role: wire.RoleGateway, Address: m.g.Address()}
	if m.kind == wire.TypeHello {
		expect.Newest = in.o.Formats
	}
	payload, p, err := wire.Open(m.payload, expect, []wire.Key{m.key})
	if err != nil {
		return err
	}
	m.g.Spoke()
	j := commit.Job{Gateway: m.g, Size: len(m.payload)}
	switch m.kind {
	case wire.TypeHello:
		j.Work, err = openHello(in.o, m.g, p.Version, payload)
	case wire.TypeBatch:
		j.Work, err = openBatch(m, payload)
	case wire.TypeNotice:
		j.Work, err = openNotice(payload)
	case wire.TypeDelivery:
		j.Work, err = openRecord(in.o.Roster, m, payload)
	case wire.TypeWant:
		var w wire.Want
		if err := wire.Decode(payload, &w); err != nil {
			return err
		}
		in.o.Downlink.Wants.Ask(m.g, w)
		return nil
	case wire.TypeStatus:
		return in.takeStatus(m.g, payload)
	case wire.TypeHolding:
		return in.takeHolding(m, payload)
	default:
		return fmt.Errorf("%w: gateways send no %q", wire.ErrWrongType, m.kind)
	}
	if err != nil {
		return err
	}
	in.o.Committer.Submit(ctx, j)
	return nil
}

// takeStatus takes the last will of the connection on which the newest hello came. The
// opposite status adds nothing to the hello and could be a replay, so it is ignored.
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

// takeHolding takes a part of what a gateway holds.
func (in *Intake) takeHolding(m message, payload []byte) error {
	var part wire.Holding
	if err := wire.Decode(payload, &part); err != nil {
		return err
	}
	s := in.o.Roster.Look(m.g)
	if !(s.View.Lacks || s.View.Pressed) || part.Nonce != s.View.Nonce {
		return errUnasked
	}
	return in.o.Inbox.AddHolding(s.Place, part, m.payload)
}

// askEvery is how often gateways are asked again that have not handed over what they hold.
const askEvery = 20 * time.Second

// RunQuestions asks gateways for what they hold, until ctx ends: those that have not
// answered, and those that were not asked since the issuer had not said what is known.
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
