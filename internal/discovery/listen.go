package discovery

import (
	"context"
	"errors"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/osdp"
	"gatehouse/device/serialcard"
	"gatehouse/device/wiegand"
	"gatehouse/internal/profile"
	"gatehouse/internal/site"
)

const (
	burstGap  = 50 * time.Millisecond // silence that ends what a module sends
	burstTime = time.Second           // a module that repeats its frame leaves no such silence
	burstSize = 4096
	speedTime = 3 * time.Second // at one speed, while nothing is received
)

// listenSpeeds are the baud rates of modules that send by themselves, the usual one first.
var listenSpeeds = []int{9600, 19200, 38400, 115200}

// listen waits for cards at the silent ports and at the wiring's Wiegand lines and, if asked to, at
// the readers that answered.
func (l *look) listen(limit time.Duration, deaf []string, w *profile.Wiring, answered bool) {
	ctx, cancel := context.WithTimeout(l.ctx, limit)
	defer cancel()
	answering := l.byPort(answered)
	var all sync.WaitGroup
	for _, path := range deaf {
		all.Go(func() { l.listenPort(ctx, path) })
	}
	for _, pair := range l.pairs(w) {
		all.Go(func() { l.listenLines(ctx, limit, pair) })
	}
	for _, readers := range answering {
		all.Go(func() { l.listenReaders(ctx, limit, readers) })
	}
	all.Wait()
}

// byPort groups the readers that answered by port; none if they are not wanted.
func (l *look) byPort(wanted bool) map[string][]Reader {
	all := map[string][]Reader{}
	for _, r := range l.found.Readers { // nobody adds any before the goroutines run
		if wanted {
			all[r.Port] = append(all[r.Port], r)
		}
	}
	return all
}

// listenReaders waits until a card was held to each of the readers of a port. An OSDP reader is
// listened to in clear text: one with a key of its own may stay silent.
func (l *look) listenReaders(ctx context.Context, limit time.Duration, readers []Reader) {
	run, waiting := l.driver(readers[0]), len(readers)
	if readers[0].Type == site.TypeOSDP {
		run = l.bus(readers)
	}
	seen := make([]bool, len(readers))
	watch(ctx, limit, run, func(e device.Event) bool {
		i := slices.IndexFunc(readers, func(r Reader) bool { return r.Type != site.TypeOSDP || source(r) == e.Source })
		if e.Kind == device.CardRead && i >= 0 && !seen[i] {
			seen[i] = true
			waiting--
			l.held(readers[i])
		}
		return waiting == 0
	})
}

// source returns an OSDP reader's name in its events.
func source(r Reader) string { return strconv.Itoa(*r.Address) }

// bus runs the panel of a line with these readers.
func (l *look) bus(readers []Reader) func(context.Context, chan<- device.Event) error {
	return func(ctx context.Context, events chan<- device.Event) error {
		cfg := osdp.BusConfig{Baud: readers[0].Baud, Log: l.Log}
		for _, r := range readers {
			cfg.Readers = append(cfg.Readers, osdp.ReaderConfig{Source: source(r), Address: byte(*r.Address), ClearText: true, Events: events})
		}
		return osdp.New(cfg, l.opener(readers[0].Port, readers[0].Baud)).Run(ctx)
	}
}

// listenPort listens at one port, at one speed after the other, until a reader is recognised.
func (l *look) listenPort(ctx context.Context, path string) {
	spoke := false
	for n := 0; ctx.Err() == nil; n++ {
		baud := listenSpeeds[n%len(listenSpeeds)]
		var who Reader
		err := device.Use(ctx, l.opener(path, baud), func(_ context.Context, port device.Port) error {
			heard, any, err := hear(port, baud)
			who, spoke = heard, spoke || any
			return err
		})
		switch {
		case ctx.Err() != nil:
		case err != nil:
			l.unusable(err)
			return
		case who.Type != "":
			who.Port, who.Card = path, true
			l.heard(who)
			return
		}
	}
	if spoke {
		l.problem("port %s: something spoke, and it is nothing that is known: look for the reader's manual and for its layout in docs/readers.md, and write the reader into the site file by hand", path)
	}
}

// hear listens at one speed, and reports whether a reader was heard. Bytes without meaning are of
// another speed.
func hear(port device.Port, baud int) (who Reader, spoke bool, err error) {
	for end := time.Now().Add(speedTime); time.Now().Before(end) && !spoke; {
		burst, err := readBurst(port, time.Until(end))
		if err != nil {
			return Reader{}, spoke, err
		}
		spoke = len(burst) > 0
		who = recognise(burst, baud)
		clear(burst)
	}
	return who, spoke, nil
}

