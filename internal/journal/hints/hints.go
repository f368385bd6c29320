// Package hints keeps what the uplink would otherwise have to learn from the registry again
// (catalogue.Hints): its cursor, what the registry can't lose, and the newest cosigned checkpoint.
//
// Losing them costs a batch that is sent again, so it refuses to write for each ack. What deletes,
// erases or begins an epoch by them saves them first.
package hints

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/sync/wire/journaled"
)

// Name of the file in the directory of a journal.
const Name = "hints"

// Changed hints are saved so long after the write before, or when the cursor has moved over so many
// entries.
const (
	every = 5 * time.Minute
	after = 1000
)

// Files of the version before: two cursors and the note. They are taken over, and removed.
const (
	ackedName      = "acked"
	safeName       = "safe"
	checkpointName = "checkpoint"
)

// File saves the hints of a catalogue. Safe for concurrent use; make it with Open.
type File struct {
	Every time.Duration // how long after a write changed hints are saved; set it before any other call

	dir string
	cat *catalogue.Current

	mu    sync.Mutex // held while the file is written
	slots *durable.Slots

	saved atomic.Pointer[saved]
	old   atomic.Bool // there are files of the version before
}

// saved are the hints that the file has.
type saved struct {
	catalogue.Hints
	at time.Time // of the write; zero: before this run
}

// Open returns the hints file of a journal's directory, and a catalogue that begins with what an
// earlier run has saved. An error says what of that is lost; the rest is good all the same. It
// writes nothing.
func Open(dir string) (*File, *catalogue.Current, error) {
	slots, had, err := read(dir)
	f := &File{Every: every, dir: dir, slots: slots}
	f.saved.Store(&saved{Hints: had})
	has, old, fault := takeOver(dir, had)
	f.old.Store(old)
	f.cat = catalogue.NewCurrent(has)
	return f, f.cat, errors.Join(err, fault)
}

func read(dir string) (*durable.Slots, catalogue.Hints, error) {
	path := filepath.Join(dir, Name)
	slots, text, err := durable.OpenSlots(path)
	if err != nil {
		return slots, catalogue.Hints{}, err
	}
	has, err := decode(string(text))
	if err != nil {
		err = fmt.Errorf("read %s: %w", path, err)
	}
	return slots, has, err
}

// takeOver returns the hints with what the files of the version before say. Where there are some
// that version has run since, because its successor removes them.
func takeOver(dir string, has catalogue.Hints) (_ catalogue.Hints, some bool, err error) {
	for _, f := range []struct {
		name string
		take func(text string) error
	}{
		{ackedName, func(text string) error { return scanPosition(text, &has.Acked) }},
		{safeName, func(text string) error { return scanPosition(text, &has.Safe) }},
		{checkpointName, func(text string) error { has.Cosigned = text; return nil }},
	} {
		text, fault := os.ReadFile(filepath.Join(dir, f.name))
		if errors.Is(fault, fs.ErrNotExist) {
			continue
		}
		some = true
		if fault == nil {
			fault = f.take(string(text))
		}
		if fault != nil {
			err = errors.Join(err, fmt.Errorf("read %s: %w", filepath.Join(dir, f.name), fault))
		}
	}
	return has, some, err
}

// changed returns the hints where the file has others.
func (f *File) changed() (now catalogue.Hints, changed bool) {
	c := f.cat.Load()
	// Without files the directory may be another process's.
	return c.Hints, len(c.Files) > 0 && (c.Hints != f.saved.Load().Hints || f.old.Load())
}

// IsDue reports whether the hints have to be saved: in a run the first at once, others when they are
// old enough, have moved far, or are of another epoch.
func (f *File) IsDue() bool {
	now, changed := f.changed()
	had := f.saved.Load()
	return changed && (time.Since(had.at) >= f.Every || now.Acked.Epoch != had.Acked.Epoch || now.Acked.Sequence >= had.Acked.Sequence+after)
}

// Keep saves the hints if they are due.
func (f *File) Keep() error {
	if !f.IsDue() {
		return nil
	}
	return f.Save()
}

// Save makes the hints durable if the file has others.
func (f *File) Save() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, changed := f.changed()
	if !changed {
		return nil
	}
	if err := f.slots.Write([]byte(encode(now))); err != nil {
		return fmt.Errorf("keep what the registry has: %w", err)
	}
	f.saved.Store(&saved{now, time.Now()})
	if !f.old.Load() {
		return nil
	}
	for _, name := range [...]string{ackedName, safeName, checkpointName} {
		if err := durable.Remove(filepath.Join(f.dir, name)); err != nil {
			return err
		}
	}
	f.old.Store(false)
	return durable.SyncDir(f.dir) // or a power cut brings them back, when they are no longer true
}

// Frozen runs do while the file does not change.
func (f *File) Frozen(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// encode makes a line for each cursor, an empty one, and the checkpoint as it is; no hints are no
// text.
func encode(h catalogue.Hints) string {
	if h == (catalogue.Hints{}) {
		return ""
	}
	return fmt.Sprintf("%s %016x %d\n%s %016x %d\n\n%s", ackedName, h.Acked.Epoch, h.Acked.Sequence, safeName, h.Safe.Epoch, h.Safe.Sequence, h.Cosigned)
}

// decode reads what encode makes, and nothing else.
func decode(text string) (h catalogue.Hints, err error) {
	if text == "" {
		return h, nil
	}
	cursors, note, _ := strings.Cut(text, "\n\n")
	acked, safe, _ := strings.Cut(cursors, "\n")
	h.Cosigned = note
	err = errors.Join(scanPosition(strings.TrimPrefix(acked, ackedName), &h.Acked), scanPosition(strings.TrimPrefix(safe, safeName), &h.Safe))
	if err != nil || encode(h) != text {
		return catalogue.Hints{}, errors.Join(durable.ErrDamaged, err)
	}
	return h, nil
}

// scanPosition reads an epoch in hex and a sequence.
func scanPosition(text string, to *journaled.Position) error {
	var p journaled.Position
	if _, err := fmt.Sscanf(text, "%x %d", &p.Epoch, &p.Sequence); err != nil {
		return err
	}
	*to = p
	return nil
}

// Saved returns the hints in the directory of a journal, also while a daemon runs on it.
func Saved(dir string) (catalogue.Hints, error) {
	_, has, err := read(dir)
	if err == nil {
		has, _, err = takeOver(dir, has)
	}
	return has, err
}

// Cosigned returns the newest checkpoint that gateway and registry have signed, from the directory
// of a journal: a signed note, up to five minutes old while the daemon runs. fs.ErrNotExist: there is
// none.
func Cosigned(dir string) (string, error) {
	has, err := Saved(dir)
	if err == nil && has.Cosigned == "" {
		err = fmt.Errorf("a cosigned checkpoint in %s: %w", dir, fs.ErrNotExist)
	}
	return has.Cosigned, err
}
