// Package fleet plays many gateways at one registry. The gateways are light: doors, disk and desk
// are left out; what speaks to the registry is the real uplink over the real link, with keys and a
// certificate of each gateway's own. The registry's front is the real one, a process of its own.
//
// It believes nothing that either end says of itself where it can count: what was entered is counted
// here, and read back from the registry's store at the end.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// Options of a Fleet. Tell may be nil.
type Options struct {
	Dir         string        // for the registry; empty
	Gateways    int           // each in a building of its own
	Rate        float64       // entries a second of the whole fleet
	For         time.Duration // how long it lasts, once all are connected
	Revocations int           // within that time, each in a building by chance
	Settle      time.Duration // how long the gateways may take to be in step, and the last entries to be signed for
	Tell        func(Progress)
}

// Progress is how far a fleet is.
type Progress struct {
	Doing     string // what it does now
	Connected int    // gateways in step with the registry
	Entries   uint64 // made
	Unacked   int    // of them not signed for yet
}

// Fleet is a registry and its gateways.
type Fleet struct {
	o         Options
	centre    *centre
	buildings []*building
	acks      latencies
	revoked   latencies
	report    Report
}

// New makes the keys and documents of a registry and its gateways. Nothing runs yet.
func New(ctx context.Context, o Options) (*Fleet, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Tell == nil {
		o.Tell = func(Progress) {}
	}
	f := &Fleet{o: o}
	var err error
	if f.centre, err = newCentre(o.Dir); err != nil {
		return nil, err
	}
	o.Tell(Progress{Doing: "making keys and certificates"})
	for n := range o.Gateways {
		b, err := f.centre.newBuilding(n)
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		f.buildings = append(f.buildings, b)
	}
	return f, f.centre.settle(ctx, f.buildings, &f.acks)
}

// reserve is how many files this program opens besides a connection for each gateway.
const reserve = 200

func (o Options) check() error {
	if o.Gateways < 1 || o.Rate < 0 || o.For < 0 || o.Revocations < 0 || o.Settle < 0 {
		return socket.Hinted("--gateways is 1 or more, and --rate, --for, --revocations and --settle are not below 0",
			"%s, %g entries a second, %v, %s, %v", amount.Of(o.Gateways, "gateway"), o.Rate, o.For, amount.Of(o.Revocations, "revocation"), o.Settle)
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return fmt.Errorf("look how many files may be open: %w", err)
	}
	if have := uint64(files.Max); uint64(o.Gateways)+reserve > have {
		return socket.Hinted("raise that limit (ulimit -Hn), or play at most "+amount.Of(have-min(have, reserve), "gateway"),
			"each of %s needs a connection, and this program may open %s", amount.Of(o.Gateways, "gateway"), amount.Of(have, "file"))
	}
	return nil
}

// Log is the file in which the front logs.
func (f *Fleet) Log() string { return f.centre.log() }

