package gateway

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/osdp"
	"gatehouse/device/osdp/protocol"
	"gatehouse/device/pn532"
	"gatehouse/device/serialcard"
	"gatehouse/device/wiegand"
	"gatehouse/internal/profile"
	"gatehouse/internal/site"
)

// Reader is one reader of a door.
type Reader struct {
	Config  *site.Reader
	Door    *Door
	OSDP    *osdp.Reader // nil: not an OSDP reader
	Keys    site.KeyFile // of an OSDP reader that must be secured
	shows   []device.Indicator
	lines   func() (device.Lines, error) // of a Wiegand reader
	wiegand *wiegand.Reader              // of its next loop; nil: not a Wiegand reader
	learner *learner                     // nil: its door's loop goes on to have its cards
	learns  atomic.Bool                  // format learning is in progress
}

// requestReaders makes the readers of a door, and requests the lines of those that speak unasked: what
// comes on them counts only after a while, in which the gateway opens all else.
func (d *Door) requestReaders(hw Hardware) {
	for i := range d.Config.Readers {
		r := &Reader{Config: &d.Config.Readers[i], Door: d}
		d.Readers = append(d.Readers, r)
		if r.Config.Type == site.TypeWiegand {
			lines := r.Config.Lines(r.consumer())
			r.lines = func() (device.Lines, error) { return hw.Lines(lines) }
			r.wiegand = r.newWiegand()
			r.wiegand.Request()
		}
	}
}

// consumer names the lines of a reader.
func (r *Reader) consumer() string { return "gatehouse-" + r.Door.Config.ID + "-" + r.Config.ID }

func (r *Reader) newWiegand() *wiegand.Reader {
	return wiegand.New(r.Config.Wiegand(), r.lines, r.Door.events)
}

// readWiegand is the loop of a Wiegand reader: after format learning another one than before.
func (r *Reader) readWiegand(ctx context.Context) error {
	loop := r.wiegand
	r.wiegand = r.newWiegand()
	return loop.Run(ctx)
}

// makeReaders makes the loops of all readers; those of one OSDP bus are one loop.
func (g *Gateway) makeReaders() {
	buses := map[string][]*Reader{}
	var ports []string
	for _, d := range g.Doors {
		for _, r := range d.Readers {
			if g.Decider.State.Listening && !Tapped(r.Config.Type) {
				continue
			}
			if r.Config.Type != site.TypeOSDP {
				d.run = append(d.run, g.logged(r, g.reader(r)))
				continue
			}
			if buses[r.Config.Port] == nil {
				ports = append(ports, r.Config.Port)
			}
			buses[r.Config.Port] = append(buses[r.Config.Port], r)
		}
	}
	for _, p := range ports {
		g.makeBus(buses[p])
	}
}

// logged returns a function that runs a reader's loop and logs its error: it ends with ctx, or at
// once for settings that site.Parse should have refused.
func (g *Gateway) logged(r *Reader, run func(context.Context) error) func(context.Context) {
	return func(ctx context.Context) {
		if err := run(ctx); err != nil && ctx.Err() == nil {
			g.o.Log.Error().Err(err).Str("reader", r.Config.Name(r.Door.Config.ID)).Msg("reader stopped")
		}
	}
}

// reader returns the loop of a reader with a port or lines of its own.
func (g *Gateway) reader(r *Reader) func(context.Context) error {
	if r.Config.Type == site.TypeWiegand {
		return g.wiegandReader(r)
	}
	cfg := device.PortConfig{Path: r.Config.Port, Baud: r.Config.Baud}
	open := func() (device.Port, error) { return g.o.Hardware.Port(cfg) }
	log := g.o.Log.With().Str("door", r.Door.Config.ID).Logger()
	if r.Config.Type == site.TypePN532 {
		return pn532.New(pn532.Config{Source: r.Config.ID, Log: log}, open, r.Door.events).Run
	}
	return serialcard.New(serialcard.Config{Source: r.Config.ID, Layout: r.Config.SerialLayout(), Log: log}, open, r.Door.events).Run
}

