package door

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/internal/caller"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// Door runs one door. Make it with New, run it once with Run.
type Door struct {
	cfg      Config
	p        Parts
	commands chan command
	status   shown

	start     time.Time
	machine   Machine
	acts      []Act // of the last step
	lock      lock
	records   records
	repeats   repeats
	devices   devices
	inputs    inputs
	sightings sightings
	codes     codes
	pins      pins
	beside    beside
}

type inputs struct {
	exitSince time.Time // since when the exit input is active; zero: it is not
	openings  uint64    // number of openings by the contact
}

// beside is work done beside the loop, so that an exit button never waits for it.
type beside struct {
	running sync.WaitGroup
	grants  grants // their records are being written
	decided chan admission
	checked chan checkedPIN
}

type command struct {
	input Input
	head  wire.Header
	by    string // who asked, for the entry of the input
	done  chan State
	admit *admission // nil: the input is a step of the machine
}

// ErrStopped means that the door's loop is not running.
var ErrStopped = errors.New("the door's loop is not running")

// ErrListening means that another controller decides at the door, and this gateway only listens to
// its readers.
var ErrListening = errors.New("the old controller decides at this door")

// New makes a Door. It starts nothing and drives nothing.
func New(cfg Config, p Parts) *Door {
	r := records{door: cfg.ID, to: p.Recorder}
	d := &Door{
		cfg: cfg, p: p,
		commands: make(chan command),
		machine:  Machine{Rules: cfg.Rules},
		lock:     lock{to: p.Lock, records: r, log: p.Log.With().Str("door", cfg.ID).Logger()},
		records:  r,
		repeats:  repeats{records: r},
		codes:    codes{door: cfg.ID, own: p.Codes, passes: p.Passes, clock: p.Clock},
		beside: beside{grants: grants{to: p.Recorder, written: make(chan journaled.Written, mostGrants)},
			decided: make(chan admission, 8), checked: make(chan checkedPIN, 8)},
	}
	d.devices = devices{status: map[string]DeviceStatus{}, repeats: &d.repeats}
	d.publish()
	return d
}

// Status returns the newest status. Safe for concurrent use.
func (d *Door) Status() Status { return d.status.get() }

// Release lets people through on an operator's command. It returns when the lock has been driven.
// Safe for concurrent use.
func (d *Door) Release(ctx context.Context) (State, error) {
	return d.command(ctx, command{input: OperatorOpen, head: wire.Header{
		Kind: wire.KindCommand, Outcome: wire.OutcomeDone, Reason: wire.ReasonOperator, Source: caller.Of(ctx).String()}})
}

// LockNow takes back Release. People who were let through by a card, a button or fire keep their
// time. Safe for concurrent use.
func (d *Door) LockNow(ctx context.Context) error {
	_, err := d.command(ctx, command{input: OperatorLock, head: wire.Header{
		Kind: wire.KindCommand, Outcome: wire.OutcomeDone, Reason: wire.ReasonLockNow, Source: caller.Of(ctx).String()}})
	return err
}

// ResetFire ends an emergency, unless the fire input is still active: then the returned state is
// still Emergency. Only for an act on site.
func (d *Door) ResetFire(ctx context.Context) (State, error) {
	return d.command(ctx, command{input: FireReset, by: caller.Of(ctx).String()})
}

