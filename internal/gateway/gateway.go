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
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/device"
	"gatehouse/internal/backup/keeper"
	"gatehouse/internal/brief"
	"gatehouse/internal/desk"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/door"
	"gatehouse/internal/doorcode"
	"gatehouse/internal/durable"
	"gatehouse/internal/gateway/clock"
	"gatehouse/internal/gateway/exitbutton"
	"gatehouse/internal/gateway/swipe"
	"gatehouse/internal/holds"
	"gatehouse/internal/journal"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/internal/pass"
	"gatehouse/internal/site"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
	"gatehouse/sync/wire/periods"
)

// Gateway is the daemon of one building. Make it with New, run it once with Run.
type Gateway struct {
	Parts
	o     Options
	start start
}

// start is the result of a start.
type start struct {
	once
	brief  *brief.List        // whom the log names for a shorter time, by the registry's word
	lock   *durable.Lock      // of the state directory, for as long as this process lives
	key    ed25519.PrivateKey // signs what the gateway says; nil where it could not be read
	mended []string           // key files that were repaired
	early  *early             // nil: the journal checks its files in this process
}

// once grants a single opening of a door without a card.
type once struct {
	passes *pass.Judge
	codes  *doorcode.Store
}

// Parts are the parts of a gateway, for those who show it and act on it. New sets them; they are
// read only. Each is safe for concurrent use.
type Parts struct {
	Site    *site.Site
	Clock   *clock.Clock
	Journal *journal.Journal
	Keyring *keyring.Keyring
	Missing []string // files that were deleted before this start, within the state directory
	Swipes  *swipe.Swipes
	Desk    *desk.Desk
	Backup  *keeper.Keeper
	Holds   *holds.Book
	Fire    *Fire    // nil: no fire input
	Central *Central // nil: no registry
	Doors   []*Door
	Exits   exitbutton.Buttons // of the doors
	Decider *Decider
}

// Door is a door with the devices that serve it.
type Door struct {
	*door.Door
	Config  site.Door
	Readers []*Reader
	relay   *relay
	events  chan device.Event
	run     []func(context.Context)
	signal  *signal     // nil: none
	tested  atomic.Bool // an installer or owner sees who comes in
}

// eventsQueued is how many events of one door may wait: far more than its
// readers can send while the loop records one.
const eventsQueued = 256

// New prepares a gateway and leaves every relay de-energised, which is its safe state, or released
// where there is or was fire; that is driven before anything else is opened. It fails only for a
// state directory that can't be used or belongs to a running daemon; then it has let go of all
// that it had taken, relays de-energised, and may be called again.
func New(o Options) (*Gateway, error) {
	o.Cadence = o.Cadence.filled()
	if o.Dial == nil {
		o.Dial = func(c mqtt.Config) (Link, error) { return mqtt.New(c) }
	}
	o.Hardware = o.Hardware.labelled(o.Site)
	g := &Gateway{Parts: Parts{Site: o.Site}, o: o}
	if err := g.open(); err != nil {
		return nil, errors.Join(err, letGo(g))
	}
	g.Backup = keeper.New(keeper.Options{Site: o.Site, Keyring: g.Keyring, Settle: g.Desk.Records.Settle, Now: g.Clock.Now, Software: o.Version, Log: o.Log})
	g.start.passes = pass.New(g.Keyring)
	g.openRegistry()
	g.makeReaders()
	for _, d := range g.Doors {
		g.makeDoor(d)
	}
	return g, nil
}

