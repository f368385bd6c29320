package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/internal/caller"
	"gatehouse/internal/door"
	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
)

// The two texts of the latch file have one length, so that setting the latch overwrites bytes that
// the disk already has: it works on a full disk.
const (
	latchIdle = "fire latch: idle\n"
	latchSet  = "fire latch: set!\n"
)

// Fire is the fire input of the building and its latch. The first time that it is
// seen active the doors are released as by an exit button; the second time within
// a second they stay released until somebody on site resets the latch, so that one
// spike on the line does not open a house for a night. The latch is on disk before
// the next start can ask for it. Safe for concurrent use.
type Fire struct {
	path  string
	input input

	mu     sync.Mutex
	state  door.Fire
	seen   look  // last time that the line was active
	onDisk bool  // the latch on disk is set
	err    error // why the latch can't be written
}

// look is one reading or edge of the line.
type look struct {
	at time.Time     // when it was received; zero: never
	by time.Duration // the kernel's time of it; 0: not known
}

// confirmIn is the time within which a second look sets the latch. A line disturbed by 50 or 100 Hz
// is seen active many times within it.
const confirmIn = time.Second

// follows reports whether l confirms the first look, by arrival or by the kernel's time, since it
// may have arrived late.
func (l look) follows(first look) bool {
	if first.at.IsZero() {
		return false
	}
	return l.at.Sub(first.at) <= confirmIn || l.by > 0 && first.by > 0 && l.by-first.by <= confirmIn
}

// newFire reads the latch. An unreadable latch counts as set: in doubt the doors stay released. A
// missing one is idle only on a gateway that was never started.
func newFire(path string, firstStart bool) *Fire {
	f := &Fire{path: path, state: door.Fire{Blind: true}}
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		f.state.Latched = string(text) != latchIdle
		f.onDisk = string(text) == latchSet
	case errors.Is(err, fs.ErrNotExist) && firstStart:
		f.err = durable.WriteFile(path, []byte(latchIdle), 0o600)
	default:
		f.state.Latched = true
	}
	return f
}

// Looks at the line at the start, over more than a period of 50 Hz.
const (
	looksAtStart = 24
	lookApart    = time.Millisecond
)

// readLine reads the line before anything is driven. The doors are released while it can't be read.
func (f *Fire) readLine() {
	lines, err := f.input.open(f.input.cfg)
	if err != nil {
		return
	}
	defer lines.Close()
	for range looksAtStart {
		active, err := level(lines)
		if err != nil {
			return
		}
		f.saw(device.Event{Kind: device.InputChanged, Active: active})
		if now, _ := f.Now(); now.Latched {
			return
		}
		time.Sleep(lookApart)
	}
}

// news is what an event of the line means for the doors.
type news uint8

const (
	newsNone   news = iota
	newsTell        // pass the event to the doors
	newsSeen        // active at one look: release as by an exit button
	newsPassed      // it was active at one look only, and is idle again
)

func (f *Fire) saw(e device.Event) news {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.state
	switch {
	case e.Kind == device.WentOffline:
		f.state.Blind = true
		return newsTell
	case e.Kind != device.InputChanged:
		return newsNone
	}
	f.state.Blind, f.state.Active, f.state.Seen = false, e.Active, f.state.Seen || e.Active
	if e.Active {
		return f.active(e, before)
	}
	switch {
	case before.Active && !before.Latched:
		return newsPassed
	case before.Active, before.Blind:
		return newsTell
	}
	return newsNone
}

// active handles a look at which the line was active; the lock is held.
func (f *Fire) active(e device.Event, before door.Fire) news {
	first := f.seen
	f.seen = look{time.Now(), e.At}
	f.state.Latched = f.state.Latched || f.seen.follows(first)
	switch {
	case !f.state.Latched:
		return newsSeen
	case before.Latched && before.Active && !before.Blind:
		return newsNone
	}
	return newsTell
}

// Now returns the state of the fire input, and why the latch can't be written.
func (f *Fire) Now() (door.Fire, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state, f.err
}

// keep writes the latch to disk if it is set and not there yet.
func (f *Fire) keep() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.state.Latched || f.onDisk {
		return nil
	}
	f.err = f.write(latchSet)
	f.onDisk = f.err == nil
	return f.err
}

