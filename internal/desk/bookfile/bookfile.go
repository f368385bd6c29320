// Package bookfile is the desk's file of tenancies: what it holds, and how it is written. It decides nothing.
package bookfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
)

// Name is the file in the desk's directory, there from the first start on. What is deleted from it is
// gone: then it is rewritten whole.
const Name = "tenancies.json"

// Pages are the content of the file. It has no field for a name, a document or a card's number.
type Pages struct {
	Format    int          `json:"format"`      // Format; older files do not say on whose word cards and PINs came
	Line      uint64       `json:"line,string"` // of own records; 0: none made yet
	Number    uint64       `json:"number"`      // of the last one made
	Stored    uint64       `json:"stored"`      // the registry has them through this one
	Tenancies tenancy.List `json:"tenancies"`
	Ahead     *wire.ID     `json:"ahead,omitempty"` // lap of what stands ahead of the file; nil: nothing
}

// Format is the format of files that are written now.
const Format = 2

// Sound refuses content that json accepts and that nothing here could work with.
func (p *Pages) Sound() bool { return p.Number >= p.Stored && !slices.Contains(p.Tenancies, nil) }

// upgrade reads a file from before format 2. A tenancy's first card came with its check-in; on
// whose word the others came, and who chose a PIN, is not known.
func (p *Pages) upgrade() {
	if p.Format < Format {
		for _, t := range p.Tenancies {
			for i := range t.Cards {
				t.Cards[i].Unproven, t.Cards[i].Changed = i > 0, t.Cards[i].Since
			}
		}
	}
	p.Format = Format
}

// File is the file with what stands ahead of it. It is for one goroutine.
type File struct {
	path  string
	ahead ahead
}

// In returns the file in a directory.
func In(dir string) *File {
	return &File{filepath.Join(dir, Name), ahead{path: filepath.Join(dir, AheadName)}}
}

// ErrAhead means that the pages are those of the file, and that later changes ahead of it are lost.
var ErrAhead = errors.New("the last changes of the tenancies can't be read")

// Read reads the file. With ErrAhead there are pages; durable.ErrDamaged: there is something else in it.
func (f *File) Read() (p Pages, err error) {
	data, err := os.ReadFile(f.path)
	if err != nil {
		return Pages{}, err
	}
	if err := json.Unmarshal(data, &p); err != nil || !p.Sound() {
		return Pages{}, fmt.Errorf("read %s: %w", f.path, durable.ErrDamaged)
	}
	p.upgrade()
	if err := f.ahead.read(&p); err != nil {
		return p, fmt.Errorf("%w: %w", ErrAhead, err)
	}
	return p, nil
}

// Write makes the pages durable: by one sync, where nothing was deleted from them.
func (f *File) Write(p *Pages) error {
	now, err := rowsOf(p.Tenancies)
	if err != nil {
		return fmt.Errorf("write tenancies: %w", err)
	}
	if frame := f.ahead.frame(p, now); frame != nil && f.ahead.log.Append(frame) == nil {
		f.ahead.rows = now
		return nil
	}
	return f.writeWhole(p, now, true)
}

// Settle makes the pages durable with nothing ahead of the file, for who reads that alone.
func (f *File) Settle(p *Pages) error {
	now, err := rowsOf(p.Tenancies)
	if err != nil {
		return fmt.Errorf("write tenancies: %w", err)
	}
	return f.writeWhole(p, now, false)
}

// writeWhole writes the file, and erases what was ahead of it. If more will come there it names the lap of that.
func (f *File) writeWhole(p *Pages, now map[wire.ID][]byte, more bool) error {
	log, lap := f.ahead.begin()
	p.Ahead, f.ahead.log = nil, nil
	if more && log != nil {
		named := wire.ID(lap)
		p.Ahead = &named
	}
	data, err := json.Marshal(p)
	if err == nil {
		err = durable.WriteFile(f.path, data, 0o600)
	}
	if err == nil && log != nil {
		err = log.Clear()
	}
	if err != nil {
		return fmt.Errorf("write tenancies: %w", err)
	}
	if f.ahead.rows = now; more {
		f.ahead.log = log
	}
	return nil
}
