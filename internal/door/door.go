package door

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/sync/wire"
)

// Recorder keeps records. Append returns nil when the record is durable; when
// ctx ends or the disk is sick it returns an error, and the record stays
// queued. Queue does not wait. Both are safe for concurrent use.
type Recorder interface {
	Append(context.Context, wire.Header, wire.Who) (wire.Ref, error)
	Queue(wire.Header, wire.Who) wire.Ref
}

// Keys is what the door asks of the grants. Safe for concurrent use.
type Keys interface {
	Grants() *access.Grants
	Identify(device.Card) (wire.CredentialID, error) // error: no building key
	Anonymous(device.Card) wire.CredentialID         // under a key that lasts a day
}

// Clock is what a decision needs to know of time.
type Clock struct {
	Now     int64 // unix seconds
	Trusted bool
	Floor   int64 // unix seconds: highest signed time ever seen
}

// PINs checks the PINs of tenancies. Safe for concurrent use.
type PINs interface {
	// Has reports at once whether the tenancy has a PIN here.
	Has(tenancy wire.ID) bool
	// Check may take a second. An error means that it could not be checked.
	Check(tenancy wire.ID, pin device.PIN) (bool, error)
}

// Passes decides on scanned codes. Safe for concurrent use.
type Passes interface {
	Decide(code device.Code, door string, now Clock) Pass
	// Use makes a pass worthless, once it has opened a door; false: it was already.
	Use(Pass) bool
}

// Pass is what a scanned code is good for.
type Pass struct {
	ID     wire.ID     // its mark; zero where the code is no pass
	Who    wire.Who    // nobody where the code is no pass
	Reason wire.Reason // ReasonGranted, or why not
}

// Reader is what the door knows of one reader.
type Reader struct {
	ID        string
	Direction wire.Direction // DirectionOut: on the inside, releases without a decision
	// Once: the reader tells of a card once for each time that it is held up. Others
	// repeat one that rests there, so that each repetition puts off its end.
	Once bool
	// PIN asks for the tenancy's PIN after a card. Who has none here is let in by
	// the card alone: a rule of the door locks no resident out.
	PIN bool
}

// Config of one door.
type Config struct {
	ID       string
	Rules    Rules
	FailSafe bool          // without current the door is released: that is how it is left
	Budget   time.Duration // longest wait for a record before the door opens anyway
	Hold     time.Duration // the same card seen again within this is one presentation
	Readers  []Reader
	Fire     Fire // at the start
}

// Fire is the state of the fire input as a door finds it at its start.
type Fire struct {
	Active  bool // the line is active
	Blind   bool // the line can't be read
	Latched bool // it was active, and nobody on site has reset it
}

// Parts are what a Door works with; all are needed except Watch.
type Parts struct {
	Lock     device.Lock
	Recorder Recorder
	Keys     Keys
	Clock    func() Clock
	// Monotonic is the clock of Event.At; without it no card is too old.
	Monotonic func() time.Duration
	Events    <-chan device.Event
	// Watch is told of every card before anything is done about it. If it
	// returns true the card was taken for registration, and the door stays as
	// it is. It must not block.
	Watch func(Seen) bool
	// PINs is needed where a reader asks for them, Passes where one reads codes.
	PINs   PINs
	Passes Passes
	// Show tells people at a reader (empty: at all of the door's) what became of
	// their card; nil: nobody. That a card was granted is told by the Recorder,
	// which knows whose it was. It must not block.
	Show func(reader string, f device.Feedback)
	Log  zerolog.Logger
}

// Status is what people see of a door. Values are not changed once published.
type Status struct {
	State     State
	Released  bool // what the lock was last told
	Open      bool
	ExitSince time.Time // the exit input is active since; zero: it is not
	Latched   bool
	FireLine  bool
	LockErr   string
	Devices   map[string]DeviceStatus // by reader or input
}

// DeviceStatus is what people see of a reader or input.
type DeviceStatus struct {
	Online bool
	Fault  device.Fault // the last one
	At     time.Time    // of the fault, or of the change
}

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
	pending  sync.WaitGroup
	appended chan appendResult
	checked  chan checkedPIN
	commands chan command
	devices  map[string]DeviceStatus
	status   atomic.Pointer[Status]
	lockErr  string
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
	if f.Active {
		d.step(FireActive)
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
		d.device(e.Source, true, device.FaultNone)
		d.repeats.over(d, e)
	case device.InstallOpened, device.InstallClosed, device.KeySent, device.KeyProved, device.KeyFailed:
		d.queue(wire.Header{Kind: wire.KindReader, Reason: readerNews[e.Kind], Source: e.Source}, wire.Who{})
	case device.FaultSeen:
		if !d.tellsLess(e) {
			d.device(e.Source, true, e.Fault)
		}
		d.repeats.fault(d, e)
	case device.WentOffline:
		if e.Source == InputExit {
			d.exitSince = time.Time{}
			d.step(ExitLost)
		}
		if e.Source == InputFire { // the gateway's, and it keeps the entry
			d.step(FireLost)
			return
		}
		d.device(e.Source, false, e.Fault)
		d.queue(wire.Header{Kind: wire.KindOffline, Reason: wire.Reason(e.Fault), Source: e.Source}, wire.Who{})
	case device.CameOnline:
		d.device(e.Source, true, device.FaultNone)
		d.queue(wire.Header{Kind: wire.KindOnline, Source: e.Source}, wire.Who{})
	}
}

// readerNews are the reasons of entries about a reader's key.
var readerNews = map[device.EventKind]wire.Reason{
	device.InstallOpened: wire.ReasonInstallOpened, device.InstallClosed: wire.ReasonInstallClosed,
	device.KeySent: wire.ReasonKeySent, device.KeyProved: wire.ReasonKeyProved, device.KeyFailed: wire.ReasonKeyFailed,
}

// Names of the inputs of a door, as Event.Source has them.
const (
	InputExit    = "exit"
	InputContact = "contact"
	InputFire    = "fire"
)

func (d *Door) input(e device.Event) {
	in := map[string][2]Input{
		InputExit:    {ExitIdle, ExitActive},
		InputContact: {ContactClosed, ContactOpen},
		InputFire:    {FireIdle, FireActive},
	}
	if e.Source == InputExit {
		d.exitSince = time.Time{}
		if e.Active {
			d.exitSince = time.Now()
		}
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
			d.queue(wire.Header{Kind: wire.KindFault, Reason: wire.Reason(device.FaultOutputRefused), Source: "relay"}, wire.Who{})
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

// tellsLess reports whether a fault is only what a worse one makes: with a
// cable that is cut or swapped every frame has a wrong length, too.
func (d *Door) tellsLess(e device.Event) bool {
	last := d.devices[e.Source]
	if last.Fault != device.FaultCable && last.Fault != device.FaultSwapped || time.Since(last.At) > window {
		return false
	}
	return e.Fault == device.FaultLength || e.Fault == device.FaultParity || e.Fault == device.FaultTrailing
}

func (d *Door) device(id string, online bool, f device.Fault) {
	next := make(map[string]DeviceStatus, len(d.devices)+1)
	for k, v := range d.devices {
		next[k] = v
	}
	next[id] = DeviceStatus{Online: online, Fault: f, At: time.Now()}
	d.devices = next
	d.publish()
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
