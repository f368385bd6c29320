package gateway

import (
	"context"
	"sync/atomic"
	"time"

	"gatehouse/device"
	"gatehouse/device/osdp"
	"gatehouse/device/pn532"
	"gatehouse/device/serialcard"
	"gatehouse/device/wiegand"
	profiles "gatehouse/firmware-profiles"
	"gatehouse/internal/desk"
	"gatehouse/internal/door"
	"gatehouse/internal/site"
	"gatehouse/sync/wire"
)

// servedReader is one reader of a door.
type servedReader struct {
	cfg     *site.Reader
	door    *servedDoor
	shows   []device.Indicator
	osdp    *osdp.Reader // nil: no OSDP
	keys    site.KeyFile // of an OSDP reader that must be secured
	lessons *lessons     // nil: it can't be taught
	taught  atomic.Bool  // a lesson goes on
}

// makeReaders makes the readers of all doors; those of one OSDP bus are one loop.
func (g *Gateway) makeReaders() {
	buses := map[string][]*servedReader{}
	var ports []string
	for _, d := range g.doors {
		for i := range d.cfg.Readers {
			r := &servedReader{cfg: &d.cfg.Readers[i], door: d}
			d.readers = append(d.readers, r)
			if r.cfg.Type != site.TypeOSDP {
				d.run = append(d.run, g.logged(r, g.reader(r)))
				continue
			}
			if buses[r.cfg.Port] == nil {
				ports = append(ports, r.cfg.Port)
			}
			buses[r.cfg.Port] = append(buses[r.cfg.Port], r)
		}
	}
	for _, p := range ports {
		g.makeBus(buses[p])
	}
}

// logged runs a reader's loop, which ends with ctx, or at once for settings that
// site.Parse should have refused.
func (g *Gateway) logged(r *servedReader, run func(context.Context) error) func(context.Context) {
	return func(ctx context.Context) {
		if err := run(ctx); err != nil && ctx.Err() == nil {
			g.o.Log.Error().Err(err).Str("reader", r.cfg.Name(r.door.cfg.ID)).Msg("reader stopped")
		}
	}
}

// reader returns the loop of a reader that has its port or lines for itself.
func (g *Gateway) reader(r *servedReader) func(context.Context) error {
	if r.cfg.Type == site.TypeWiegand {
		return g.wiegandReader(r)
	}
	cfg := device.PortConfig{Path: r.cfg.Port, Baud: r.cfg.Baud}
	open := func() (device.Port, error) { return g.o.Hardware.Port(cfg) }
	log := g.o.Log.With().Str("door", r.door.cfg.ID).Logger()
	if r.cfg.Type == site.TypePN532 {
		return pn532.New(pn532.Config{Source: r.cfg.ID, Log: log}, open, r.door.events).Run
	}
	return serialcard.New(serialcard.Config{Source: r.cfg.ID, Layout: r.cfg.SerialLayout(), Log: log}, open, r.door.events).Run
}

func (g *Gateway) wiegandReader(r *servedReader) func(context.Context) error {
	name := "gatehouse-" + r.door.cfg.ID + "-" + r.cfg.ID
	lines := r.cfg.Lines(name)
	open := func() (device.Lines, error) { return g.o.Hardware.Lines(lines) }
	for what, s := range map[string]*site.Signal{"led": r.cfg.LED, "buzzer": r.cfg.Buzzer} {
		if s != nil {
			r.shows = append(r.shows, g.makeSignal(r.door, s, name+"-"+what, map[string]map[device.Feedback]pattern{"led": lights, "buzzer": beeps}[what]))
		}
	}
	r.lessons = newLessons(r.cfg.ID, open)
	usual := r.cfg.Wiegand()
	return func(ctx context.Context) error {
		return r.lessons.run(ctx, func(ctx context.Context) error {
			return wiegand.New(usual, open, r.door.events).Run(ctx)
		})
	}
}

// makeBus makes the loop of the OSDP readers on one port.
func (g *Gateway) makeBus(readers []*servedReader) {
	first := readers[0].cfg
	cfg := osdp.BusConfig{Baud: first.Baud, Log: g.o.Log.With().Str("port", first.Port).Logger()}
	for _, r := range readers {
		cfg.Readers = append(cfg.Readers, g.osdpReader(r))
	}
	port := device.PortConfig{Path: first.Port, Baud: first.Baud}
	bus := osdp.New(cfg, func() (device.Port, error) { return g.o.Hardware.Port(port) })
	for i, r := range bus.Readers() {
		readers[i].osdp = r
		readers[i].shows = append(readers[i].shows, r)
	}
	d := readers[0].door
	d.run = append(d.run, g.logged(readers[0], bus.Run))
}

func (g *Gateway) osdpReader(r *servedReader) osdp.ReaderConfig {
	cfg := osdp.ReaderConfig{Source: r.cfg.ID, Address: byte(*r.cfg.Address), Events: r.door.events,
		Keypad: device.Keypad{Pause: r.cfg.KeyPause(), Length: r.cfg.PINLength}, Indications: indications(r.cfg)}
	if r.cfg.Security == site.SecurityNone {
		cfg.Security = osdp.ClearText
	} else {
		r.keys = g.o.Site.KeyFile(r.door.cfg.ID, r.cfg)
		for _, file := range r.keys.Exposed() {
			g.o.Log.Warn().Str("file", file).Msg("others can read this reader's key: chmod 600")
		}
		if err := r.keys.Problem(); err != nil {
			g.o.Log.Error().Err(err).Str("reader", r.cfg.Name(r.door.cfg.ID)).Msg("the reader's key can't be used")
		}
		cfg.Keys = r.keys
	}
	if formats := r.cfg.WireFormats(); len(formats) > 0 {
		cfg.Check = func(c device.Card) device.Fault { return fit(formats, c) }
	}
	return cfg
}

