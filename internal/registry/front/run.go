package front

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/commit"
	"gatehouse/internal/registry/front/disclosure/acts"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// Run serves until ctx ends or an indispensable part fails. Acked messages are on disk in any case;
// others are sent again.
func (f *Front) Run(ctx context.Context) (err error) {
	if f.store, err = store.Open(ctx, f.o.Config.path(api.FileDatabase), f.o.Log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.store.Close()) }()
	if f.acts, err = acts.Open(ctx, f.store, f.o.Config.path(api.FileAnswers), f.o.Now(), f.o.Log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.acts.Close()) }()
	if err := f.load(ctx); err != nil {
		return err
	}
	enrol, err := f.o.Network.Listen(ctx, "tcp", f.o.Config.EnrolListen)
	if err != nil {
		return fmt.Errorf("listen for enrolment: %w", err)
	}
	defer enrol.Close()
	own := f.socketServer()
	l, err := own.Listen(ctx)
	if err != nil {
		return err
	}
	defer l.Close()
	return serve(ctx, []part{
		{"worker", f.intake.Run}, {"store", f.committer.Run}, {"acks", f.settle}, {"lists", f.downlink.Wants.Run}, {"repeats", f.downlink.Unproved.Run},
		{"holdings", f.intake.RunQuestions},
		{"socket", func(ctx context.Context) error { return own.Serve(ctx, l) }},
		{"enrolment", func(ctx context.Context) error { return f.enrolment.Serve(ctx, enrol) }},
		{"certificates", f.page.Endings.Run}, {"retention", f.page.Retention.Run}, {"link", f.link.Run}, {"clock", f.keepClock},
		{"ready", func(ctx context.Context) error { return f.awaitReady(ctx, enrol.Addr().String()) }},
	})
}

// part is a goroutine of the front; it runs until ctx ends or it fails.
type part struct {
	what string
	run  func(ctx context.Context) error
}

// serve runs all parts, and ends all of them when one fails.
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

// settle carries out the outcomes of commits until ctx ends.
func (f *Front) settle(ctx context.Context) error {
	outcomes := f.committer.Outcomes()
	for {
		var replies []commit.Reply
		select {
		case <-ctx.Done():
			return nil
		case o := <-outcomes:
			replies = f.follow(o)
		}
		for range len(outcomes) {
			replies = append(replies, f.follow(<-outcomes)...)
		}
		waiting, capacity := f.intake.Waiting()
		f.downlink.Sender.Reply(replies, waiting, capacity)
	}
}

// follow carries out the outcome of a commit, except for the acks, which it returns.
func (f *Front) follow(o commit.Outcome) []commit.Reply {
	f.roster.Heard(o.Heard, o.At)
	for _, v := range o.Verdicts {
		f.roster.SetRefusal(v.Gateway, v.Refuses)
		if v.Refuses == wire.ReasonNone {
			f.downlink.Unproved.Proved(v.Gateway, v.List)
		}
	}
	if o.Records {
		f.inbox.Wake()
	}
	for _, m := range o.Messages {
		f.downlink.Sender.Send(m.Topic, m.Payload)
	}
	return o.Replies
}

// awaitReady reports when the link is connected, with the address of enrolment.
func (f *Front) awaitReady(ctx context.Context, enrol string) error {
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
	f.o.Log.Info().Str("registry", f.active.Load().Trust.Registry).Str("broker", f.o.Config.Broker).Str("mqtt", address).
		Str("enrol", enrol).Str("version", f.o.Version).Msg("gateways can connect")
	if f.o.Ready != nil {
		f.o.Ready(address, enrol)
	}
	return nil
}

// clockEvery is how often the clock is checked.
const clockEvery = time.Minute

// keepClock stores the agreed time, and logs when doubt in the clock begins and ends.
func (f *Front) keepClock(ctx context.Context) error {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	for told := agreed.None; ; {
		if err := f.clock.Save(); err != nil {
			f.o.Log.Error().Err(err).Msg("after a start the clock may be doubted for longer than it must")
		}
		if r := f.clock.Report(); r.Doubt != told {
			if told = r.Doubt; told == agreed.None {
				f.o.Log.Info().Msg("the clock is gone by again")
			} else {
				f.o.Log.Warn().Str("doubt", string(told)).Msg(r.Advice())
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
