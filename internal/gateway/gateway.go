// Package gateway wires the daemon of one building: a site file and a set of
// openers for lines and ports go in, running doors come out. gatehoused passes
// the real openers, the simulator those of device/devicetest.
//
// It refuses to let anything but the doors decide whether a door moves: a sick
// disk, a missing reader, a broken list or a socket that can't be opened are
// reported, recorded and retried, while exit buttons, fire and known cards go
// on working.
package gateway

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/desk"
	"gatehouse/internal/door"
	"gatehouse/internal/durable"
	"gatehouse/internal/journal"
	"gatehouse/internal/keyring"
	"gatehouse/internal/network"
	"gatehouse/internal/pass"
	"gatehouse/internal/site"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
)

// Hardware opens what the site file names. The functions must be safe for
// concurrent use; an error that wraps os.ErrNotExist means that the thing is
// not there (yet).
type Hardware struct {
	Lines  func(device.LinesConfig) (device.Lines, error)
	Output func(device.OutputConfig) (device.Output, error)
	Port   func(device.PortConfig) (device.Port, error)
}

// labelled opens lines only of the chips that the board's profile knows under the
// site file's names: a name may mean another chip on this machine.
func (hw Hardware) labelled(s *site.Site) Hardware {
	out := hw
	out.Lines = func(c device.LinesConfig) (device.Lines, error) {
		c.Label = s.Label(c.Chip)
		return hw.Lines(c)
	}
	out.Output = func(c device.OutputConfig) (device.Output, error) {
		c.Label = s.Label(c.Chip)
		return hw.Output(c)
	}
	return out
}

// Options of a Gateway; Site, Hardware and Time are needed.
type Options struct {
	Site     *site.Site
	Hardware Hardware
	Time     TimeSource
	Version  string
	// Verify checks a file of the journal before it is used, in a child process:
	// a damaged one can kill who opens it. Without it the check runs in this one.
	Verify func(ctx context.Context, path string) error
	// Dial makes the link to the registry's broker; nil: by MQTT.
	Dial func(mqtt.Config) (Link, error)
	// Formats are the wire formats that it speaks with the registry, 1 to this one;
	// 0: all that this program knows.
	Formats uint64
	// Ready is called once the doors run.
	Ready func()
	Log   zerolog.Logger
	// Network is where the tool's socket and the registry's HTTPS are.
	Network network.Network
	Cadence Cadence
	// Chance returns a time by chance below a limit above 0, for waits that a city
	// should not end at once; nil: any.
	Chance func(limit time.Duration) time.Duration
	// Sync is called before each sync of the journal: a slow disk of a simulation
	// waits in it. Nil: nothing is.
	Sync func()
}

// Cadence is how often the daemon looks at what tells it nothing by itself. A
// zero is what a daemon in a house uses; a simulation of years looks less often.
type Cadence struct {
	Clock  time.Duration // at the clock's quality, 10 s
	Socket time.Duration // whether the tool's socket is still there, 5 s
	// Journal is how often the journal looks after its files, 1 min; when something
	// is to be done for them it does not wait for that.
	Journal time.Duration
	// Gather is how long entries wait on their way to the registry for others that
	// are stored in the same moment, 0.
	Gather time.Duration
	// Rest is how long a card is away at least before it is held up for the second
	// time, after the door was released for it, 10 s.
	Rest time.Duration
}

func (c Cadence) filled() Cadence {
	if c.Clock <= 0 {
		c.Clock = 10 * time.Second
	}
	if c.Socket <= 0 {
		c.Socket = 5 * time.Second
	}
	if c.Rest <= 0 {
		c.Rest = 10 * time.Second
	}
	return c
}

// Gateway is the daemon of one building. Make it with New, run it once with Run.
type Gateway struct {
	o       Options
	started time.Time
	clock   *clock
	asked   clockAsk
	lock    *durable.Lock // of the state folder, for as long as this process lives
	journal *journal.Journal
	keyring *keyring.Keyring
	missing []string // what was deleted of the state folder before this start
	keysErr error    // why keys could not be read at the start
	// gatewayKey signs what the gateway says; nil where it could not be read.
	gatewayKey ed25519.PrivateKey
	swipes     *swipes
	desk       *desk.Desk
	passes     *pass.Judge
	school     school
	fire       *fire    // nil: no fire input
	central    *central // nil: no registry
	tests      *doorTests
	// requests counts those of the tool that are being answered.
	requests sync.WaitGroup
	doors    []*servedDoor
}

// servedDoor is a door with the devices that serve it.
type servedDoor struct {
	*door.Door
	cfg     site.Door
	relay   *relay
	events  chan device.Event
	run     []func(context.Context)
	readers []*servedReader
	signal  *signal // nil: none
}