// fit tells what is wrong with a card that can be of one of the formats.
func fit(formats []wiegand.Format, c device.Card) device.Fault {
	fault := device.FaultLength
	for _, f := range formats {
		switch err := f.Check(c); {
		case err == nil:
			return device.FaultNone
		case f.Bits == c.Len():
			fault = device.FaultParity
		}
	}
	return fault
}

// indications are what the profile says that this reader shows; nil: as readers
// with one lamp of two colours do.
func indications(r *site.Reader) map[device.Feedback]osdp.Indication {
	said := r.Indications()
	if len(said) == 0 {
		return nil
	}
	out := map[device.Feedback]osdp.Indication{}
	for _, f := range device.Feedbacks() {
		if in, ok := said[f.String()]; ok {
			out[f] = osdpIndication(in)
		}
	}
	return out
}

// show tells people at a reader of the door, or at all of them (empty).
func (d *servedDoor) show(reader string, f device.Feedback) {
	for _, r := range d.readers {
		if reader == "" || reader == r.cfg.ID {
			for _, s := range r.shows {
				s.Show(f)
			}
		}
	}
	if d.signal != nil && f != device.FeedbackIdle {
		d.signal.Show(f)
	}
}

// tells reports whether the door has anything by which people are told.
func (d *servedDoor) tells() bool {
	told := d.signal != nil
	for _, r := range d.readers {
		told = told || len(r.shows) > 0
	}
	return told
}

// doorPINs are the desk's PINs as the doors see them.
type doorPINs struct{ desk *desk.Desk }

func (p doorPINs) Has(tenancy wire.ID) bool { return p.desk.HasPIN(tenancy) }
func (p doorPINs) Check(who wire.Who, pin device.PIN) (bool, error) {
	return p.desk.CheckPIN(who, pin)
}

// watch hands a door's cards to who waits for them.
func (g *Gateway) watch(s door.Seen) bool { return g.swipes.watch(s) }

// makeSignal prepares an output that people hear or see.
func (g *Gateway) makeSignal(d *servedDoor, c *site.Signal, consumer string, patterns map[device.Feedback]pattern) *signal {
	s := newSignal(device.OutputConfig{Chip: c.Chip, Offset: *c.Line, ActiveLow: c.Active == "low", Consumer: consumer},
		patterns, g.o.Hardware.Output, g.o.Log)
	d.run = append(d.run, s.run)
	return s
}

// lesson is the time in which a reader's frames go to who asked for them, and to
// no door.
type lesson struct {
	events chan device.Event
	over   <-chan struct{}
}

// lessons lends a Wiegand reader's lines for lessons.
type lessons struct {
	source string
	open   func() (device.Lines, error)
	begin  chan lesson
}

func newLessons(source string, open func() (device.Lines, error)) *lessons {
	return &lessons{source: source, open: open, begin: make(chan lesson)}
}

// run runs the usual loop, and between its runs the lessons.
func (l *lessons) run(ctx context.Context, usual func(context.Context) error) error {
	for {
		var next *lesson
		part, cancel := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- usual(part) }()
		var err error
		select {
		case err = <-ended:
		case ls := <-l.begin:
			next = &ls
			cancel()
			<-ended
		}
		cancel()
		if next == nil || ctx.Err() != nil {
			return err
		}
		if err := l.teach(ctx, *next); err != nil {
			return err
		}
	}
}

// teach reads every frame until the lesson is over.
func (l *lessons) teach(ctx context.Context, ls lesson) error {
	part, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- wiegand.New(wiegand.Config{Source: l.source, Teach: true}, l.open, ls.events).Run(part)
	}()
	select {
	case <-ctx.Done():
	case <-ls.over:
	}
	cancel()
	<-ended
	return ctx.Err()
}

// lessonWait is how long a reader may take to begin a lesson.
const lessonWait = 5 * time.Second

// osdpIndication is what a profile says, as commands of the bus: LED 0 and the
// buzzer of reader 0, and the first line of its display.
func osdpIndication(in profiles.Indication) osdp.Indication {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	var out osdp.Indication
	if in.LED != "" {
		colour, _ := osdp.ColourNamed(in.LED) // "off" is black, the zero value
		out.LEDs = []osdp.LED{{OnColour: colour, On: ms(in.OnMS), Off: ms(in.OffMS), For: ms(in.ForMS)}}
	}
	if in.Beeps > 0 {
		out.Buzzer = []osdp.Buzzer{{On: ms(in.BeepMS), Off: ms(in.BeepMS), Count: byte(in.Beeps)}}
	}
	if in.Text != "" {
		out.Text = []osdp.Text{{Text: in.Text, For: ms(in.ForMS)}}
	}
	return out
}