// open drives the relays safe and opens the state directory.
func (g *Gateway) open() error {
	made := os.MkdirAll(g.Site.State, 0o700)
	if err := g.takeLock(); err != nil {
		return err
	}
	g.Decider = newDecider(g)
	g.makeRelays()
	if made != nil {
		return fmt.Errorf("state directory: %w", made)
	}
	if g.Site.Fire != nil && !g.Decider.State.Listening {
		g.makeFire()
	}
	for _, d := range g.Doors {
		d.requestReaders(g.o.Hardware)
	}
	if g.o.Verify != nil {
		g.start.early = checkEarly(g.Site.Path("journal"), g.o.Verify)
		g.o.Verify = g.start.early.verify
	}
	g.Clock = clock.New(g.o.Time, g.Site.Path(clock.File), func() int64 { return g.Keyring.Time.Floor() })
	if err := g.openKeyring(); err != nil {
		return err
	}
	openHolds(g)
	openBrief(g)
	if err := g.openJournal(); err != nil {
		return err
	}
	g.Swipes = swipe.New(g.Keyring.Keys, g.Keyring.Adopt, g.Site, g.o.Cadence.Rest, g.o.Log)
	g.Swipes.Listening = g.Decider.State.Listening
	return g.openDesk()
}

// letGo takes the current from the relays, and lets go of their lines and of the state
// directory, whatever of it was taken.
func letGo(g *Gateway) error {
	var errs []error
	if g.Keyring != nil {
		errs = append(errs, g.Keyring.Close())
	}
	for _, d := range g.Doors {
		errs = append(errs, d.relay.close(), d.letGo())
	}
	g.start.end()
	return errors.Join(errs...)
}

// end ends what a start has begun, and lets go of the state directory.
func (s *start) end() {
	if s.early != nil {
		s.early.end()
	}
	if s.lock != nil {
		s.lock.Free()
	}
}

// letGo lets go of the readers' lines, which nobody reads.
func (d *Door) letGo() (err error) {
	for _, r := range d.Readers {
		if r.wiegand != nil {
			err = errors.Join(err, r.wiegand.Close())
		}
	}
	return err
}

// errRunning means that another daemon drives the doors.
var errRunning = errors.New("gatehoused is running already for this state directory")

// takeLock keeps a second daemon from the doors. Other faults of the directory are reported later,
// after the relays are safe.
func (g *Gateway) takeLock() error {
	lock, err := durable.TakeLock(g.Site.Path("lock"))
	if errors.Is(err, durable.ErrLocked) {
		return fmt.Errorf("%w: %s", errRunning, g.Site.State)
	}
	g.start.lock = lock
	return nil
}

// makeRelays requests every relay's line, which leaves it de-energised; none where the old
// controller decides.
func (g *Gateway) makeRelays() {
	open := g.o.Hardware.Output
	if g.Decider.State.Listening {
		open = unwired
	}
	for _, cfg := range g.Site.Doors {
		r := &relay{failSafe: cfg.Lock == "fail-safe", open: open, cfg: device.OutputConfig{
			Chip: cfg.Relay.Chip, Offset: *cfg.Relay.Line, ActiveLow: cfg.Relay.Active == "low",
			Consumer: "gatehouse-" + cfg.ID + "-relay"}}
		_ = r.request() // the door reports it, and tries again
		g.Doors = append(g.Doors, &Door{Config: cfg, relay: r, events: make(chan device.Event, eventsQueued)})
	}
}

func (g *Gateway) openKeyring() (err error) {
	keys, err := g.loadKeys()
	g.start.key = keys.Gateway
	if err != nil {
		g.o.Log.Warn().Err(err).Msg(lacking(keys))
	}
	// The directory of the grants is made before that of the journal, whose sync covers both.
	grants := lacks(g.Site, "grants") && !lacks(g.Site, "journal", "epochs")
	g.Keyring, err = keyring.Open(keyring.Options{Dir: g.Site.Path("grants"), Building: g.Site.Building, Keys: keys, Formats: g.o.Formats, Log: g.o.Log,
		Shapes: g.Site.Shapes(), Now: g.zoned(), Sure: g.Clock.Sure, Elapsed: g.Clock.Elapsed})
	if err != nil {
		return fmt.Errorf("open grants: %w", err)
	}
	g.Missing = missingFiles(g.Site, grants, g.Keyring.Status())
	if err := g.Clock.Begin(); err != nil {
		g.o.Log.Warn().Err(err).Msg("clock")
	}
	return nil
}