// readBurst reads up to the next silence.
func readBurst(port device.Port, wait time.Duration) (burst []byte, err error) {
	buf := make([]byte, burstSize)
	defer func() { clear(buf[len(burst):]) }()
	var began time.Time
	for len(burst) < len(buf) && (began.IsZero() || time.Since(began) < burstTime) {
		if err := port.SetReadTimeout(max(wait, 0)); err != nil {
			return nil, err
		}
		n, err := port.Read(buf[len(burst):])
		burst = buf[:len(burst)+n]
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return burst, nil
		case err != nil && device.PortFault(err) == fault.None:
			return nil, err
		}
		if began.IsZero() && n > 0 {
			began, wait = time.Now(), burstGap
		}
	}
	return burst, nil
}

// candidate is a layout that a module may send, with the settings of its kind.
type candidate struct {
	layout   string
	settings serialcard.Settings
	baud     int // the only one that it is looked for at; 0: any
}

// candidates are tried in this order: the strictest check comes first.
var candidates = []candidate{
	{layout: "rdm6300"}, {layout: "id12"}, {layout: "em18"}, {layout: "7941d"}, {layout: "idteck"}, {layout: "codatex"},
	{layout: "mf7", baud: 19200}, {layout: "line"}, inHex("hex", 8), inHex("hex", 10), inHex("hex_lower", 8), inHex("hex_lower", 10),
	{layout: "sp-d300", baud: 38400}, {layout: "code"},
}

// inHex returns a candidate for a line of text with a number of hex digits.
func inHex(base string, digits int) candidate {
	return candidate{layout: "line", settings: serialcard.Settings{Base: base, Digits: []int{digits}}}
}

// recognise finds the reader that sends a burst at a speed; a Reader without type: unknown.
func recognise(burst []byte, baud int) Reader {
	for _, c := range candidates {
		layout, _ := serialcard.Lookup(c.layout)
		layout, err := layout.With(c.settings)
		if err != nil || c.baud != 0 && c.baud != baud || !understands(layout, burst) {
			continue
		}
		r := Reader{Type: site.TypeSerial, Layout: c.layout, Baud: baud}
		if layout.Code() {
			if number(burst) {
				return Reader{} // a card's number in a form that no layout has is no code
			}
			r.Type = site.TypeCode
		}
		if !reflect.ValueOf(c.settings).IsZero() {
			r.Settings = &c.settings
		}
		return r
	}
	return Reader{}
}

// number reports whether there are only digits.
func number(burst []byte) bool {
	return strings.Trim(string(burst), "0123456789abcdefABCDEF\r\n \x02\x03") == ""
}

// understands reports whether a layout decodes the burst: at least one card, and nothing wrong
// except before the first one, which may be the rest of a frame.
func understands(layout serialcard.Layout, burst []byte) bool {
	dec, err := serialcard.NewDecoder(layout)
	if err != nil {
		return false
	}
	defer dec.Reset()
	cards := 0
	take := func(e device.Event, ok bool) bool {
		if ok && (e.Kind == device.CardRead || e.Kind == device.CodeRead) {
			cards++
		}
		return !ok || e.Kind != device.FaultSeen || cards == 0
	}
	for _, b := range burst {
		if !take(dec.Push(b)) {
			return false
		}
	}
	if dec.InFrame() && cards > 0 && !layout.EndsBySilence() {
		return true // a frame that was being repeated
	}
	return take(dec.Timeout()) && cards > 0
}

// pair is two lines for a Wiegand reader.
type pair struct {
	chip   string
	d0, d1 int
}

// pairs returns the readable pairs of lines in the wiring.
func (l *look) pairs(w *profile.Wiring) (all []pair) {
	if w == nil {
		return nil
	}
	for _, d := range w.Doors {
		_, have0 := l.found.Level(w.Chip, d.D0)
		if _, have1 := l.found.Level(w.Chip, d.D1); have0 && have1 { // else it is a problem already
			all = append(all, pair{w.Chip, d.D0, d.D1})
		}
	}
	return all
}

// listenLines waits for a card at two lines.
func (l *look) listenLines(ctx context.Context, limit time.Duration, p pair) {
	open := func() (device.Lines, error) {
		return l.Lines(device.LinesConfig{Chip: p.chip, Offsets: []int{p.d0, p.d1}, ActiveLow: true, Bias: device.BiasPullUp, Consumer: consumer})
	}
	e, ok := first(ctx, limit, device.CardRead, func(ctx context.Context, events chan<- device.Event) error {
		return wiegand.New(wiegand.Config{Source: consumer, LearnFormat: true}, open, events).Run(ctx)
	})
	if !ok {
		return
	}
	if all := wiegand.Propose([]device.Card{e.Card}); len(all) > 0 {
		l.heard(Reader{Type: site.TypeWiegand, Chip: p.chip, D0: &p.d0, D1: &p.d1, Formats: []string{all[0].Format}, Swapped: all[0].Swapped, Card: true})
	}
}
