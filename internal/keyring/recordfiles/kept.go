package recordfiles

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"gatehouse/internal/durable"
	"gatehouse/internal/keyring/files"
	"gatehouse/internal/keyring/record"
	"gatehouse/internal/keyring/signedtime"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// keptFor is how long a stored record is kept at most, s of the machine's own clock.
const keptFor = 30 * signedtime.Day

// Kept is the directory of a gateway's own records that the registry has stored, with
// their sealed person, until it says that it can't lose them any more, or for 30 days: one
// that was restored from a backup gets them again. They open and shut nothing, and are
// erased one by one. It is safe for concurrent use.
type Kept struct {
	dir  string
	side *files.Dir   // where damaged files are told
	own  func() int64 // s of the machine's own clock
	keys *keys.Store  // a house by itself keeps none

	mu   sync.Mutex      // guards the rest and the files
	safe record.Position // own records of the line through the number are; the gateway is empty
	due  int64           // when they are looked at
}

// NewKept makes one below the keyring's directory.
func NewKept(side *files.Dir, own func() int64, k *keys.Store) *Kept {
	return &Kept{dir: side.Join("kept"), side: side, own: own, keys: k}
}

func (k *Kept) file(r wire.Record) string {
	return filepath.Join(k.dir, r.ID.String()+recordSuffix)
}

// keptRow is what a file holds, as summed JSON (files.WriteSummed).
type keptRow struct {
	Record   []byte `json:"record"`
	Envelope []byte `json:"envelope"`
	Person   []byte `json:"person,omitempty"`
	Since    int64  `json:"since"`
}

// Keep writes a record that the registry has stored. A person that is kept with it
// already stays, and so does the time. One that is safe already is not kept.
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
	if body, err := files.ReadSummed(k.file(l.Record)); err == nil {
		var row keptRow
		if err := json.Unmarshal(body, &row); err == nil && len(l.Person) == 0 {
			l.Person = row.Person
		}
		since = cmp.Or(row.Since, since)
	}
	encoded, err := wire.Encode(l.Record)
	if err != nil {
		return fmt.Errorf("keep record: %w", err)
	}
	row, err := json.Marshal(keptRow{encoded, l.Envelope, l.Person, since})
	if err != nil {
		return fmt.Errorf("keep record: %w", err)
	}
	if err := durable.MakeDir(k.dir, 0o700); err != nil {
		return fmt.Errorf("keep record: %w", err)
	}
	return files.WriteSummed(k.file(l.Record), row)
}

// All returns the records, by line and number. Their Change is not read.
func (k *Kept) All() (all []record.Local) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, row := range k.read() {
		all = append(all, row.local)
	}
	return all
}

type keptRecord struct {
	local record.Local
	since int64
}

// read reads the directory. A damaged file is set aside. Callers hold mu.
func (k *Kept) read() (all []keptRecord) {
	r := k.keys.Registry()
	list, err := os.ReadDir(k.dir)
	if r == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		k.side.Log.Error().Err(err).Msg("kept records can't be read")
		return nil
	}
	for _, f := range list {
		path := filepath.Join(k.dir, f.Name())
		if filepath.Ext(path) != recordSuffix {
			continue
		}
		body, err := files.ReadSummed(path)
		var row keptRow
		if err == nil {
			err = json.Unmarshal(body, &row)
		}
		one := keptRecord{record.Local{Gateway: r.Place.Gateway, Envelope: row.Envelope, Person: row.Person, Entered: true}, row.Since}
		if err == nil {
			err = wire.Decode(row.Record, &one.local.Record)
		}
		if err != nil {
			k.side.Log.Error().Err(err).Msg("kept record is damaged")
			k.side.PutAside(path)
			continue
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b keptRecord) int {
		return (&record.Held{Local: a.local}).Compare(&record.Held{Local: b.local})
	})
	return all
}

// Replace replaces the records: they are numbered anew. Those that are not among them are
// erased.
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
	return k.erase(func(r keptRecord) bool { return !there[r.local.Record.ID] })
}

// Safe takes the registry's word that it can't lose the own records of a line through a
// number: they are not kept any more.
func (k *Kept) Safe(line, number uint64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.safe == (record.Position{Line: line, Number: number}) {
		return nil
	}
	k.safe = record.Position{Line: line, Number: number}
	return k.erase(func(r keptRecord) bool { return k.isSafe(r.local.Record) })
}

func (k *Kept) isSafe(r wire.Record) bool {
	return r.Line == k.safe.Line && r.Number <= k.safe.Number
}

func (k *Kept) erase(which func(keptRecord) bool) error {
	var failed []error
	for _, r := range k.read() {
		if which(r) {
			failed = append(failed, durable.Remove(k.file(r.local.Record)))
		}
	}
	return errors.Join(failed...)
}

// ForgetOld erases what was kept for long enough, a day at a time.
func (k *Kept) ForgetOld() {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.own()
	if now < k.due {
		return
	}
	k.due = now + signedtime.Day
	for _, r := range k.read() {
		if r.since == 0 && now > 0 { // it was kept in the first second
			_ = k.write(r.local) // tried again tomorrow
		}
	}
	if err := k.erase(func(r keptRecord) bool { return r.since != 0 && r.since+keptFor <= now }); err != nil {
		k.side.Log.Error().Err(err).Msg("kept record can't be erased")
	}
}
