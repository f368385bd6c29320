package front

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gatehouse/internal/network"
	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/backup"
	"gatehouse/internal/registry/front/commit"
	"gatehouse/internal/registry/front/document"
	"gatehouse/internal/registry/front/downlink"
	"gatehouse/internal/registry/front/enrolment"
	"gatehouse/internal/registry/front/inbox"
	"gatehouse/internal/registry/front/ingest"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/front/status"
	"gatehouse/internal/registry/ratelog"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"

	"github.com/rs/zerolog"
)

// Link is the way to the gateways: the embedded broker, or one elsewhere.
type Link interface {
	downlink.Link
	Run(ctx context.Context) error
	Connected() bool
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
	o       Options
	keys    ownKeys
	clock   *agreed.Clock
	active  document.Active
	limited *zerolog.Logger // for what any gateway, or its broker, can cause
	run     *running        // from Run's start on
}

// New makes a front: it reads keys and starts nothing.
func New(o Options) (*Front, error) {
	k, err := loadKeys(o.Config, ratelog.New(o.Log))
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
	f := &Front{o: o, keys: k, clock: clock, limited: ratelog.New(o.Log)}
	first, err := document.OpenTrust(k.trust, k.root, k.witnessPublic())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Config.path(api.FileTrust), err)
	}
	f.active.Store(first)
	return f, nil
}

// Run serves until ctx ends or something that it can't do without fails. What
// was acked is on disk whatever happens; what waited is sent again.
func (f *Front) Run(ctx context.Context) (err error) {
	r := &running{front: f, started: f.o.Now()}
	f.run = r
	if r.store, err = store.Open(ctx, f.o.Config.path(api.FileDatabase)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.store.Close()) }()
	if err := r.load(ctx); err != nil {
		return err
	}
	enrol, err := f.o.Network.Listen(ctx, "tcp", f.o.Config.EnrolListen)
	if err != nil {
		return fmt.Errorf("listen for enrolment: %w", err)
	}
	defer enrol.Close()
	own := r.socketServer()
	l, err := own.Listen(ctx)
	if err != nil {
		return err
	}
	defer l.Close()
	return serve(ctx, []part{
		{"worker", r.intake.Run}, {"store", r.committer.Run}, {"acks", r.settle}, {"lists", r.wants.Run}, {"repeats", r.unproved.Run},
		{"holdings", r.intake.RunQuestions},
		{"socket", func(ctx context.Context) error { return own.Serve(ctx, l) }},
		{"enrolment", func(ctx context.Context) error { return r.enrolment.Serve(ctx, enrol) }},
		{"certificates", r.page.Endings.Run}, {"link", r.link.Run}, {"clock", f.keepClock},
		{"ready", func(ctx context.Context) error { return r.awaitReady(ctx, enrol.Addr().String()) }},
	})
}

// running is what a front is made of while it runs.
type running struct {
	front     *Front
	started   time.Time
	store     *store.Store
	roster    *roster.Roster
	link      Link
	committer *commit.Committer
	intake    *ingest.Intake
	acks      *downlink.Acks
	wants     *downlink.Wants
	unproved  *downlink.Unproved
	documents *downlink.Documents
	inbox     *inbox.Inbox
	safety    *backup.Safety
	enrolment *enrolment.Server
	page      *status.Page
}

// part is something that runs until ctx ends or it fails.
type part struct {
	what string
	run  func(ctx context.Context) error
}

// serve runs every part, and ends all of them when one fails.
func serve(ctx context.Context, parts []part) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for _, p := range parts {
		running.Go(func() {
			if err := p.run(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", p.what, err))
			}
		})
	}
	running.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// settle does what follows from commits, until ctx ends.
func (r *running) settle(ctx context.Context) error {
	outcomes := r.committer.Outcomes()
	for {
		var replies []commit.Reply
		select {
		case <-ctx.Done():
			return nil
		case o := <-outcomes:
			replies = r.follow(o)
		}
		for more := true; more; {
			select {
			case o := <-outcomes:
				replies = append(replies, r.follow(o)...)
			default:
				more = false
			}
		}
		r.acks.Reply(replies)
	}
}

// follow does what follows from a commit but for the acks, which it returns.
func (r *running) follow(o commit.Outcome) []commit.Reply {
	r.roster.Heard(o.Heard, o.At)
	for _, v := range o.Verdicts {
		r.roster.SetRefusal(v.Gateway, v.Refuses)
		if v.Refuses == wire.ReasonNone {
			r.unproved.Proved(v.Gateway, v.List)
		}
	}
	if o.Records {
		r.inbox.Wake()
	}
	for _, m := range o.Messages {
		r.acks.Sender.Send(m.Topic, m.Payload)
	}
	return o.Replies
}

// awaitReady tells when the link stands, with the address of enrolment.
func (r *running) awaitReady(ctx context.Context, enrol string) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !r.link.Connected() {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	address := ""
	if own, ok := r.link.(interface{ Address() string }); ok {
		address = own.Address()
	}
	r.front.o.Log.Info().Str("registry", r.front.active.Load().Trust.Registry).Str("broker", r.front.o.Config.Broker).Str("mqtt", address).
		Str("enrol", enrol).Str("version", r.front.o.Version).Msg("gateways can connect")
	if r.front.o.Ready != nil {
		r.front.o.Ready(address, enrol)
	}
	return nil
}
