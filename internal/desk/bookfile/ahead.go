package bookfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/durable"
	"gatehouse/internal/durable/frames"
	"gatehouse/sync/wire"
)

// AheadName is the file ahead of Name: it takes the tenancies that have changed, by one sync, so that a check-in does
// not write those of the whole house. Nothing that was deleted stays in it: a change that takes a tenancy, a label or
// a PIN away writes the other whole and erases this one. That names the lap of the frames here; with none, nothing is
// ahead of it.
const AheadName = "tenancies.ahead"

const aheadSize = 64 << 10 // bytes; a check-in takes some 600

// ahead is what the file and the frames ahead of it have.
type ahead struct {
	path string
	log  *frames.Log        // nil: the file is written whole
	rows map[wire.ID][]byte // tenancies as they stand there
}

// rowsOf encodes tenancies.
func rowsOf(all tenancy.List) (map[wire.ID][]byte, error) {
	rows := make(map[wire.ID][]byte, len(all))
	for _, t := range all {
		row, err := json.Marshal(t)
		if err != nil {
			return nil, err
		}
		rows[t.ID] = row
	}
	return rows, nil
}

// frame returns the frame that brings the file to p, whose rows are now; nil: it has to be written whole.
func (a *ahead) frame(p *Pages, now map[wire.ID][]byte) []byte {
	if a.log == nil {
		return nil
	}
	for id := range a.rows {
		if now[id] == nil {
			return nil
		}
	}
	change := *p
	change.Tenancies = nil
	for _, t := range p.Tenancies {
		was := a.rows[t.ID]
		if bytes.Equal(was, now[t.ID]) {
			continue
		}
		if was != nil && !keepsAll(was, t) {
			return nil
		}
		change.Tenancies = append(change.Tenancies, t)
	}
	frame, err := json.Marshal(change)
	if err != nil || !a.log.Fits(len(frame)) {
		return nil
	}
	return frame
}

// keepsAll reports whether a tenancy has the label and the PIN that it had.
func keepsAll(row []byte, t *tenancy.Tenancy) bool {
	var was tenancy.Tenancy
	if json.Unmarshal(row, &was) != nil {
		return false
	}
	samePIN := was.PIN == nil || t.PIN != nil && bytes.Equal(was.PIN.Hash, t.PIN.Hash)
	return samePIN && (was.Lease.Label == "" || was.Lease.Label == t.Lease.Label)
}

// begin makes the file of frames if it is missing, and returns a log and its lap; nil where there can be none.
func (a *ahead) begin() (*frames.Log, frames.Lap) {
	lap := frames.NewLap()
	if err := frames.Create(a.path, aheadSize); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, frames.Lap{}
	}
	log, _, err := frames.Read(a.path, lap)
	if err != nil {
		return nil, frames.Lap{}
	}
	return log, lap
}

// read adds to p what stands ahead of it.
func (a *ahead) read(p *Pages) error {
	if p.Ahead != nil {
		log, all, err := frames.Read(a.path, frames.Lap(*p.Ahead))
		if err != nil {
			return err
		}
		for _, frame := range all {
			var change Pages
			if err := json.Unmarshal(frame, &change); err != nil || !change.Sound() {
				return fmt.Errorf("read %s: %w: not what was written", a.path, durable.ErrDamaged)
			}
			p.Line, p.Number, p.Stored = change.Line, change.Number, change.Stored
			for _, t := range change.Tenancies {
				p.put(t)
			}
		}
		a.log = log
	}
	var err error
	a.rows, err = rowsOf(p.Tenancies)
	return err
}

// put replaces a tenancy, or adds it.
func (p *Pages) put(t *tenancy.Tenancy) {
	for i, o := range p.Tenancies {
		if o.ID == t.ID {
			p.Tenancies[i] = t
			return
		}
	}
	p.Tenancies = append(p.Tenancies, t)
}
