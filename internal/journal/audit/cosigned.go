package audit

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/hints"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/journaled"
)

// Witness is who cosigns the checkpoints of a gateway. Zero: nobody knows, and no signature is verified.
type Witness struct {
	Address string // of the gateway: building/gateway
	Name    string // checkpoint.WitnessName
	Keys    []wire.Key
}

// cosigned compares the journal with the newest checkpoint that a registry has signed, and tells how much came after.
func (c *Check) cosigned() {
	path := filepath.Join(c.Dir, hints.Name)
	had, err := hints.Saved(c.Dir)
	switch {
	case errors.Is(err, durable.ErrDamaged):
		c.tell(Damage, "hints_bad", hints.Name)
		return
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		c.tell(Unchecked, "unreadable", hints.Name, err)
		return
	case had.Cosigned == "":
		c.tell(Note, "cosigned_none")
		return
	}
	if durable.HasTornSlot(path) {
		c.tell(Note, "hints_torn", hints.Name)
	}
	if len(c.Witness.Keys) == 0 {
		c.tell(Unchecked, "cosigned_keyless")
		return
	}
	at, by, err := checkpoint.ParseNote(had.Cosigned, c.Witness.Address, c.Witness.Name, c.Witness.Keys)
	if err != nil {
		c.tell(Damage, "cosigned_forged", hints.Name, c.Witness.Name)
		return
	}
	when := time.Unix(int64(by.Time), 0).Format(time.RFC3339)
	c.tell(Note, "cosigned", by.Name, when)
	place := journaled.Position{Epoch: at.Epoch, Sequence: at.Size}
	c.compare(Anchor{Position: place, Root: tlog.Hash(at.Root)}, "cosigned")
	if n := c.after(place); n > 0 {
		c.tell(Note, "uncosigned", n)
	}
}

// after returns how many entries that count stand behind a place, in good files and in the write-ahead file.
func (c *Check) after(p journaled.Position) (n uint64) {
	known, passed := false, false
	for _, f := range c.files {
		known = known || f.Epoch == p.Epoch
	}
	for i, r := range c.good {
		from := r.First
		if r.Epoch == p.Epoch {
			passed, from = true, max(from, p.Sequence)
		}
		if to := min(r.Next, c.files[i].End); r.Epoch != 0 && (passed || !known) && to > from {
			n += to - from
		}
	}
	end := c.end()
	from := end.Sequence
	if end.Epoch == p.Epoch {
		from = max(from, p.Sequence)
	}
	for _, f := range c.frames {
		if f.Epoch == end.Epoch && f.End() > from {
			n, from = n+f.End()-from, f.End()
		}
	}
	return n
}