// eventsQueued is how many events of one door may wait: far more than its
// readers can send while the loop records one.
const eventsQueued = 256

// New prepares a gateway and leaves every relay without current, which is its
// safe state, or released where there is or was fire: that is driven before
// anything else is opened. It fails only for
// a state folder that can't be used or belongs to a running daemon.
func New(o Options) (*Gateway, error) {
	o.Cadence = o.Cadence.filled()
	o.Hardware = o.Hardware.labelled(o.Site)
	g := &Gateway{o: o, started: time.Now()}
	made := os.MkdirAll(o.Site.State, 0o700)
	if err := g.takeLock(); err != nil {
		return nil, err
	}
	g.makeRelays()
	if made != nil {
		return nil, fmt.Errorf("state folder: %w", made)
	}
	if o.Site.Fire != nil {
		g.makeFire()
	}
	g.clock = newClock(o.Time, o.Site.Path(clockFile), func() int64 { return g.keyring.Floor() })
	g.tests = newDoorTests(o.Site.Path("doortests.json"), g.clock.elapsed, o.Site.DoorIDs(), o.Log)
	if err := g.openKeyring(); err != nil {
		return nil, err
	}
	if err := g.openJournal(); err != nil {
		return nil, err
	}
	g.swipes = newSwipes(g.keyring, o.Site, o.Cadence.Rest, o.Log)
	if err := g.openDesk(); err != nil {
		return nil, err
	}
	g.passes = pass.New(g.keyring)
	g.openRegistry()
	g.makeReaders()
	for _, d := range g.doors {
		g.makeDoor(d)
	}
	return g, nil
}

// errRunning means that the doors are in another daemon's hands.
var errRunning = errors.New("gatehoused is running already for this state folder")

// takeLock keeps a second daemon from the doors. What else may be wrong with
// the folder shows later, after the relays are safe.
func (g *Gateway) takeLock() error {
	lock, err := durable.TakeLock(g.o.Site.Path("lock"))
	if errors.Is(err, durable.ErrLocked) {
		return fmt.Errorf("%w: %s", errRunning, g.o.Site.State)
	}
	g.lock = lock
	return nil
}

// makeRelays asks for every relay's line, which drives it without current.
func (g *Gateway) makeRelays() {
	for _, cfg := range g.o.Site.Doors {
		r := &relay{failSafe: cfg.Lock == "fail-safe", open: g.o.Hardware.Output, cfg: device.OutputConfig{
			Chip: cfg.Relay.Chip, Offset: *cfg.Relay.Line, ActiveLow: cfg.Relay.Active == "low",
			Consumer: "gatehouse-" + cfg.ID + "-relay"}}
		_ = r.request() // the door tells, and tries again
		g.doors = append(g.doors, &servedDoor{cfg: cfg, relay: r, events: make(chan device.Event, eventsQueued)})
	}
}

func (g *Gateway) openKeyring() (err error) {
	keys, err := keyring.LoadKeys(g.o.Site.Path("keys"))
	g.gatewayKey = keys.Gateway
	if g.keysErr = err; err != nil {
		g.o.Log.Warn().Err(err).Msg("keys of the building are missing: no card opens; exits and fire work")
	}
	grants := lacksGrants(g.o.Site)
	g.keyring, err = keyring.Open(keyring.Options{Dir: g.o.Site.Path("grants"), Building: g.o.Site.Building, Keys: keys, Formats: g.o.Formats, Log: g.o.Log,
		Shapes: g.o.Site.Shapes(), Now: g.clock.now, Sure: g.clock.sure, Elapsed: g.clock.elapsed})
	if err != nil {
		return fmt.Errorf("open grants: %w", err)
	}
	g.missing = missingFiles(g.o.Site, grants, g.keyring.Status())
	if err := g.clock.begin(); err != nil {
		g.o.Log.Warn().Err(err).Msg("clock")
	}
	return nil
}

func (g *Gateway) openJournal() (err error) {
	g.journal, err = journal.Open(journal.Options{
		Dir: g.o.Site.Path("journal"), Clock: g.clock.stamp, BootID: bootID(), Log: g.o.Log,
		MaxBytes: int64(g.o.Site.Journal.MaxMB) << 20, Verify: g.o.Verify, Uplink: g.hasRegistry(),
		Anchors: g.keyring, KeepEvery: g.o.Cadence.Journal, Sync: g.o.Sync, EraseAfter: time.Duration(g.o.Site.Journal.WhoDays) * 24 * time.Hour,
	})
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	return nil
}

