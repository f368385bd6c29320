package retention

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"gatehouse/internal/durable"
	"gatehouse/internal/registry/api"
)

// line is a line of the ledger of erasures; one field besides Number and At is set.
type line struct {
	// Number counts the lines from 1, also those that a newer one replaced; 0: of a program that did not count yet.
	Number uint64 `json:"number,omitempty"`

	At time.Time `json:"at"` // agreed time
	// Over says that who parts of before these times are erased. It is written first, so that
	// a copy of the database that is put back never brings them back.
	Over *cutoff `json:"over,omitempty"`
	// Erased is how many who parts went since the line before.
	Erased int `json:"erased,omitempty"`
	// Forgot are entries that shall name nobody. Those of one gateway and epoch are one list, however many requests
	// they come from: nobody reads here which are of one person.
	Forgot *api.Forget `json:"forgot,omitempty"`
	// Hold keeps entries from erasing until it ends.
	Hold *api.Hold `json:"hold,omitempty"`
	// Counted is an act that is published as a count of its town: it stays when the hold or the list that it made is gone.
	Counted *counted `json:"counted,omitempty"`
	// Scrubbed says that the database was rewritten without them.
	Scrubbed bool `json:"scrubbed,omitempty"`
}

// ledger is the file of lines, one JSON object each. It stands outside the database, so that no copy of
// that undoes it. For one goroutine.
type ledger struct {
	path  string
	lines []line
	last  uint64 // number of the newest line
}

// readLedger reads the ledger; one that is missing is empty. One that can't be read is an error, since what
// was erased would come back with a copy of the database.
func readLedger(path string) (*ledger, error) {
	l := &ledger{path: path}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the ledger of erasures: %w", err)
	}
	for n, text := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
		if len(text) == 0 {
			continue // a backup of before the first line
		}
		var next line
		if err := json.Unmarshal(text, &next); err != nil {
			return nil, fmt.Errorf("ledger of erasures %s, line %d: %w; put the copy of yesterday back, or move it away if there is none: "+
				"then what a copy of the database brings back stays until its time is over again", path, n+1, err)
		}
		l.lines = append(l.lines, next)
		l.last = max(l.last, next.Number)
	}
	return l, nil
}

// add appends lines durably, all or none, and numbers them.
func (l *ledger) add(more ...line) error {
	all, last := slices.Clone(l.lines), l.last
	for _, next := range more {
		last++
		next.Number = last
		all = slices.DeleteFunc(all, next.replaces)
		all = append(all, next)
	}
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	for _, one := range all {
		if err := out.Encode(one); err != nil {
			return fmt.Errorf("write the ledger of erasures: %w", err)
		}
	}
	if err := durable.WriteFile(l.path, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write the ledger of erasures: %w", err)
	}
	l.lines, l.last = all, last
	return nil
}

// read returns the file as it is; nothing before the first line.
func (l *ledger) read() ([]byte, error) {
	b, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) && len(l.lines) == 0 {
		return []byte{}, nil
	}
	return b, err
}

// replaces reports whether a newer line makes an old one needless, after it took over what that says: of the ages only
// the newest counts, the counts are summed up, and entries of one epoch are one list.
func (l *line) replaces(old line) bool {
	switch {
	case l.Hold != nil:
		return old.Hold != nil && old.Hold.ID == l.Hold.ID // it is prolonged
	case l.Over != nil:
		return old.Over != nil || l.ends(old)
	case l.Erased > 0 && old.Erased > 0:
		l.Erased += old.Erased
		return true
	case l.Forgot != nil && old.Forgot != nil && l.Forgot.Gateway == old.Forgot.Gateway && l.Forgot.Epoch == old.Forgot.Epoch:
		both := slices.Concat(l.Forgot.Sequences, old.Forgot.Sequences)
		slices.Sort(both)
		l.Forgot = &api.Forget{Gateway: old.Forgot.Gateway, Epoch: old.Forgot.Epoch, Sequences: slices.Compact(both)}
		return true
	}
	return l.Scrubbed && old.Scrubbed
}

// ends reports whether the time of an old line is over when that of the newer one has come, which says what is.
func (l *line) ends(old line) bool {
	switch {
	case old.Hold != nil:
		return old.Hold.Ends.Before(l.At)
	case old.Forgot != nil:
		return old.At.Before(l.Over.Late) // all of then is over
	}
	return old.Counted != nil && old.At.Before(l.At.Add(-countedFor))
}

// over is what was erased by age before; the zero times for nothing.
func (l *ledger) over() (c cutoff) {
	for _, one := range l.lines {
		if one.Over != nil {
			c = *one.Over
		}
	}
	return c
}

// forgot are the entries that shall name nobody.
func (l *ledger) forgot() (all []api.Forget) {
	for _, one := range l.lines {
		if one.Forgot != nil {
			all = append(all, *one.Forgot)
		}
	}
	return all
}

// holds are the orders that are active at a time.
func (l *ledger) holds(now time.Time) []api.Hold {
	all := []api.Hold{}
	for _, one := range l.lines {
		if one.Hold != nil && one.Hold.Ends.After(now) {
			all = append(all, *one.Hold)
		}
	}
	return all
}

// scrubbed is when the database was last rewritten.
func (l *ledger) scrubbed() (at time.Time) {
	for _, one := range l.lines {
		if one.Scrubbed {
			at = one.At
		}
	}
	return at
}

// owes reports whether the database was not rewritten since something was erased.
func (l *ledger) owes() bool {
	at := l.scrubbed()
	return slices.ContainsFunc(l.lines, func(one line) bool { return one.Erased > 0 && one.At.After(at) })
}

// erased is how many who parts went so far.
func (l *ledger) erased() (n uint64) {
	for _, one := range l.lines {
		n += uint64(one.Erased)
	}
	return n
}