// ErrFireActive means that the panel has not been reset, or can't be read.
var ErrFireActive = errors.New("the fire input is still active")

// reset clears the latch. Reading the line and writing are one step, so that a fire that begins now
// is latched after it.
func (f *Fire) reset() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state.Active || f.state.Blind {
		return ErrFireActive
	}
	f.onDisk = false // whatever state the disk is in
	if f.err = f.write(latchIdle); f.err == nil {
		f.state.Latched, f.state.Seen, f.seen = false, false, look{}
	}
	return f.err
}

// write overwrites the text in place; a missing file is made again.
func (f *Fire) write(text string) error {
	err := overwrite(f.path, text)
	if errors.Is(err, fs.ErrNotExist) {
		return durable.WriteFile(f.path, []byte(text), 0o600)
	}
	if err != nil {
		return fmt.Errorf("write fire latch: %w", err)
	}
	return nil
}

func overwrite(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err = file.WriteAt([]byte(text), 0); err == nil {
		err = file.Truncate(int64(len(text)))
	}
	if err == nil {
		err = file.Sync()
	}
	return err
}

// makeFire reads latch and line before anything else, and releases at once where there is or was
// fire.
func (g *Gateway) makeFire() {
	_, err := os.Stat(g.Site.Path("journal"))
	g.Fire = newFire(g.Site.Path("fire.latch"), errors.Is(err, os.ErrNotExist))
	g.Fire.input = input{source: device.InputFire, cfg: g.Site.Fire.Lines("gatehouse-fire"), open: g.o.Hardware.Lines, send: g.fireEvent, every: true}
	g.Fire.readLine()
	if f, _ := g.Fire.Now(); f == (door.Fire{}) {
		return
	}
	for _, d := range g.Doors {
		if err := d.relay.Release(); err != nil {
			g.o.Log.Error().Err(err).Str("door", d.Config.ID).Msg("lock can't be released for fire; it is tried again")
		}
	}
	g.keepLatch()
}

// keepLatch writes the latch to disk if it is set and not there.
func (g *Gateway) keepLatch() {
	if err := g.Fire.keep(); err != nil {
		g.o.Log.Error().Err(err).Msg("fire latch is not on disk; it holds as long as this process lives")
	}
}

// fireEvent tells every door first, and writes the latch after.
func (g *Gateway) fireEvent(e device.Event) {
	switch e.Kind { // as all entries, after the doors were told
	case device.WentOffline:
		defer g.Journal.Queue(wire.Header{Kind: wire.KindOffline, Reason: wire.Reason(e.Fault), Source: device.InputFire}, wire.Who{})
	case device.CameOnline:
		defer g.Journal.Queue(wire.Header{Kind: wire.KindOnline, Source: device.InputFire}, wire.Who{})
	}
	switch g.Fire.saw(e) {
	case newsNone:
		return
	case newsSeen:
		e.Source = device.InputFireSeen
	case newsPassed:
		g.Journal.Queue(wire.Header{Kind: wire.KindFault, Reason: wire.Reason(fault.Noise), Source: device.InputFire}, wire.Who{})
	}
	for _, d := range g.Doors {
		d.Send(e)
	}
	g.keepLatch()
}

// ResetFire ends an emergency on the word of somebody on site: the doors are secured again. It
// fails with ErrFireActive while the panel has not been reset.
func (g *Gateway) ResetFire(ctx context.Context) error {
	if err := g.Fire.reset(); errors.Is(err, ErrFireActive) {
		g.Journal.Queue(wire.Header{Kind: wire.KindFireReset, Outcome: wire.OutcomeRefused, Source: caller.Of(ctx).String()}, wire.Who{})
		return err
	} else if err != nil {
		return fmt.Errorf("the latch can't be written, so the doors stay released: %w", err)
	}
	for _, d := range g.Doors {
		if _, err := d.ResetFire(ctx); err != nil {
			return fmt.Errorf("reset door %s: %w", d.Config.ID, err)
		}
	}
	if f, _ := g.Fire.Now(); f.Latched { // it became active again while the doors were told
		for _, d := range g.Doors {
			d.Send(device.Event{Kind: device.InputChanged, Source: device.InputFire, Active: true})
			d.Send(device.Event{Kind: device.InputChanged, Source: device.InputFire, Active: f.Active})
		}
	}
	return nil
}
