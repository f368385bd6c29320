package front

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/network"
	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/seldom"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"

	"github.com/rs/zerolog"
)

// Link is the way to the gateways: the embedded broker, or one elsewhere.
type Link interface {
	Run(ctx context.Context) error
	// Publish sends as far as it can be sent now; nobody confirms it.
	Publish(topic string, payload []byte) error
	Connected() bool
	// Disconnect ends the connections of a gateway, where the link can.
	Disconnect(wire.Place)
}

// Options of a front. Config is as LoadConfig returns it.
type Options struct {
	Config  Config
	Version string
	Log     zerolog.Logger
	// Formats are the wire formats that it speaks, 1 to this one; 0: all that this
	// program knows.
	Formats uint64
	// Link makes another link than the configured one; it hands what gateways
	// send to receive, which returns at once. For tests and simulators.
	Link func(receive func(topic string, payload []byte)) (Link, error)
	// Ready is called once, when gateways can connect, with the addresses
	// (host:port) of the embedded broker and of enrolment.
	Ready func(broker, enrol string)
	// Now is the wall clock of what is stored, sent or compared with something
	// stored; nil: time.Now.
	Now func() time.Time
	// Clock is what the wall clock is held against; zero: the machine's clocks, or
	// with Now nothing.
	Clock   agreed.Source
	Network network.Network // where the socket and enrolment are
	// Chance returns a time by chance below a limit above 0, so that gateways that
	// have to wait do not come back at once; nil: any.
	Chance func(limit time.Duration) time.Duration
	// WorkWait is the longest time that the issuer's question for work is held when
	// there is none; 0: a minute.
	WorkWait time.Duration
	// WorkGather is how long such a question is held when there is work, for what
	// comes in the same moment; 0: not at all.
	WorkGather time.Duration
}

// Front is the registry's front.
type Front struct {
	o         Options
	keys      ownKeys
	clock     *agreed.Clock
	link      Link
	enrol     net.Listener
	started   time.Time
	authority atomic.Pointer[authority]
	store     *store.Store
	queues    []chan message // one a worker
	jobs      chan job
	answers   chan []reply
	wants     chan want
	repeat    chan struct{} // a list was pushed
	inbox     *inbox
	safety    *safety
	putBack   time.Time // when a copy was put in the place of the database last; zero: never
	holdings  *holdings
	began     time.Time       // of Run, by this process's own clock
	seldom    *zerolog.Logger // for what any gateway, or its broker, can cause

	dropped, refused, failed atomic.Uint64
	failing                  atomic.Int64 // unix s of the first message that could not be stored, with none stored since; 0: the last was

	documents sync.Mutex   // one document or list at a time
	mu        sync.RWMutex // guards what follows and what it names
	buildings map[string]*building
	gateways  map[string]*gateway // by address
	pushes    map[*gateway]*push
}

// Bounds of what waits: at 64 KiB a message, 64 MiB in all.
const (
	maxQueue      = 1024 // messages of all gateways
	maxQueueOfOne = 64   // of one gateway
	maxJobs       = 128  // opened, before the commit
	maxWants      = 256
)

// New makes a front: it reads keys and starts nothing.
func New(o Options) (*Front, error) {
	k, err := loadKeys(o.Config, seldom.Log(o.Log))
	if err != nil {
		return nil, err
	}
	clock, err := agreed.Open(o.Config.path(agreed.File), o.Clock.Or(o.Now))
	if err != nil {
		return nil, err
	}
	o.Now = clock.Likely
	if o.Formats == 0 || o.Formats > wire.Formats {
		o.Formats = wire.Formats
	}
	if o.WorkWait <= 0 {
		o.WorkWait = maxWorkWait
	}
	f := &Front{o: o, keys: k, clock: clock, jobs: make(chan job, maxJobs), answers: make(chan []reply, 16), wants: make(chan want, maxWants),
		buildings: map[string]*building{}, gateways: map[string]*gateway{}, pushes: map[*gateway]*push{}, repeat: make(chan struct{}, 1), inbox: newInbox(), safety: newSafety(), holdings: newHoldings(), seldom: seldom.Log(o.Log)}
	workers := max(2, min(8, runtime.GOMAXPROCS(0)))
	for range workers {
		f.queues = append(f.queues, make(chan message, maxQueue/workers))
	}
	first, err := openTrust(k.trust, k.root, k.witnessPublic())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Config.path(api.FileTrust), err)
	}
	f.authority.Store(first)
	if o.Link == nil {
		f.link, err = f.configuredLink()
	} else {
		f.link, err = o.Link(f.receive)
	}
	return f, err
}

