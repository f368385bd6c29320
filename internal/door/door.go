package door

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/sync/wire"
)

// Door runs one door. Make it with New, run it once with Run.
type Door struct {
	cfg      Config
	p        Parts
	machine  Machine
	acts     []Act
	start    time.Time
	repeats  repeats
	last     []sighting   // oldest first
	waiting  []waitingPIN // one a reader at most
	scanned  scan
	refused  refusals
	pending  sync.WaitGroup
	appended chan appendResult
	checked  chan checkedPIN
	commands chan command
	devices  map[string]DeviceStatus
	status   atomic.Pointer[Status]
	lockErr  string
	openeds  uint64 // how often the contact has told that the door was opened
	// exitSince is when the exit input became active; zero: it is not.
	exitSince time.Time
}

type command struct {
	input Input
	head  wire.Header
	done  chan State
}

// ErrStopped means that the door's loop is not running.
var ErrStopped = errors.New("the door's loop is not running")

// New makes a Door. It starts nothing and drives nothing.
func New(cfg Config, p Parts) *Door {
	d := &Door{
		cfg: cfg, p: p,
		machine:  Machine{Rules: cfg.Rules},
		appended: make(chan appendResult, 8),
		checked:  make(chan checkedPIN, 8),
		commands: make(chan command),
		devices:  map[string]DeviceStatus{},
	}
	if p.Watch == nil {
		d.p.Watch = func(Seen) bool { return false }
	}
	if p.Typed == nil {
		d.p.Typed = func(Typed) bool { return false }
	}
	if p.Show == nil {
		d.p.Show = func(string, device.Feedback) {}
	}
	d.publish()
	return d
}

// Status returns the newest status. Safe for concurrent use.
func (d *Door) Status() Status { return *d.status.Load() }

// Release lets people through on an operator's word. It returns when the lock
// has been driven. Safe for concurrent use.
func (d *Door) Release(ctx context.Context) (State, error) {
	return d.command(ctx, command{input: OperatorOpen, head: wire.Header{
		Kind: wire.KindCommand, Outcome: wire.OutcomeDone, Reason: wire.ReasonOperator}})
}

// ResetFire ends an emergency, unless the fire input is still active: then the
// state returned is still Emergency. Only for an act on site.
func (d *Door) ResetFire(ctx context.Context) (State, error) {
	return d.command(ctx, command{input: FireReset})
}

func (d *Door) command(ctx context.Context, c command) (State, error) {
	c.done = make(chan State, 1)
	select {
	case d.commands <- c:
	case <-ctx.Done():
		return "", ErrStopped
	}
	select {
	case s := <-c.done:
		return s, nil
	case <-ctx.Done():
		return "", ErrStopped
	}
}

// Run drives the door until ctx ends, then leaves it in its safe state and
// returns when every record it was waiting for has been given up or kept.
func (d *Door) Run(ctx context.Context) error {
	d.start = time.Now()
	d.begin()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		d.arm(timer)
		select {
		case <-ctx.Done():
		case e := <-d.p.Events:
			d.event(ctx, e)
		case r := <-d.appended:
			d.granted(r)
		case c := <-d.checked:
			d.answered(ctx, c)
		case c := <-d.commands:
			d.obey(c)
		case <-timer.C:
			d.step(Tick)
			d.assert()
			d.expirePIN(time.Now())
			d.repeats.flush(d, time.Now())
		}
	}
	return d.end()
}

// begin drives the lock for the first time: released if there is or was fire.
func (d *Door) begin() {
	f := d.cfg.Fire
	if f.Latched {
		d.step(FireLatched)
	}
	switch {
	case f.Active && f.Latched:
		d.step(FireActive)
	case f.Active, f.Seen:
		d.step(FireSeen)
	}
	if f.Blind {
		d.step(FireLost)
	}
	if f == (Fire{}) {
		_ = d.drive(false)
		d.publish()
	}
}

// drain takes what was sent before the stop: it happened, and is recorded.
func (d *Door) drain() {
	stopped, cancel := context.WithCancel(context.Background())
	cancel() // a card that is granted now is recorded, and not waited for
	for {
		select {
		case e := <-d.p.Events:
			d.event(stopped, e)
		default:
			return
		}
	}
}

// end leaves the lock as the loss of current would; in an emergency it stays
// released for as long as this process holds the line.
func (d *Door) end() error {
	d.drain()
	d.expirePIN(time.Now().Add(pinWait))
	d.repeats.flush(d, time.Now().Add(window))
	err := d.drive(d.cfg.FailSafe || d.machine.Latched())
	d.pending.Wait()
	for len(d.checked) > 0 {
		c := <-d.checked
		d.unheard(c.waitingPIN)
	}
	return err
}

func (d *Door) arm(t *time.Timer) {
	wait := time.Hour
	if at, ok := d.machine.Deadline(); ok {
		wait = min(wait, time.Until(d.start.Add(at)))
	}
	if at, ok := d.repeats.deadline(); ok {
		wait = min(wait, time.Until(at))
	}
	for _, w := range d.waiting {
		wait = min(wait, time.Until(w.until))
	}
	if d.lockErr != "" || d.machine.emergency() {
		wait = min(wait, assertEvery)
	}
	t.Reset(max(wait, 0))
}

