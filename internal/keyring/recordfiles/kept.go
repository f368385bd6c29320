package recordfiles

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"gatehouse/internal/durable"
	"gatehouse/internal/keyring/files"
	"gatehouse/internal/keyring/record"
	"gatehouse/internal/keyring/signedtime"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// keptFor is the longest time that a stored record is kept, s of the machine's own clock.
const keptFor = 30 * signedtime.Day

// Kept is the directory of a gateway's own records that the registry has stored, with their sealed
// person, until the registry says that it can't lose them any more, or for 30 days: a registry that
// was restored from a backup gets them again. They have no effect on doors, and are erased one by
// one. It is safe for concurrent use.
type Kept struct {
	dir  directory
	own  func() int64 // s of the machine's own clock
	keys *keys.Store  // a standalone house keeps none

	mu   sync.Mutex      // guards the rest and the files
	safe record.Position // own records of the line through the number are safe; the gateway is empty
	due  int64           // time of the next check
}

// NewKept makes one below the keyring's directory.
func NewKept(side *files.Dir, own func() int64, k *keys.Store) *Kept {
	return &Kept{dir: directory{side.Join("kept"), "kept record", side}, own: own, keys: k}
}

func (k *Kept) file(r wire.Record) string {
	return filepath.Join(k.dir.path, r.ID.String()+recordSuffix)
}

// keptRow is what a file holds (files.WriteRow).
type keptRow struct {
	Record   []byte `json:"record"`
	Envelope []byte `json:"envelope"`
	Person   []byte `json:"person,omitempty"`
	Since    int64  `json:"since"`
}

// Keep writes a record that the registry has stored. A person and a time that are kept already
// stay. A record that is safe already is not kept.
func (k *Kept) Keep(l record.Local) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.isSafe(l.Record) {
		return nil
	}
	return k.write(l)
}

func (k *Kept) write(l record.Local) error {
	since := k.own()
	var before keptRow
	if err := files.ReadRow(k.file(l.Record), &before); err == nil {
		if len(l.Person) == 0 {
			l.Person = before.Person
		}
		since = cmp.Or(before.Since, since)
	}
	encoded, err := wire.Encode(l.Record)
	if err != nil {
		return fmt.Errorf("keep record: %w", err)
	}
	if err := durable.MakeDir(k.dir.path, 0o700); err != nil {
		return fmt.Errorf("keep record: %w", err)
	}
	return files.WriteRow(k.file(l.Record), keptRow{encoded, l.Envelope, l.Person, since})
}

// All returns the records by line and number. Their Change is not read.
func (k *Kept) All() (all []record.Local) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, h := range k.read() {
		all = append(all, h.Local)
	}
	return all
}

// read reads the directory. Callers hold mu.
func (k *Kept) read() record.Set {
	r := k.keys.Registry()
	if r == nil {
		return nil
	}
	return k.dir.read(func(path string) (*record.Held, error) {
		var row keptRow
		if err := files.ReadRow(path, &row); err != nil {
			return nil, err
		}
		h := &record.Held{Local: record.Local{Gateway: r.Place.Gateway, Envelope: row.Envelope, Person: row.Person, Entered: true}, Kept: row.Since}
		return h, wire.Decode(row.Record, &h.Record)
	})
}

// Replace replaces the records, which have new numbers. Those that are not among them are erased.
func (k *Kept) Replace(all []record.Local) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	there := make(map[wire.ID]bool, len(all))
	for _, l := range all {
		there[l.Record.ID] = true
		if err := k.write(l); err != nil {
			return err
		}
	}
	return k.erase(func(h *record.Held) bool { return !there[h.Record.ID] })
}

// Safe notes that the registry can't lose the own records of a line through a number: they are not
// kept any more.
func (k *Kept) Safe(line, number uint64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.safe == (record.Position{Line: line, Number: number}) {
		return nil
	}
	k.safe = record.Position{Line: line, Number: number}
	return k.erase(func(h *record.Held) bool { return k.isSafe(h.Record) })
}

func (k *Kept) isSafe(r wire.Record) bool {
	return r.Line == k.safe.Line && r.Number <= k.safe.Number
}

func (k *Kept) erase(which func(*record.Held) bool) error {
	var failed []error
	for _, h := range k.read() {
		if which(h) {
			failed = append(failed, durable.Remove(k.file(h.Record)))
		}
	}
	return errors.Join(failed...)
}

// ForgetOld erases records that were kept for long enough, once a day.
func (k *Kept) ForgetOld() {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.own()
	if now < k.due {
		return
	}
	k.due = now + signedtime.Day
	for _, h := range k.read() {
		if h.Kept == 0 && now > 0 { // it was kept in the first second
			_ = k.write(h.Local) // tried again tomorrow
		}
	}
	if err := k.erase(func(h *record.Held) bool { return h.Kept != 0 && h.Kept+keptFor <= now }); err != nil {
		k.dir.side.Log.Error().Err(err).Msg("kept record can't be erased")
	}
}