func (g *Gateway) wiegandReader(r *Reader) func(context.Context) error {
	name := r.consumer()
	silent := g.Decider.State.Listening // the old controller has its lamp and its buzzer
	if led := r.Config.LED; led != nil && !silent {
		r.shows = append(r.shows, g.makeSignal(r.Door, led, name+"-led", lights))
	}
	if buzzer := r.Config.Buzzer; buzzer != nil && !silent {
		r.shows = append(r.shows, g.makeSignal(r.Door, buzzer, name+"-buzzer", beeps))
	}
	r.learner = &learner{source: r.Config.ID, open: r.lines, begin: make(chan learning)}
	return func(ctx context.Context) error { return r.learner.run(ctx, r.readWiegand) }
}

// makeBus makes the loop of the OSDP readers on one port.
func (g *Gateway) makeBus(readers []*Reader) {
	first := readers[0].Config
	cfg := osdp.BusConfig{Baud: first.Baud, Log: g.o.Log.With().Str("port", first.Port).Logger()}
	for _, r := range readers {
		cfg.Readers = append(cfg.Readers, g.osdpReader(r))
	}
	port := device.PortConfig{Path: first.Port, Baud: first.Baud}
	bus := osdp.New(cfg, func() (device.Port, error) { return g.o.Hardware.Port(port) })
	for i, r := range bus.Readers() {
		readers[i].OSDP = r
		readers[i].shows = append(readers[i].shows, r)
	}
	d := readers[0].Door
	d.run = append(d.run, g.logged(readers[0], bus.Run))
}

func (g *Gateway) osdpReader(r *Reader) osdp.ReaderConfig {
	cfg := osdp.ReaderConfig{Source: r.Config.ID, Address: byte(*r.Config.Address), Events: r.Door.events,
		Keypad: device.Keypad{Pause: r.Config.KeyPause(), Length: r.Config.PINLength}, Indications: indications(r.Config)}
	if r.Config.Security == site.SecurityNone {
		cfg.ClearText = true
	} else {
		r.Keys = g.Site.KeyFile(r.Door.Config.ID, r.Config)
		for _, file := range r.Keys.Exposed() {
			g.o.Log.Warn().Str("file", file).Msg("others can read this reader's key: chmod 600")
		}
		if err := r.Keys.Problem(); err != nil {
			g.o.Log.Error().Err(err).Str("reader", r.Config.Name(r.Door.Config.ID)).Msg("the reader's key can't be used")
		}
		cfg.Keys = r.Keys
	}
	if formats := r.Config.WireFormats(); len(formats) > 0 {
		cfg.Check = func(c device.Card) fault.Code { return fit(formats, c) }
	}
	return cfg
}

// fit returns the fault of a card that is of none of the formats.
func fit(formats []wiegand.Format, c device.Card) fault.Code {
	found := fault.Length
	for _, f := range formats {
		if f.Check(c) == nil {
			return fault.None
		}
		if f.Bits == c.Len() {
			found = fault.Parity
		}
	}
	return found
}

// indications returns how the profile's reader shows feedback; nil: as readers with one lamp of two
// colours do.
func indications(r *site.Reader) map[device.Feedback]protocol.Indication {
	said := r.Indications()
	if len(said) == 0 {
		return nil
	}
	out := map[device.Feedback]protocol.Indication{}
	for _, f := range device.Feedbacks() {
		if in, ok := said[f.String()]; ok {
			out[f] = osdpIndication(in)
		}
	}
	return out
}

// Show shows feedback at a reader of the door, or at all of them (empty).
func (d *Door) Show(reader string, f device.Feedback) {
	for _, r := range d.Readers {
		if reader == "" || reader == r.Config.ID {
			for _, s := range r.shows {
				s.Show(f)
			}
		}
	}
	if d.signal != nil && f != device.FeedbackIdle {
		d.signal.Show(f)
	}
}