// Run serves until ctx ends or something that it can't do without fails. What
// was acked is on disk whatever happens; what waited is sent again.
func (f *Front) Run(ctx context.Context) (err error) {
	f.started, f.began = f.o.Now(), time.Now()
	if f.store, err = store.Open(ctx, f.o.Config.path(api.FileDatabase)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.store.Close()) }()
	if err := f.load(ctx); err != nil {
		return err
	}
	if f.enrol, err = f.o.Network.Listen(ctx, "tcp", f.o.Config.EnrolListen); err != nil {
		return fmt.Errorf("listen for enrolment: %w", err)
	}
	defer f.enrol.Close()
	own := f.socketServer()
	l, err := own.Listen(ctx)
	if err != nil {
		return err
	}
	defer l.Close()
	return f.runAll(ctx, func(ctx context.Context) error { return own.Serve(ctx, l) })
}

// runAll runs every part, and ends all of them when one fails.
func (f *Front) runAll(ctx context.Context, socket func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var parts sync.WaitGroup
	run := func(what string, part func(context.Context) error) {
		parts.Go(func() {
			if err := part(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", what, err))
			}
		})
	}
	for _, q := range f.queues {
		run("worker", func(ctx context.Context) error { return f.work(ctx, q) })
	}
	run("store", f.commitLoop)
	run("acks", f.replyLoop)
	run("lists", f.wantLoop)
	run("repeats", f.repeatLoop)
	run("holdings", f.askLoop)
	run("socket", socket)
	run("enrolment", f.serveEnrolment)
	run("certificates", f.endingsLoop)
	run("link", f.link.Run)
	run("clock", f.keepClock)
	run("ready", f.awaitReady)
	parts.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// awaitReady tells when the link stands.
func (f *Front) awaitReady(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !f.link.Connected() {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	address := ""
	if own, ok := f.link.(interface{ Address() string }); ok {
		address = own.Address()
	}
	f.o.Log.Info().Str("registry", f.authority.Load().trust.Registry).Str("broker", f.o.Config.Broker).Str("mqtt", address).
		Str("enrol", f.enrol.Addr().String()).Str("version", f.o.Version).Msg("gateways can connect")
	if f.o.Ready != nil {
		f.o.Ready(address, f.enrol.Addr().String())
	}
	return nil
}

// load reads the documents and what is known of the gateways.
func (f *Front) load(ctx context.Context) error {
	if err := f.loadTrust(ctx); err != nil {
		return err
	}
	if err := f.loadSafety(ctx); err != nil {
		return err
	}
	known, err := f.store.Gateways(ctx, "", f.o.Now())
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range known {
		g := f.gatewayAt(k.Place)
		g.books = ledger{id: k.ID, epoch: k.Epoch, line: k.Line, count: k.Records, renew: k.Renew, owing: k.Owing}
		if k.Hello != nil && g.view.read(k.Hello) {
			g.view.nonce, g.view.heard = g.view.hello.Nonce, k.HelloAt
			g.said.add(g.view.nonce)
			g.books.epoch = answerEpoch(g.view.hello)
		}
	}
	if err := f.loadUndos(ctx); err != nil {
		return err
	}
	a := f.authority.Load()
	err = f.store.Houses(ctx, func(building string, envelope, old []byte) error {
		h, err := a.openHouse(building, envelope)
		if err != nil {
			// Its issuer is trusted no more: its gateways wait for a new one.
			f.o.Log.Error().Err(err).Msg("a stored document is not in force")
			return nil
		}
		f.setHouse(building, h, envelope, old)
		return nil
	})
	if err != nil {
		return err
	}
	err = f.store.Lists(ctx, func(l store.List, at time.Time) error {
		head, err := headOf(l)
		if err != nil {
			return fmt.Errorf("stored list of %s: %w", l.Building, err)
		}
		b := f.buildingOf(l.Building)
		b.list, b.listAt = head, at
		return nil
	})
	// A list that this front's last run may not have sent: who stayed connected to a
	// broker elsewhere says no hello, and would hear of it in hours.
	for _, k := range known {
		if b := f.buildings[k.Place.Building]; b != nil && b.list.Version > 0 && k.Applied != b.list.Version {
			f.owes(f.gatewayAt(k.Place), b.list.List, time.Now())
		}
	}
	return err
}

// loadTrust takes the newer of the stored Trust document and the one in the
// folder of keys.
func (f *Front) loadTrust(ctx context.Context) error {
	first := f.authority.Load()
	var stored *authority
	err := f.store.Trusts(ctx, func(envelope []byte) error {
		next, err := openTrust(envelope, f.keys.root, f.keys.witnessPublic())
		if err != nil {
			return fmt.Errorf("stored %w", err)
		}
		if stored != nil {
			next, err = stored.follow(next)
		}
		stored = next
		return err
	})
	if err != nil {
		return err
	}
	switch {
	case stored == nil:
		stored = first
	case stored.trust.Registry != first.trust.Registry:
		return fmt.Errorf("the database in %s is of registry %s, the keys are of %s", filepath.Dir(f.o.Config.path("x")), stored.trust.Registry, first.trust.Registry)
	case stored.trust.Version < first.trust.Version:
		if stored, err = stored.follow(first); err != nil {
			return err
		}
	}
	f.authority.Store(stored)
	return f.store.Update(ctx, func(tx *store.Tx) error { return tx.PutTrust(stored.trust.Version, stored.envelope) })
}