// makeFire reads latch and line before anything else, and releases at once
// where there is or was fire.
func (g *Gateway) makeFire() {
	_, err := os.Stat(g.o.Site.Path("journal"))
	g.fire = newFire(g.o.Site.Path("fire.latch"), errors.Is(err, os.ErrNotExist))
	g.fire.input = input{source: device.InputFire, cfg: g.o.Site.Fire.Lines("gatehouse-fire"), open: g.o.Hardware.Lines, send: g.fireEvent, every: true}
	g.fire.readLine()
	if f, _ := g.fire.now(); f == (door.Fire{}) {
		return
	}
	for _, d := range g.doors {
		if err := d.relay.Release(); err != nil {
			g.o.Log.Error().Err(err).Str("door", d.cfg.ID).Msg("lock can't be released for fire; it is tried again")
		}
	}
	g.keepLatch()
}

// keepLatch puts the latch on disk if it is set and not there.
func (g *Gateway) keepLatch() {
	if err := g.fire.keep(); err != nil {
		g.o.Log.Error().Err(err).Msg("fire latch is not on disk; it holds as long as this process lives")
	}
}

func (g *Gateway) makeDoor(d *servedDoor) {
	cfg := door.Config{ID: d.cfg.ID, Rules: rules(d.cfg), FailSafe: d.relay.failSafe,
		Budget: time.Duration(g.o.Site.Journal.BudgetMS) * time.Millisecond, Hold: hold}
	if g.fire != nil {
		cfg.Fire, _ = g.fire.now()
	}
	for _, r := range d.cfg.Readers {
		cfg.Readers = append(cfg.Readers, door.Reader{ID: r.ID, Direction: direction(r.Direction),
			Once: r.Type != site.TypeWiegand, PIN: r.PIN == site.PINWithCard})
	}
	for source, in := range map[string]*site.Input{device.InputExit: d.cfg.Exit, device.InputContact: d.cfg.Contact} {
		if in != nil {
			w := input{source: source, cfg: in.Lines("gatehouse-" + d.cfg.ID + "-" + source), open: g.o.Hardware.Lines, send: d.send,
				filter: time.Duration(*in.FilterMS) * time.Millisecond, urgent: source == device.InputExit}
			d.run = append(d.run, w.run)
		}
	}
	if d.cfg.Signal != nil {
		d.signal = g.makeSignal(d, d.cfg.Signal, "gatehouse-"+d.cfg.ID+"-signal", beeps)
	}
	d.Door = door.New(cfg, door.Parts{Lock: d.relay, Recorder: teller{g.journal, g.desk, d.show, d.tells(), func() bool { return g.tests.runs(cfg.ID) }}, Keys: g.keyring,
		Clock: g.clock.decision, Monotonic: g.o.Time.Monotonic, Events: d.events, Watch: g.watch, Typed: g.swipes.typed, PINs: doorPINs{g.desk},
		Passes: g.passes, Show: d.show, Log: g.o.Log})
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func rules(d site.Door) door.Rules {
	return door.Rules{
		ReleaseTime: seconds(d.ReleaseSeconds),
		MaxRelease:  seconds(d.MaxReleaseSeconds),
		HeldAfter:   seconds(*d.HeldSeconds),
		OnlyExit:    d.Egress == "electric",
		SilentExit:  d.Egress == "mechanical" && d.Exit == nil,
	}
}

// hold bridges the repeats of a held card: readers repeat it every 50 ms to 1 s.
const hold = 1500 * time.Millisecond

func direction(s string) wire.Direction {
	if s == "out" {
		return wire.DirectionOut
	}
	return wire.DirectionIn
}

// send waits for room: an input's state must not be lost.
func (d *servedDoor) send(e device.Event) { d.events <- e }

// fireEvent tells every door first, and keeps the latch after.
func (g *Gateway) fireEvent(e device.Event) {
	if e.Kind == device.WentOffline || e.Kind == device.CameOnline {
		kind := map[device.EventKind]wire.Kind{device.WentOffline: wire.KindOffline, device.CameOnline: wire.KindOnline}[e.Kind]
		defer g.journal.Queue(wire.Header{Kind: kind, Reason: wire.Reason(e.Fault), Source: device.InputFire}, wire.Who{})
	}
	switch g.fire.saw(e) {
	case newsNone:
		return
	case newsSeen:
		e.Source = device.InputFireSeen
	case newsPassed:
		g.journal.Queue(wire.Header{Kind: wire.KindFault, Reason: wire.Reason(device.FaultNoise), Source: device.InputFire}, wire.Who{})
	}
	for _, d := range g.doors {
		d.send(e)
	}
	g.keepLatch()
}

// LeaveSafe takes the current from every relay of a site and lets the lines
// go: for a service manager, after the daemon has ended however it did. It
// fails if a line can't be had, which is so while a daemon runs.
func LeaveSafe(s *site.Site, hw Hardware) error {
	g := &Gateway{o: Options{Site: s, Hardware: hw.labelled(s), Log: zerolog.Nop()}}
	g.makeRelays()
	var errs []error
	for _, d := range g.doors {
		errs = append(errs, d.relay.request(), d.relay.close())
	}
	return errors.Join(errs...)
}

// Run serves until ctx ends. When it returns all relays are without current, as
// they are while no daemon runs, and everything that was queued is durable, if the disk works.
func (g *Gateway) Run(ctx context.Context) error {
	var writers, doors, devices sync.WaitGroup
	// The journal ends last: stopping doors still write to it.
	journalCtx, stopJournal := context.WithCancel(context.WithoutCancel(ctx))
	defer stopJournal()
	writers.Go(func() {
		if err := g.journal.Run(journalCtx); err != nil {
			g.o.Log.Error().Err(err).Msg("journal stopped")
		}
	})
	g.queueStart()
	doorCtx, stopDoors := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDoors()
	errs := make([]error, len(g.doors))
	for i, d := range g.doors {
		doors.Go(func() { errs[i] = d.Run(doorCtx) })
		for _, run := range d.run {
			devices.Go(func() { run(ctx) })
		}
	}
	if g.fire != nil {
		devices.Go(func() { g.fire.run(ctx) })
	}
	devices.Go(func() { _ = g.keyring.Run(ctx) }) // ends with ctx, never with an error
	devices.Go(func() { _ = g.desk.Run(ctx) })    // likewise
	devices.Go(func() { g.central.run(ctx, g) })
	devices.Go(func() { g.watchClock(ctx) })
	devices.Go(func() { g.recallPasses(ctx) })
	devices.Go(func() { g.serve(ctx) })
	if g.o.Ready != nil {
		g.o.Ready()
	}
	<-ctx.Done()
	devices.Wait()
	g.school.close()
	stopDoors()
	doors.Wait()
	for _, d := range g.doors {
		errs = append(errs, d.relay.close())
	}
	g.journal.Queue(wire.Header{Kind: wire.KindStop}, wire.Who{})
	stopJournal()
	writers.Wait()
	errs = append(errs, g.clock.save(true), g.keyring.Close())
	if g.lock != nil {
		g.lock.Free()
	}
	return errors.Join(errs...)
}

// queueStart records what this run stands on.
func (g *Gateway) queueStart() {
	hash := g.o.Site.Hash()
	g.journal.Queue(wire.Header{Kind: wire.KindSite, Detail: hash[:]}, wire.Who{})
	if g.lock == nil {
		g.o.Log.Warn().Str("folder", g.o.Site.State).Msg("the state folder can't be locked against a second daemon")
	}
	keys := g.keyring.Status()
	for _, name := range append(keys.SetAside, keys.Damage...) {
		g.journal.Queue(wire.Header{Kind: wire.KindDamaged, Reason: wire.ReasonDamaged, Source: "grants", Detail: clip(name)}, wire.Who{})
	}
	for _, what := range g.missing {
		g.o.Log.Error().Str("file", what).Msg("a file of the gateway is missing")
		g.journal.Queue(wire.Header{Kind: wire.KindDamaged, Reason: wire.ReasonMissing, Source: choose(what == clockFile, clockFile, "grants"), Detail: clip(what)}, wire.Who{})
	}
	if why := g.clock.unread; why != nil {
		g.o.Log.Error().Err(why).Msg("what was known of the time can't be read")
		g.journal.Queue(wire.Header{Kind: wire.KindDamaged, Reason: wire.ReasonDamaged, Source: clockFile, Detail: clip(clockFile)}, wire.Who{})
	}
}

// clip cuts a file's name to what an entry holds.
func clip(name string) []byte { return []byte(name[:min(len(name), 64)]) }

// pollClock asks the machine for the time, and records when trust in it changed.
func (g *Gateway) pollClock() {
	if r := g.keyring.Registry(); r != nil {
		g.clock.takeBack(r.Trust)
	}
	h, news, err := g.clock.poll()
	if err != nil {
		g.o.Log.Warn().Err(err).Msg("clock")
	}
	if news {
		g.journal.Queue(h, wire.Who{})
	}
}

func (g *Gateway) watchClock(ctx context.Context) {
	tick := time.NewTicker(g.o.Cadence.Clock)
	defer tick.Stop()
	for {
		g.pollClock()
		if g.fire != nil {
			g.keepLatch() // where it could not be written before
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
