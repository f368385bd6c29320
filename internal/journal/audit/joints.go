package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// joints compares each good file with the one that it goes on from, and each epoch with the one that it cites.
// A file alone proves only that what is in it was not changed since its roots were.
func (c *Check) joints() {
	for i, r := range c.good {
		if r.Epoch == 0 {
			continue
		}
		name := filepath.Base(c.files[i].Path)
		s, err := segment.Read(c.files[i].Path)
		if err == nil && r.First > 0 {
			before := Anchor{Position: journaled.Position{Epoch: r.Epoch, Sequence: r.First}, Root: s.Start.Root()}
			if _, err := before.compare(c.known(i), nil); errors.Is(err, errOtherRoot) {
				c.tell(Damage, "joint", name, r.First)
			}
		}
		if err == nil && r.First == 0 && r.Next > 0 {
			err = c.cited(c.files[i].Path, name)
		}
		if err != nil {
			c.tell(Unchecked, "unreadable", name, err)
		}
	}
}

// cited compares what the first entry of an epoch says of the epoch before with the files of that.
func (c *Check) cited(path, name string) error {
	var first wire.Header
	err := segment.View(path, func(t segment.Tx) error {
		return t.Each(0, 1, 1, func(_ uint64, stored []byte) error {
			e, err := journaled.Split(stored)
			if err == nil {
				first, err = wire.DecodeHeader(e.Header)
			}
			return err
		})
	})
	if err != nil || first.Kind != wire.KindEpoch || len(first.Detail) < 8 {
		return err
	}
	before := binary.BigEndian.Uint64(first.Detail)
	c.tell(Note, "follows", name, hex(before), first.Reason)
	switch first.Reason {
	case wire.ReasonOtherRoot, wire.ReasonAhead, wire.ReasonSetBack: // it says itself that there was another history
		return nil
	}
	if len(first.Detail) != HeadSize {
		return nil
	}
	cites := Anchor{Position: journaled.Position{Epoch: before, Sequence: binary.BigEndian.Uint64(first.Detail[8:])}, Root: tlog.Hash(first.Detail[16:])}
	if _, err := cites.compare(c.known(len(c.files)), nil); errors.Is(err, errOtherRoot) {
		c.tell(Damage, "cited", name, hex(before), cites.Sequence)
	}
	return nil
}

func hex(epoch uint64) string { return fmt.Sprintf("%016x", epoch) }
