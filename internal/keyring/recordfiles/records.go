// Package recordfiles stores tenancy records: those that no list has settled, and a gateway's own
// that the registry has stored and may lose.
package recordfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gatehouse/internal/durable"
	"gatehouse/internal/keyring/files"
	"gatehouse/internal/keyring/record"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// A record's file is a row (files.WriteRow). A person stands in a file of its
// own, so that it can be erased.
const (
	recordSuffix = ".record"
	personSuffix = ".person"
	newSuffix    = ".new" // not complete yet
)

// recordRow is what a record's file holds.
type recordRow struct {
	Gateway  string            `json:"gateway"`
	Record   []byte            `json:"record"` // its one encoding
	Envelope []byte            `json:"envelope"`
	Entered  bool              `json:"entered"`
	Also     []record.Position `json:"also,omitempty"`
	Kept     int64             `json:"kept,omitempty"`
}

// directory is a directory of record files. It is made with the first of them.
type directory struct {
	path string
	what string     // what a file is, for the log
	side *files.Dir // where damaged files are reported
}

// read reads the records in their order; read is called for each path. A damaged file is put aside;
// one that can't be read now stays.
func (d *directory) read(read func(path string) (*record.Held, error)) (all record.Set) {
	list, err := os.ReadDir(d.path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			d.side.Log.Error().Err(err).Msg(d.what + "s can't be read")
		}
		return nil
	}
	for _, f := range list {
		if !strings.HasSuffix(f.Name(), recordSuffix) {
			continue
		}
		path := filepath.Join(d.path, f.Name())
		h, err := read(path)
		switch {
		case err == nil:
			all = append(all, h)
		case errors.Is(err, durable.ErrDamaged), errors.Is(err, wire.ErrMalformed):
			d.side.Log.Error().Err(err).Msg(d.what + " is damaged")
			d.side.PutAside(path)
		default:
			d.side.Log.Error().Err(err).Msg(d.what + " can't be read")
		}
	}
	slices.SortFunc(all, (*record.Held).Compare)
	return all
}

// Pending is the directory of the records that no list has settled. It is for one goroutine.
type Pending struct {
	dir   directory
	keys  *keys.Store
	ahead ahead
}

// NewPending makes one below the keyring's directory.
func NewPending(side *files.Dir, k *keys.Store) *Pending {
	dir := directory{side.Join("records"), "record", side}
	return &Pending{dir, k, ahead{side: side, dir: dir.path}}
}

func (p *Pending) file(h *record.Held) string {
	return filepath.Join(p.dir.path, h.Gateway+"-"+h.Record.ID.String()+recordSuffix)
}

func (p *Pending) personFile(h *record.Held) string {
	return strings.TrimSuffix(p.file(h), recordSuffix) + personSuffix
}

// Write writes a record and its person, durably.
func (p *Pending) Write(h *record.Held) error {
	row, err := p.row(h)
	if err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	if err := durable.MakeDir(p.dir.path, 0o700); err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	var all []content
	if len(h.Person) > 0 { // first, so that an existing record has its person
		all = append(all, content{filepath.Base(p.personFile(h)), files.Summed(h.Person)})
	}
	return p.ahead.write(append(all, row))
}

// Note writes that the entry of a record is durable, without a sync. false: that is still to be done.
func (p *Pending) Note(h *record.Held) bool {
	row, err := p.row(h)
	return err == nil && p.ahead.note(row)
}

func (p *Pending) row(h *record.Held) (content, error) {
	encoded, err := wire.Encode(h.Record)
	if err != nil {
		return content{}, err
	}
	row, err := files.Row(recordRow{h.Gateway, encoded, h.Envelope, h.Entered, h.Also, h.Kept})
	return content{filepath.Base(p.file(h)), row}, err
}

// Tend erases within the file ahead of the records what was erased of them.
func (p *Pending) Tend() {
	if p.ahead.stale {
		_ = p.ahead.settle() // logged there
	}
}

// Settle makes the files of records durable without the file ahead of them, and empties that.
func (p *Pending) Settle() { _ = p.ahead.settle() }

// Remove erases a record and its person.
func (p *Pending) Remove(h *record.Held) error {
	return errors.Join(p.ahead.erase(p.file(h)), p.RemovePerson(h))
}

// RemovePerson erases the person of a record.
func (p *Pending) RemovePerson(h *record.Held) error { return p.ahead.erase(p.personFile(h)) }

// Read reads the records in their order. A damaged file is put aside; one that can't be read now
// stays. What an interrupted write left of a person is erased.
func (p *Pending) Read() record.Set {
	_ = p.ahead.replay() // logged there
	p.eraseLeftovers()
	return p.dir.read(p.read)
}

// eraseLeftovers erases incomplete files, and persons whose record was never active.
func (p *Pending) eraseLeftovers() {
	list, _ := os.ReadDir(p.dir.path) // an unreadable directory is reported when the records are read
	records := make(map[string]bool)
	for _, f := range list {
		stem, _, _ := strings.Cut(f.Name(), recordSuffix) // names of damaged files have a further suffix
		records[stem] = true
	}
	for _, f := range list {
		stem, isPerson := strings.CutSuffix(f.Name(), personSuffix)
		if !strings.HasSuffix(f.Name(), newSuffix) && (!isPerson || records[stem]) {
			continue
		}
		if err := durable.Remove(filepath.Join(p.dir.path, f.Name())); err != nil {
			p.dir.side.Log.Error().Err(err).Msg("leftover of a record can't be erased")
		}
	}
}

func (p *Pending) read(path string) (*record.Held, error) {
	var row recordRow
	err := files.ReadRow(path, &row)
	if err != nil {
		return nil, err
	}
	h := &record.Held{Local: record.Local{Gateway: row.Gateway, Envelope: row.Envelope, Entered: row.Entered}, Also: row.Also, Kept: row.Kept}
	if err := wire.Decode(row.Record, &h.Record); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if h.Change, err = p.keys.Building().OpenRecord(h.Record.House); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if p.file(h) != path {
		return nil, fmt.Errorf("read %s: %w: it is another record", path, durable.ErrDamaged)
	}
	person := p.personFile(h)
	h.Person, err = files.ReadSummed(person)
	if errors.Is(err, durable.ErrDamaged) {
		p.dir.side.PutAside(person)
	}
	return h, nil // it counts without its person, too
}
