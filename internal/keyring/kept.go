package keyring

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
	"gatehouse/internal/keyring/signedtime"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"

	"github.com/rs/zerolog"
)

// Own records that the registry has stored are kept, with their sealed person,
// until it says that it can't lose them any more, or for 30 days: one that was
// restored from a backup gets them again. They stand in a folder of their own,
// open and shut nothing, and are erased one by one.

// keptFor is how long a stored record is kept at most, s of the machine's own clock.
const keptFor = 30 * signedtime.Day

// kept is that folder. It is safe for concurrent use.
type kept struct {
	dir      string
	log      zerolog.Logger
	own      func() int64          // s of the machine's own clock
	registry func() *keys.Registry // nil: a house by itself keeps none
	putAside func(path string)     // of a damaged file

	mu   sync.Mutex // guards the rest and the files
	safe position   // own records of the line through the number are; the gateway is empty
	due  int64      // when they are looked at
}

func (k *kept) file(r wire.Record) string {
	return filepath.Join(k.dir, r.ID.String()+recordSuffix)
}

// keptRow is a file of the folder: one line with the SHA-256 of the rest in hex,
// and the rest is this as JSON.
type keptRow struct {
	Record   []byte `json:"record"`
	Envelope []byte `json:"envelope"`
	Person   []byte `json:"person,omitempty"`
	Since    int64  `json:"since"`
}

// keep writes a record that the registry has stored. A person that is kept with it
// already stays, and so does the time. One that is safe already is not kept.
func (k *kept) keep(l Local) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.isSafe(l.Record) {
		return nil
	}
	return k.write(l)
}

func (k *kept) write(l Local) error {
	since := k.own()
	if body, err := readSummed(k.file(l.Record)); err == nil {
		var row keptRow
		if err := json.Unmarshal(body, &row); err == nil && len(l.Person) == 0 {
			l.Person = row.Person
		}
		since = cmp.Or(row.Since, since)
	}
	record, err := wire.Encode(l.Record)
	if err != nil {
		return fmt.Errorf("keep record: %w", err)
	}
	row, err := json.Marshal(keptRow{record, l.Envelope, l.Person, since})
	if err != nil {
		return fmt.Errorf("keep record: %w", err)
	}
	if err := durable.MakeDir(k.dir, 0o700); err != nil {
		return fmt.Errorf("keep record: %w", err)
	}
	return durable.WriteFile(k.file(l.Record), withSum(row), 0o600)
}

// Kept returns the records that the registry has stored and may lose, by line and
// number. Their Change is not read.
func (k *Keyring) Kept() (all []Local) { return k.kept.all() }

func (k *kept) all() (all []Local) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, row := range k.read() {
		all = append(all, row.local)
	}
	return all
}

type keptRecord struct {
	local Local
	since int64
}

// read reads the folder. A damaged file is set aside. Callers hold mu.
func (k *kept) read() (all []keptRecord) {
	r := k.registry()
	files, err := os.ReadDir(k.dir)
	if r == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		k.log.Error().Err(err).Msg("kept records can't be read")
		return nil
	}
	for _, f := range files {
		path := filepath.Join(k.dir, f.Name())
		if filepath.Ext(path) != recordSuffix {
			continue
		}
		body, err := readSummed(path)
		var row keptRow
		if err == nil {
			err = json.Unmarshal(body, &row)
		}
		kept := keptRecord{Local{Gateway: r.Place.Gateway, Envelope: row.Envelope, Person: row.Person, Entered: true}, row.Since}
		if err == nil {
			err = wire.Decode(row.Record, &kept.local.Record)
		}
		if err != nil {
			k.log.Error().Err(err).Msg("kept record is damaged")
			k.putAside(path)
			continue
		}
		all = append(all, kept)
	}
	slices.SortFunc(all, func(a, b keptRecord) int {
		return (&held{Local: a.local}).compare(&held{Local: b.local})
	})
	return all
}

// SetKept replaces the kept records: they are numbered anew. Those that are not
// among them are erased.
func (k *Keyring) SetKept(all []Local) error { return k.kept.set(all) }

func (k *kept) set(all []Local) error {
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

// SafeLocals takes the registry's word that it can't lose the own records of a
// line through a number: they are not kept any more.
func (k *Keyring) SafeLocals(line, number uint64) error { return k.kept.forgetSafe(line, number) }

func (k *kept) forgetSafe(line, number uint64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.safe == (position{"", line, number}) {
		return nil
	}
	k.safe = position{"", line, number}
	return k.erase(func(r keptRecord) bool { return k.isSafe(r.local.Record) })
}

func (k *kept) isSafe(r wire.Record) bool {
	return r.Line == k.safe.Line && r.Number <= k.safe.Number
}

func (k *kept) erase(which func(keptRecord) bool) error {
	var failed []error
	for _, r := range k.read() {
		if which(r) {
			failed = append(failed, durable.Remove(k.file(r.local.Record)))
		}
	}
	return errors.Join(failed...)
}

// forgetOld erases what was kept for long enough, a day at a time.
func (k *kept) forgetOld() {
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
		k.log.Error().Err(err).Msg("kept record can't be erased")
	}
}
