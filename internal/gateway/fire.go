package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"gatehouse/device"
	"gatehouse/internal/door"
	"gatehouse/internal/durable"
)

// The two texts of the latch file. They have one length, so that setting the
// latch overwrites bytes that the disk already has: it works on a full disk.
const (
	latchIdle = "fire latch: idle\n"
	latchSet  = "fire latch: set!\n"
)

// fire is the fire input of the building and its latch. Doors are told by
// send; the latch is on disk before the next start can ask for it.
type fire struct {
	path  string
	input input

	mu     sync.Mutex
	state  door.Fire
	onDisk bool  // the latch on disk is set
	err    error // why the latch can't be written
}

// newFire reads the latch. What can't be read counts as set: after doubt the
// doors stay released. A latch that was never written is idle only on a
// gateway that was never started.
func newFire(path string, firstStart bool) *fire {
	f := &fire{path: path, state: door.Fire{Blind: true}}
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

// readLine looks at the line once, before anything is driven. While it can't be
// read the doors are released.
func (f *fire) readLine() {
	lines, err := f.input.open(f.input.cfg)
	if err != nil {
		return
	}
	defer lines.Close()
	active, err := level(lines)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.Blind, f.state.Active = err != nil, active
	f.state.Latched = f.state.Latched || active
}

// saw takes an event of the line and returns whether the doors are to be told.
func (f *fire) saw(e device.Event) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch e.Kind {
	case device.InputChanged:
		f.state.Blind, f.state.Active = false, e.Active
		f.state.Latched = f.state.Latched || e.Active
	case device.WentOffline:
		f.state.Blind = true
	default:
		return false
	}
	return true
}

func (f *fire) now() (door.Fire, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state, f.err
}

// keep puts the latch on disk if it is set and not there yet.
func (f *fire) keep() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.state.Latched || f.onDisk {
		return nil
	}
	f.err = f.write(latchSet)
	f.onDisk = f.err == nil
	return f.err
}

// errStillActive means that the panel has not been reset, or can't be read.
var errStillActive = errors.New("the fire input is still active")

// reset takes the latch back. The look at the line and the write are one step:
// a fire that begins now is latched after it.
func (f *fire) reset() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state.Active || f.state.Blind {
		return errStillActive
	}
	f.onDisk = false // whatever the disk did
	if f.err = f.write(latchIdle); f.err == nil {
		f.state.Latched = false
	}
	return f.err
}

// write overwrites the text in place; a file that is gone is made anew.
func (f *fire) write(text string) error {
	err := overwrite(f.path, text)
	if errors.Is(err, fs.ErrNotExist) {
		err = durable.WriteFile(f.path, []byte(text), 0o600)
	}
	return err
}

func overwrite(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write fire latch: %w", err)
	}
	defer file.Close()
	if _, err := file.WriteAt([]byte(text), 0); err != nil {
		return fmt.Errorf("write fire latch %s: %w", path, err)
	}
	if err := file.Truncate(int64(len(text))); err != nil {
		return fmt.Errorf("write fire latch %s: %w", path, err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("sync fire latch %s: %w", path, err)
	}
	return nil
}

func (f *fire) run(ctx context.Context) { f.input.run(ctx) }
