package acceptance

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"gatehouse/internal/durable"
	"gatehouse/internal/site"
)

// File is the record's name within the state directory.
const File = "acceptance.json"

// Book is the record of a house on disk. Each change is on disk before it counts, so that a power
// cut at any step loses one step at most. Make it with Open. Safe for concurrent use.
type Book struct {
	path  string
	doors []Wired
	boot  string

	mu     sync.Mutex
	record Record
}

// DoorOf returns the parts of a site file's door by which people get out.
func DoorOf(s *site.Site, d site.Door) Wired {
	h := sha256.New()
	line := func(name string, in *site.Input) {
		if in != nil {
			fmt.Fprintf(h, "%s %s %d %s %s\n", name, in.Chip, *in.Line, in.Active, in.Bias)
		}
	}
	fmt.Fprintf(h, "%s %s\nrelay %s %d %s\n", d.Egress, d.Lock, d.Relay.Chip, *d.Relay.Line, d.Relay.Active)
	line("exit", d.Exit)
	line("contact", d.Contact)
	line("fire", s.Fire)
	return Wired{ID: d.ID, Wiring: fmt.Sprintf("%x", h.Sum(nil)[:16]),
		Fitted: map[Part]bool{Lock: true, Power: true, Exit: d.Exit != nil, Contact: d.Contact != nil, Fire: s.Fire != nil}}
}

// Create makes the record of a house that was just set up, in its state directory, which
// must be there: from now on its doors are to be proved. A house that asks for proofs
// already keeps what it has.
func Create(state string, a Act) error { return create(state, a, false) }

// Replace is Create for a machine that took the place of another: its wires are new ones, and
// what was proved of the old ones counts for nothing.
func Replace(state string, a Act) error { return create(state, a, true) }

func create(state string, a Act, replaced bool) error {
	path := filepath.Join(state, File)
	r, err := read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !r.Begun.IsZero() {
		return nil
	}
	r.Begun, r.Replaced = a.At, replaced
	return write(path, r)
}

// Open reads the record of a site. An unreadable record is set aside: all doors are to be proved
// again then, which the error says; the book can be used. boot is the kernel's name of this boot.
func Open(s *site.Site, boot string, now func() time.Time) (*Book, error) {
	b := &Book{path: s.Path(File), boot: boot}
	for _, d := range s.Doors {
		b.doors = append(b.doors, DoorOf(s, d))
	}
	r, err := read(b.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return b, nil
	case err != nil:
		_, aside := durable.SetAside(b.path)
		b.record.Begun = now()
		return b, errors.Join(err, aside, b.save(b.record))
	}
	seen, pulled := r.each(b.doors, Power, func(p Proof) Proof { return p.restarted(boot) })
	if b.record = seen; !pulled {
		return b, nil
	}
	return b, b.save(seen)
}

func read(path string) (r Record, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return Record{}, fmt.Errorf("read %s: %w", path, err)
	}
	return r, nil
}

// write writes a record. Others may read it: setup runs as root and the daemon does not, and
// nothing in it is a secret.
func write(path string, r Record) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return durable.WriteFile(path, raw, 0o644)
}

// save writes a record, then makes it the present one. The caller holds mu or has the book alone.
func (b *Book) save(r Record) error {
	if err := write(b.path, r); err != nil {
		return err
	}
	b.record = r
	return nil
}

// Asks reports whether the doors of this house are to be proved.
func (b *Book) Asks() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.record.Begun.IsZero()
}

// Replaced reports whether the machine took the place of another.
func (b *Book) Replaced() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.record.Replaced
}

// Create begins to ask for proofs in a house that did not.
func (b *Book) Create(a Act) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.record.Begun.IsZero() {
		return nil
	}
	r := b.record
	r.Begun = a.At
	return b.save(r)
}

// Check returns why a step would be refused; nil: it would not.
func (b *Book) Check(door string, p Part, step Step) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, _, err := b.try(door, p, step, Act{})
	return err
}

// Step performs a step at a door, and returns the proof of the part. A step about the plug is for
// all doors at which it is not proved. The book knows the boot.
func (b *Book) Step(door string, p Part, step Step, a Act) (Proof, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, proof, err := b.try(door, p, step, a)
	if err != nil {
		return proof, err
	}
	return proof, b.save(r)
}

// try returns the record after a step; the lock is held.
func (b *Book) try(door string, p Part, step Step, a Act) (Record, Proof, error) {
	a.Boot = b.boot
	i := slices.IndexFunc(b.doors, func(w Wired) bool { return w.ID == door })
	if i < 0 {
		return b.record, Proof{}, fmt.Errorf("%w: door %q", ErrNoSuch, door)
	}
	r, proof, err := b.record.step(b.doors[i], p, step, a)
	if err == nil && p == Power && step == Begin {
		r, _ = r.each(b.doors, Power, func(was Proof) Proof {
			if was.State.Settled() {
				return was
			}
			return proof
		})
	}
	return r, proof, err
}

// StartDrill stores where in the journal a fire drill begins, for all doors.
func (b *Book) StartDrill(epoch, sequence uint64, a Act) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.record
	r.Drill = &Drill{Epoch: epoch, Sequence: sequence, On: true, Report: Report{Begun: a.At, By: a.By}}
	if !r.Begun.IsZero() {
		r, _ = r.each(b.doors, Fire, func(was Proof) Proof {
			if was.State == Passed {
				return was
			}
			return Proof{State: Begun, At: a.At, By: a.By}
		})
	}
	return b.save(r)
}

// EndDrill ends the drill and stores its report. It proves fire at the doors that it released; at
// the others fire did not work.
func (b *Book) EndDrill(report Report, a Act) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.record
	report.Ended = a.At
	r.Drill = &Drill{Report: report}
	for _, w := range b.doors {
		step := No
		if report.Worked(w.ID) {
			step = See
		}
		if r.door(w).of(Fire).State == Begun {
			r, _, _ = r.step(w, Fire, step, a) // both follow what was begun
		}
	}
	return b.save(r)
}

// Drill returns the present fire drill, or the last one; nil: there was none.
func (b *Book) Drill() *Drill {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.record.Drill == nil {
		return nil
	}
	d := *b.record.Drill
	return &d
}

// Stop notes that the daemon ends in order, so that the plug was not pulled.
func (b *Book) Stop() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, changed := b.record.each(b.doors, Power, func(was Proof) Proof {
		if was.State != Begun {
			return was
		}
		return Proof{State: Unproved}
	})
	if !changed {
		return nil
	}
	return b.save(r)
}

// PartShown is a part of a door for people.
type PartShown struct {
	Part   Part
	Fitted bool // the site file has it
	Proof
}

// DoorShown is a door for people.
type DoorShown struct {
	Door  string
	Ready bool // nothing is left to prove
	Parts []PartShown
}

// Doors returns the doors of the house, and since when they are to be proved; none in a house that
// does not ask.
func (b *Book) Doors() (since time.Time, all []DoorShown) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.record.Begun.IsZero() {
		return time.Time{}, nil
	}
	for _, w := range b.doors {
		d, shown := b.record.door(w), DoorShown{Door: w.ID, Ready: true}
		for _, p := range Parts() {
			proof := d.of(p)
			shown.Ready = shown.Ready && proof.State.Settled()
			shown.Parts = append(shown.Parts, PartShown{p, w.Fitted[p], proof})
		}
		all = append(all, shown)
	}
	return b.record.Begun, all
}