// loadKeys reads the keys, after repairing those that a worn SD card garbled.
// lacking says what follows where key files are missing. After a restore the cards go on, and only what
// the registry gives at the enrolment is not there yet.
func lacking(k keys.Keys) string {
	if k.Building == nil || k.Registry == nil && len(k.Issuers) == 0 || k.Registry != nil && len(k.Registry.TrustEnvelope) == 0 {
		return "keys of the building are missing: no card opens; exits and fire work"
	}
	return "key files are missing: cards open by the list that is here, and what comes from the registry waits until gatehouse enrol"
}

func (g *Gateway) loadKeys() (keys.Keys, error) {
	dir := g.Site.Path("keys")
	var err error
	if g.start.mended, err = keys.Mend(dir); err != nil {
		g.o.Log.Error().Err(err).Msg("a damaged key file can't be put right")
	}
	for _, name := range g.start.mended {
		g.o.Log.Error().Str("file", name).Msg("a key file was damaged, and was put right from its copy")
	}
	all, err := keys.LoadKeys(dir)
	if err == nil {
		if err := keys.Keep(dir); err != nil {
			g.o.Log.Warn().Err(err).Msg("no second copy of the key files")
		}
	}
	return all, err
}

func (g *Gateway) openJournal() (err error) {
	g.Journal, err = journal.Open(journal.Options{
		Dir: g.Site.Path("journal"), Clock: g.Clock.Stamp, Boot: journaled.BootDetail(clock.BootID(), g.o.Version), Log: g.o.Log,
		MaxBytes: int64(g.Site.Journal.MaxMB) << 20, Verify: g.o.Verify, Uplink: g.hasRegistry(),
		Anchors: g.Keyring.Copies, KeepEvery: g.o.Cadence.Journal, Sync: g.o.Sync, EraseAfter: func() (all, brief time.Duration) {
			p := Periods(g)
			return periods.Days(p.Whos), periods.Days(p.Children)
		},
		Preserved: g.Holds.Held, Brief: keptBriefly(g), Learned: g.start.brief.Learned,
	})
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	return nil
}

// openDesk makes the desk on what the keyring and the journal hold.
func (g *Gateway) openDesk() (err error) {
	g.start.codes = doorcode.New(doorcode.Parts{Dir: g.Site.Path("grants"), Key: g.start.key, Epoch: func() uint64 { return g.Journal.Status().Epoch },
		Grants: g.Keyring.Grants, Lost: func(id wire.CredentialID) bool { return g.Desk.Doors.Lost(id) }, Journal: g.Journal, Log: g.o.Log})
	g.Desk, err = desk.New(desk.Parts{Dir: g.Site.Path("grants"), Keyring: g.Keyring, Journal: g.Journal, Key: g.start.key,
		Clock: g.deskClock, Classed: g.start.brief.Heard, Codes: desk.Codes{Store: g.start.codes, Doors: doorsWith(g.Site, takesTyped), Scanners: doorsWith(g.Site, takesScanned)}, Log: g.o.Log})
	if err != nil {
		return fmt.Errorf("open desk: %w", err)
	}
	return nil
}

// takesTyped reports whether codes without a card are typed at a reader's keys.
func takesTyped(r site.Reader) bool { return r.PIN == site.PINOnly }

// takesScanned reports whether a reader scans guest codes, on the way in.
func takesScanned(r site.Reader) bool { return r.Type == site.TypeCode && r.Direction != "out" }