func (d *Door) command(ctx context.Context, c command) (State, error) {
	if d.cfg.Listening {
		return Listening, ErrListening
	}
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
// returns. Records that it was waiting for stay queued.
func (d *Door) Run(ctx context.Context) error {
	d.start = time.Now()
	d.begin()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		if d.p.Tick != nil {
			d.p.Tick()
		}
		d.arm(timer)
		select {
		case <-ctx.Done():
		case e := <-d.p.Events:
			d.event(ctx, e)
		case w := <-d.beside.grants.written:
			if g, ok := d.beside.grants.end(w); ok {
				d.granted(g)
			}
		case m := <-d.beside.decided:
			d.admit(m)
		case c := <-d.beside.checked:
			d.answered(c)
		case c := <-d.commands:
			d.obey(c)
		case <-timer.C:
			for g, ok := d.beside.grants.late(time.Now()); ok; g, ok = d.beside.grants.late(time.Now()) {
				d.granted(g)
			}
			d.step(Tick)
			d.assert()
			d.missPINs(d.pins.expire(time.Now()))
			d.repeats.flush(time.Now())
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
		_ = d.lock.drive(false)
		d.publish()
	}
}

// end leaves the lock as a loss of power would; in an emergency it stays released for as long as
// this process holds the line.
func (d *Door) end() error {
	// Events from before the stop happened, and are recorded. A card that is granted now opens nothing:
	// nobody waits for its record any more.
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	for waiting := true; waiting; {
		select {
		case e := <-d.p.Events:
			d.event(stopped, e)
		default:
			waiting = false
		}
	}
	d.missPINs(d.pins.expire(time.Now().Add(pinWait)))
	d.repeats.flush(time.Now().Add(window))
	err := d.lock.drive(d.cfg.FailSafe || d.machine.Latched())
	d.beside.running.Wait()
	for len(d.beside.checked) > 0 {
		c := <-d.beside.checked
		d.records.unheard(c.waitingPIN)
	}
	for len(d.beside.decided) > 0 {
		d.records.undone(<-d.beside.decided)
	}
	return err
}

func (d *Door) arm(t *time.Timer) {
	wait := cmp.Or(max(d.cfg.Tick, 0), time.Hour)
	if at, ok := d.machine.Deadline(); ok {
		wait = min(wait, time.Until(d.start.Add(at)))
	}
	if at, ok := d.repeats.deadline(); ok {
		wait = min(wait, time.Until(at))
	}
	for i := range d.beside.grants.waiting {
		wait = min(wait, time.Until(d.beside.grants.waiting[i].until))
	}
	for _, w := range d.pins.waiting {
		wait = min(wait, time.Until(w.until))
	}
	if d.lock.err != "" || d.machine.emergency() {
		wait = min(wait, driveAgain)
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
	case device.InstallOpened, device.InstallClosed, device.KeySent, device.KeyProved, device.KeyFailed:
		d.records.queue(wire.Header{Kind: wire.KindReader, Reason: readerNews[e.Kind], Source: e.Source}, wire.Who{})
	case device.FaultSeen:
		d.repeats.fault(e)
		d.publishIf(d.devices.faulty(e))
	case device.FaultCleared:
		d.repeats.over(e)
		d.publishIf(d.devices.cleared(e))
	case device.WentOffline:
		if e.Source == device.InputExit {
			d.inputs.exitSince = time.Time{}
			d.step(ExitLost)
		}
		if e.Source == device.InputFire { // the gateway's, and it keeps the entry
			d.step(FireLost)
			return
		}
		d.publishIf(d.devices.set(e.Source, false, e.Fault))
		d.records.queue(wire.Header{Kind: wire.KindOffline, Reason: wire.Reason(e.Fault), Source: e.Source}, wire.Who{})
	case device.CameOnline:
		d.publishIf(d.devices.set(e.Source, true, fault.None))
		d.records.queue(wire.Header{Kind: wire.KindOnline, Source: e.Source}, wire.Who{})
	}
}

// readerNews are the reasons of entries about a reader's key.
var readerNews = map[device.EventKind]wire.Reason{
	device.InstallOpened: wire.ReasonInstallOpened, device.InstallClosed: wire.ReasonInstallClosed,
	device.KeySent: wire.ReasonKeySent, device.KeyProved: wire.ReasonKeyProved, device.KeyFailed: wire.ReasonKeyFailed,
}

// inputSteps are the machine's inputs for an input that becomes idle or active.
var inputSteps = map[string][2]Input{
	device.InputExit:     {ExitIdle, ExitActive},
	device.InputContact:  {ContactClosed, ContactOpen},
	device.InputFire:     {FireIdle, FireActive},
	device.InputFireSeen: {FireSeen, FireSeen},
}

func (d *Door) input(e device.Event) {
	in, ok := inputSteps[e.Source]
	switch {
	case e.Source == device.InputExit && e.Active:
		d.inputs.exitSince = time.Now()
	case e.Source == device.InputExit:
		d.inputs.exitSince = time.Time{}
	case e.Source == device.InputContact && e.Active:
		d.inputs.openings++
	}
	if ok && e.Active {
		d.step(in[1])
	} else if ok {
		d.step(in[0])
	}
}

func (d *Door) obey(c command) {
	if c.admit != nil {
		d.admit(*c.admit)
		c.done <- d.machine.State()
		return
	}
	d.stepFor(c.input, c.by)
	if c.head.Kind != 0 {
		if d.lock.err != "" {
			c.head.Outcome = wire.OutcomeRefused
		}
		d.records.queue(c.head, wire.Who{})
	}
	c.done <- d.machine.State()
}

func (d *Door) step(in Input) { d.stepFor(in, "") }

// stepFor steps the machine and carries out its acts: the lock first, then the records. by is who ends an
// emergency.
func (d *Door) stepFor(in Input, by string) {
	d.machine, d.acts = d.machine.Step(in, time.Since(d.start), d.acts[:0])
	var refused error
	for _, a := range d.acts {
		if a.Release || a.Secure {
			refused = d.lock.drive(a.Release)
		}
	}
	for _, a := range d.acts {
		if a.Header.Kind == 0 || !d.repeats.input(a.Header.Kind) {
			continue
		}
		d.records.queue(d.lock.entry(a, in, by, refused), wire.Who{})
		if a.Header.Kind == wire.KindHeld {
			d.p.Show("", d.machine.atRest())
		}
	}
	if len(d.acts) > 0 || in == ExitIdle {
		d.publish()
	}
}

// driveAgain is the period at which a lock is driven again that failed, or that fire has released:
// a relay's line may go and come back.
const driveAgain = time.Second

// assert drives the lock again where that may help.
func (d *Door) assert() {
	if d.lock.err == "" && !d.machine.emergency() {
		return
	}
	before := d.lock.err
	_ = d.lock.drive(d.machine.IsReleased())
	d.publishIf(d.lock.err != before)
}

func (d *Door) publishIf(changed bool) {
	if changed {
		d.publish()
	}
}

func (d *Door) publish() {
	m := d.machine
	state := m.State()
	switch {
	case d.cfg.Listening:
		state = Listening
	case d.lock.err != "":
		state = Unknown
	}
	d.status.set(Status{State: state, Released: m.IsReleased(), ExitSince: d.inputs.exitSince, Open: m.open, Latched: m.Latched(),
		FireLine: m.FireLine(), LockErr: d.lock.err, Devices: d.devices.status})
}