// tells reports whether the door can show anything to people.
func (d *Door) tells() bool {
	told := d.signal != nil
	for _, r := range d.Readers {
		told = told || len(r.shows) > 0
	}
	return told
}

// makeSignal prepares an output that people hear or see.
func (g *Gateway) makeSignal(d *Door, c *site.Signal, consumer string, patterns map[device.Feedback]pattern) *signal {
	s := &signal{cfg: device.OutputConfig{Chip: c.Chip, Offset: *c.Line, ActiveLow: c.Active == "low", Consumer: consumer},
		patterns: patterns, open: g.o.Hardware.Output, log: g.o.Log, next: make(chan pattern, 1)}
	d.run = append(d.run, s.run)
	return s
}

// learning is a session of format learning, in which a reader's frames go to its caller and to no
// door.
type learning struct {
	events chan device.Event
	over   <-chan struct{}
}

// learner lends the lines of a Wiegand reader to format learning.
type learner struct {
	source string
	open   func() (device.Lines, error)
	begin  chan learning
}

// run alternates between the usual loop and format learning, which reads every frame.
func (l *learner) run(ctx context.Context, usual func(context.Context) error) error {
	for {
		next, asked, err := runUntil(ctx, usual, l.begin)
		if !asked || ctx.Err() != nil {
			return err
		}
		frames := wiegand.New(wiegand.Config{Source: l.source, LearnFormat: true}, l.open, next.events)
		if _, over, err := runUntil(ctx, frames.Run, next.over); !over {
			return err
		}
	}
}

// runUntil runs a loop until it ends, or ends it when stop delivers or is closed. The loop's
// goroutine is gone when it returns.
func runUntil[T any](ctx context.Context, loop func(context.Context) error, stop <-chan T) (got T, stopped bool, err error) {
	part, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- loop(part) }()
	select {
	case err = <-ended:
		return got, false, err
	case got = <-stop:
	}
	cancel()
	<-ended
	return got, true, nil
}

// learnWait is how long a reader may take to start format learning.
const learnWait = 5 * time.Second

// Lends reports whether format learning takes the reader from its door. At other readers cards come
// through the door's loop then, too.
func (r *Reader) Lends() bool { return r.learner != nil }

// LearnFormat starts format learning, which lasts until over is closed: every frame of a reader that
// lends its lines goes to events, and none to its door. It fails where the reader does not run.
func (r *Reader) LearnFormat(ctx context.Context, events chan device.Event, over <-chan struct{}) error {
	if r.learner != nil {
		ctx, cancel := context.WithTimeout(ctx, learnWait)
		defer cancel()
		select {
		case r.learner.begin <- learning{events, over}:
		case <-ctx.Done():
			return errors.New("the reader does not run")
		}
		r.Door.Send(device.Event{Kind: device.WentOffline, Source: r.Config.ID})
	}
	r.learns.Store(true)
	return nil
}

// Learning reports whether format learning is in progress.
func (r *Reader) Learning() bool { return r.learns.Load() }

// Leave notes that format learning has ended.
func (r *Reader) Leave() { r.learns.Store(false) }

// osdpIndication returns a profile's indication as commands of the bus: LED 0 and the buzzer of
// reader 0, and the first line of its display.
func osdpIndication(in profile.Indication) protocol.Indication {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	var out protocol.Indication
	if in.LED != "" {
		colour, _ := protocol.ColourNamed(in.LED) // "off" is black, the zero value
		out.LEDs = []protocol.LED{{OnColour: colour, On: ms(in.OnMS), Off: ms(in.OffMS), For: ms(in.ForMS)}}
	}
	if in.Beeps > 0 {
		out.Buzzer = []protocol.Buzzer{{On: ms(in.BeepMS), Off: ms(in.BeepMS), Count: byte(in.Beeps)}}
	}
	if in.Text != "" {
		out.Text = []protocol.Text{{Text: in.Text, For: ms(in.ForMS)}}
	}
	return out
}