// doorsWith returns the doors with a reader of a kind.
func doorsWith(s *site.Site, is func(site.Reader) bool) (ids []string) {
	for _, d := range s.Doors {
		if slices.ContainsFunc(d.Readers, is) {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

func (g *Gateway) deskClock() tenancy.Time {
	r := g.Clock.Read()
	return tenancy.Time{Now: r.Wall.Unix(), Sure: r.Interval.Sure, Latest: r.Interval.Hi, Trusted: r.Trusted, Quality: r.Quality}
}

func (g *Gateway) makeDoor(d *Door) {
	cfg := door.Config{ID: d.Config.ID, Rules: rules(d.Config), FailSafe: d.relay.failSafe,
		Budget: time.Duration(g.Site.Journal.BudgetMS) * time.Millisecond, Hold: hold, Tick: g.o.Watchdog.Each(), Listening: g.Decider.State.Listening}
	if g.Fire != nil {
		cfg.Fire, _ = g.Fire.Now()
	}
	for _, r := range d.Config.Readers {
		cfg.Readers = append(cfg.Readers, door.Reader{ID: r.ID, Direction: direction(r.Direction),
			Once: r.Type != site.TypeWiegand, Apart: r.Type == site.TypeSerial || r.Type == site.TypePN532, PIN: r.PIN == site.PINWithCard, Codes: r.PIN == site.PINOnly})
	}
	for source, in := range map[string]*site.Input{device.InputExit: d.Config.Exit, device.InputContact: d.Config.Contact} {
		if in != nil && !cfg.Listening {
			w := inputOf(source, *in, "gatehouse-"+d.Config.ID+"-"+source, g.o.Hardware.Lines, d.Send)
			if source == device.InputExit {
				w.send = tapped(d, &g.Exits)
			}
			d.run = append(d.run, w.run)
		}
	}
	if d.Config.Signal != nil && !cfg.Listening {
		d.signal = g.makeSignal(d, d.Config.Signal, "gatehouse-"+d.Config.ID+"-signal", beeps)
	}
	d.Door = door.New(cfg, door.Parts{Lock: d.relay, Recorder: g.Journal, Granted: teller{g.Desk.Doors, d.Show, d.tells(), d.tested.Load}.tell, Keys: g.Keyring,
		Clock: g.Clock.Decision, Monotonic: g.o.Time.Monotonic, Events: d.events, Watch: g.Swipes.Watch, Typed: g.Swipes.Typed, PINs: g.Desk.Doors, Codes: g.start.codes,
		Passes: g.start.passes, Show: d.Show, Tick: g.o.Watchdog.Loop(), Log: g.o.Log})
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

// hold is the time within which repeats of a card are one presentation: readers repeat it every 50
// ms to 1 s.
const hold = 1500 * time.Millisecond

func direction(s string) wire.Direction {
	if s == "out" {
		return wire.DirectionOut
	}
	return wire.DirectionIn
}

// SetTested says whether somebody sees who comes in, which is shown at the reader.
func (d *Door) SetTested(is bool) { d.tested.Store(is) }

// Send sends an event to the door's loop. It blocks while the queue is full, because an input's
// state must not be lost.
func (d *Door) Send(e device.Event) { d.events <- e }

// tapped sends what an exit button does to its door, and only then shows it to whoever watches for a
// button that is held.
func tapped(d *Door, watched *exitbutton.Buttons) func(device.Event) {
	return func(e device.Event) {
		d.Send(e)
		watched.Saw(d.Config.ID, e)
	}
}

// Run serves until ctx ends, or until somebody else is to decide at the doors (Decider.Changed).
// When it returns all relays are de-energised, as they are while no daemon runs, and everything
// that was queued is durable if the disk works. The functions beside, such as the server that the
// tool talks to, end with ctx, before the doors and the journal do.
func (g *Gateway) Run(ctx context.Context, beside ...func(context.Context)) error {
	var writers, doors, devices sync.WaitGroup
	// The journal ends last, because stopping doors still write to it.
	journalCtx, stopJournal := context.WithCancel(context.WithoutCancel(ctx))
	defer stopJournal()
	writers.Go(func() {
		if err := g.Journal.Run(journalCtx); err != nil {
			g.o.Log.Error().Err(err).Msg("journal stopped")
		}
	})
	g.queueStart()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	doorCtx, stopDoors := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDoors()
	errs := make([]error, len(g.Doors))
	for i, d := range g.Doors {
		doors.Go(func() { errs[i] = g.Decider.serve(doorCtx, d.Door) })
		for _, run := range d.run {
			devices.Go(func() { run(ctx) })
		}
	}
	doors.Go(func() { g.o.Watchdog.Run(doorCtx) })
	if g.Fire != nil {
		devices.Go(func() { g.Fire.input.run(ctx) })
	}
	devices.Go(func() { _ = g.Keyring.Run(ctx) }) // ends with ctx, never with an error
	devices.Go(func() { _ = g.Desk.Run(ctx) })    // likewise
	devices.Go(func() { g.Backup.Run(ctx) })
	devices.Go(func() { g.Central.run(ctx, g) })
	devices.Go(func() { g.watchClock(ctx) })
	devices.Go(func() { runCovers(ctx, g) })
	devices.Go(func() { recall{g.Journal, g.Clock, g.start.passes, g.start.codes, g.o.Log}.run(ctx) })
	for _, run := range beside {
		devices.Go(func() { run(ctx) })
	}
	if g.o.Ready != nil {
		g.o.Ready()
	}
	select {
	case <-ctx.Done():
	case <-g.Decider.other:
		stop()
	}
	devices.Wait()
	stopDoors()
	doors.Wait()
	for _, d := range g.Doors {
		errs = append(errs, d.relay.close())
	}
	g.Journal.Queue(wire.Header{Kind: wire.KindStop}, wire.Who{})
	stopJournal()
	writers.Wait()
	errs = append(errs, g.Clock.Save(true), g.Keyring.Close())
	g.start.end()
	return errors.Join(errs...)
}

// queueStart records the boot, the site file and the files missing at the start.
func (g *Gateway) queueStart() {
	hash := g.Site.Hash()
	g.Journal.Queue(wire.Header{Kind: wire.KindSite, Detail: hash[:]}, wire.Who{})
	g.Decider.begin()
	if g.start.lock == nil {
		g.o.Log.Warn().Str("directory", g.Site.State).Msg("the state directory can't be locked against a second daemon")
	}
	damaged := func(why wire.Reason, source, name string) {
		g.Journal.Queue(wire.Header{Kind: wire.KindDamaged, Reason: why, Source: source, Detail: []byte(name[:min(len(name), 64)])}, wire.Who{})
	}
	keys := g.Keyring.Status()
	for _, name := range append(keys.Files.Aside, keys.Files.Damage...) {
		damaged(wire.ReasonDamaged, "grants", name)
	}
	for _, name := range g.start.mended {
		damaged(wire.ReasonDamaged, "keys", name)
	}
	for _, what := range g.Missing {
		source := "grants"
		if what == clock.File {
			source = clock.File
		}
		g.o.Log.Error().Str("file", what).Msg("a file of the gateway is missing")
		damaged(wire.ReasonMissing, source, what)
	}
	if why := g.Clock.Unread(); why != nil {
		g.o.Log.Error().Err(why).Msg("what was known of the time can't be read")
		damaged(wire.ReasonDamaged, clock.File, clock.File)
	}
}

// PollClock checks the machine's clock, and records when trust in it changed.
func (g *Gateway) PollClock() {
	if r := g.Keyring.Keys.Registry(); r != nil {
		g.Clock.TakeBack(r.Trust)
	}
	h, news, err := g.Clock.Poll()
	if err != nil {
		g.o.Log.Warn().Err(err).Msg("clock")
	}
	if news {
		g.Journal.Queue(h, wire.Who{})
	}
}

func (g *Gateway) watchClock(ctx context.Context) {
	tick := time.NewTicker(g.o.Cadence.Clock)
	defer tick.Stop()
	for {
		g.PollClock()
		if g.Fire != nil {
			g.keepLatch() // where it could not be written before
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