func (d *Door) event(ctx context.Context, e device.Event) {
	switch e.Kind {
	case device.CardRead:
		d.card(ctx, e)
	case device.PINEntered:
		d.typed(ctx, e)
	case device.CodeRead:
		d.code(ctx, e)
	case device.InputChanged:
		d.input(e)
	case device.FaultCleared:
		d.repeats.over(d, e)
		d.cleared(e)
	case device.InstallOpened, device.InstallClosed, device.KeySent, device.KeyProved, device.KeyFailed:
		d.queue(wire.Header{Kind: wire.KindReader, Reason: readerNews[e.Kind], Source: e.Source}, wire.Who{})
	case device.FaultSeen:
		d.repeats.fault(d, e)
		d.faulty(e)
	case device.WentOffline:
		if e.Source == device.InputExit {
			d.exitSince = time.Time{}
			d.step(ExitLost)
		}
		if e.Source == device.InputFire { // the gateway's, and it keeps the entry
			d.step(FireLost)
			return
		}
		d.device(e.Source, false, e.Fault)
		d.queue(wire.Header{Kind: wire.KindOffline, Reason: wire.Reason(e.Fault), Source: e.Source}, wire.Who{})
	case device.CameOnline:
		d.device(e.Source, true, fault.None)
		d.queue(wire.Header{Kind: wire.KindOnline, Source: e.Source}, wire.Who{})
	}
}

// readerNews are the reasons of entries about a reader's key.
var readerNews = map[device.EventKind]wire.Reason{
	device.InstallOpened: wire.ReasonInstallOpened, device.InstallClosed: wire.ReasonInstallClosed,
	device.KeySent: wire.ReasonKeySent, device.KeyProved: wire.ReasonKeyProved, device.KeyFailed: wire.ReasonKeyFailed,
}

func (d *Door) input(e device.Event) {
	in := map[string][2]Input{
		device.InputExit:     {ExitIdle, ExitActive},
		device.InputContact:  {ContactClosed, ContactOpen},
		device.InputFire:     {FireIdle, FireActive},
		device.InputFireSeen: {FireSeen, FireSeen},
	}
	if e.Source == device.InputExit {
		d.exitSince = time.Time{}
		if e.Active {
			d.exitSince = time.Now()
		}
	}
	if e.Source == device.InputContact && e.Active {
		d.openeds++
	}
	if pair, ok := in[e.Source]; ok && e.Active {
		d.step(pair[1])
	} else if ok {
		d.step(pair[0])
	}
}

func (d *Door) obey(c command) {
	d.step(c.input)
	if c.head.Kind != 0 {
		if d.lockErr != "" {
			c.head.Outcome = wire.OutcomeRefused
		}
		d.queue(c.head, wire.Who{})
	}
	c.done <- d.machine.State()
}

func (d *Door) step(in Input) { d.stepFor(in, nil) }

// stepFor steps the machine and carries out what it asks: the lock first, then
// the records. ref is the entry that a release belongs to.
func (d *Door) stepFor(in Input, ref *wire.Ref) {
	d.machine, d.acts = d.machine.Step(in, time.Since(d.start), d.acts[:0])
	var refused error
	for _, a := range d.acts {
		if a.Release || a.Secure {
			refused = d.drive(a.Release)
		}
	}
	for _, a := range d.acts {
		if a.Header.Kind == 0 || !d.repeats.input(d, a.Header.Kind) {
			continue
		}
		if refused != nil && (a.Header.Kind == wire.KindReleased || a.Header.Kind == wire.KindSecured) {
			a.Header.Outcome = wire.OutcomeRefused // the lock did not move
		}
		if a.Header.Kind == wire.KindReleased && ref != nil {
			a.Header.Ref = ref
		}
		d.queue(a.Header, wire.Who{})
		if a.Header.Kind == wire.KindHeld {
			d.p.Show("", map[bool]device.Feedback{true: device.FeedbackHeld, false: device.FeedbackIdle}[a.Header.Outcome == wire.OutcomeActive])
		}
	}
	if len(d.acts) > 0 || in == ExitIdle {
		d.publish()
	}
}

func (d *Door) drive(release bool) error {
	act := d.p.Lock.Secure
	if release {
		act = d.p.Lock.Release
	}
	err := act()
	msg := ""
	if err != nil {
		msg = err.Error()
		if msg != d.lockErr { // it is tried again every second
			d.p.Log.Error().Err(err).Str("door", d.cfg.ID).Bool("release", release).Msg("lock can't be driven")
		}
		if d.lockErr == "" {
			d.queue(wire.Header{Kind: wire.KindFault, Reason: wire.Reason(fault.OutputRefused), Source: "relay"}, wire.Who{})
		}
	}
	d.lockErr = msg
	return err
}

// assertEvery is how often a lock is driven again that did not obey, or that
// fire has released: a relay's line may go and come back.
const assertEvery = time.Second

func (d *Door) assert() {
	if d.lockErr == "" && !d.machine.emergency() {
		return
	}
	before := d.lockErr
	if _ = d.drive(d.machine.IsReleased()); d.lockErr != before {
		d.publish()
	}
}

func (d *Door) queue(h wire.Header, w wire.Who) wire.Ref {
	h.Door = d.cfg.ID
	return d.p.Recorder.Queue(h, w)
}

func (d *Door) publish() {
	m := d.machine
	state := m.State()
	if d.lockErr != "" {
		state = Unknown
	}
	d.status.Store(&Status{State: state, Released: m.IsReleased(), ExitSince: d.exitSince, Open: m.open, Latched: m.Latched(),
		FireLine: m.FireLine(), LockErr: d.lockErr, Devices: d.devices})
}