// Run plays the fleet, ends all that it started, and returns what was seen.
func (f *Fleet) Run(ctx context.Context) (r Report, err error) {
	defer func() { err = errors.Join(err, f.centre.stop()) }()
	if err := f.centre.start(ctx); err != nil {
		return r, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	f.report.Gateways, f.report.Settle = f.o.Gateways, f.o.Settle.Seconds()
	before := f.usage()
	began := time.Now()
	if err := f.connect(ctx, &running); err != nil {
		return r, err
	}
	f.report.ConnectedIn = time.Since(began).Seconds()
	connected := f.usage()
	f.report.Front.connected(before, connected, f.o.Gateways)
	if err := f.live(ctx); err != nil {
		return r, err
	}
	if err := f.balance(ctx); err != nil {
		return r, err
	}
	f.report.Ack, f.report.Revocation = f.acks.sum(), f.revoked.sum()
	return f.report, nil
}

func (f *Fleet) usage() usage { return usageOf(f.centre.front.PID()) }

// startsASecond is how many gateways are switched on in a second.
const startsASecond = 500

const connecting = "connecting"

// connect switches all gateways on, and waits until they are in step with the registry.
func (f *Fleet) connect(ctx context.Context, running *sync.WaitGroup) error {
	tick := time.NewTicker(time.Second / startsASecond)
	defer tick.Stop()
	for n, b := range f.buildings {
		if n%(startsASecond/5) == 0 {
			f.o.Tell(f.progress(connecting))
		}
		running.Go(func() { b.run(ctx) })
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return f.settled(ctx, connecting)
}

// settled waits until all gateways are in step and everything is signed for, for as long as the options say, and
// tells how far they are.
func (f *Fleet) settled(ctx context.Context, doing string) error {
	for end := time.Now().Add(f.o.Settle); ; {
		p := f.progress(doing)
		f.o.Tell(p)
		f.report.Connected = p.Connected
		if p.Connected == f.o.Gateways && p.Unacked == 0 || time.Now().After(end) {
			return nil // who is not in step is in the report
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.centre.front.Exited:
			return errors.Join(errors.New("the registry's front has ended: see "+f.Log()), f.centre.front.Err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (f *Fleet) progress(doing string) Progress {
	p := Progress{Doing: doing}
	for _, b := range f.buildings {
		if b.inStep() {
			p.Connected++
		}
		all, unacked := b.journal.made()
		p.Entries += all
		p.Unacked += unacked
	}
	return p
}

// live lets people come and go, and revokes cards, for as long as the options say.
func (f *Fleet) live(ctx context.Context) error {
	f.acks.reset()
	before, first, began := f.usage(), f.progress("").Entries, time.Now()
	ctx, stop := context.WithTimeout(ctx, f.o.For)
	defer stop()
	var all sync.WaitGroup
	var failed error
	all.Go(func() { f.passages(ctx) })
	all.Go(func() { failed = f.revocations(ctx) })
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		f.o.Tell(f.progress("people come and go"))
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	all.Wait()
	if failed != nil || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errors.Join(failed, context.Cause(ctx))
	}
	f.report.Seconds = time.Since(began).Seconds()
	f.report.Entries = f.progress("").Entries - first
	f.report.lived(before, f.usage())
	return nil
}

// passages lets people in, each at a gateway by chance, so many that their entries come at the rate of the options.
func (f *Fleet) passages(ctx context.Context) {
	const turn = 10 * time.Millisecond
	tick := time.NewTicker(turn)
	defer tick.Stop()
	var walking []*walk
	for began, let := time.Now(), 0; ; {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for ; float64(let) < f.o.Rate/walkEntries*now.Sub(began).Seconds(); let++ {
				b := f.buildings[rand.IntN(len(f.buildings))]
				walking = append(walking, &walk{of: b.gateway, card: b.grants[rand.IntN(residents)], began: now})
			}
			walking = slices.DeleteFunc(walking, func(w *walk) bool { return w.goOn(now) })
		}
	}
}

// revocations suspends cards, one after the other, at even times.
func (f *Fleet) revocations(ctx context.Context) error {
	began := time.Now()
	for n := range f.o.Revocations {
		select {
		case <-ctx.Done():
			return nil // those that are not done are not in the report
		case <-time.After(time.Until(began.Add(time.Duration(n) * f.o.For / time.Duration(f.o.Revocations)))):
		}
		if err := f.revoke(ctx, f.buildings[rand.IntN(len(f.buildings))], n%residents); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// revoke suspends a card, or gives it back, which goes the same way, and measures from before the
// issuer's signature until the gateway's list says so.
func (f *Fleet) revoke(ctx context.Context, b *building, card int) error {
	began := time.Now()
	if state := &b.grants[card].State; *state == wire.GrantActive {
		*state = wire.GrantSuspended
	} else {
		*state = wire.GrantActive
	}
	l, err := f.centre.sign(b)
	if err != nil {
		return err
	}
	waiting, refused := context.WithCancelCause(ctx)
	defer refused(nil)
	var handing sync.WaitGroup
	defer handing.Wait()
	handing.Go(func() {
		if _, err := f.centre.client.PutList(ctx, l); err != nil {
			refused(err)
		}
	})
	for {
		version, since, moved := b.keyring.active()
		if version >= b.newest.Version {
			f.revoked.add(since.Sub(began))
			return nil
		}
		select {
		case <-waiting.Done():
			return context.Cause(waiting)
		case <-moved:
		}
	}
}

// balance waits until everything is signed for, and compares what was entered with what is stored.
func (f *Fleet) balance(ctx context.Context) error {
	if err := f.settled(ctx, "the last entries"); err != nil {
		return err
	}
	f.o.Tell(f.progress("reading what the registry has stored"))
	signed := make([]uint64, len(f.buildings))
	for i, b := range f.buildings {
		signed[i] = b.journal.Acked().Sequence
	}
	stored, err := f.centre.stored(ctx)
	if err != nil {
		return err
	}
	for i, b := range f.buildings {
		made, _ := b.journal.made()
		f.report.weigh(made, signed[i], stored[b.place.Address()])
	}
	return nil
}
