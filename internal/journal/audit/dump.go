package audit

import (
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire/journaled"
)

// entries calls each with what Dump promises.
func (c *Check) entries(each func(journaled.Position, journaled.Stored) error) error {
	for i, r := range c.good {
		if r.Epoch == 0 {
			continue
		}
		err := segment.View(c.files[i].Path, func(t segment.Tx) error {
			to := min(r.Next, c.files[i].End)
			return t.Each(r.First, to, int(r.Next-r.First), func(seq uint64, stored []byte) error {
				return split(r.Epoch, seq, stored, each)
			})
		})
		if err != nil {
			return err
		}
	}
	end := c.end()
	for _, f := range c.frames {
		for i, stored := range f.Stored {
			if seq := f.First + uint64(i); f.Epoch == end.Epoch && seq == end.Sequence {
				if err := split(f.Epoch, seq, stored, each); err != nil {
					return err
				}
				end.Sequence++
			}
		}
	}
	return nil
}

func split(epoch, seq uint64, stored []byte, each func(journaled.Position, journaled.Stored) error) error {
	e, err := journaled.Split(stored)
	if err != nil {
		return err
	}
	return each(journaled.Position{Epoch: epoch, Sequence: seq}, e)
}
