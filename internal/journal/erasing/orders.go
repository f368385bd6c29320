package erasing

import (
	"context"

	"gatehouse/internal/journal/catalogue"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// look is the last look at all files for what is to be forgotten.
type look struct {
	added uint64 // orders
	last  string // path of the open file
	again uint64 // CLOCK_BOOTTIME before which there is no other, unless these have changed
}

// orders erases of at most one closed file what is to be forgotten. When no closed file has any more that may go, it
// finds out what is left, and has the open file closed for that.
func (e *Eraser) orders(ctx context.Context, now *catalogue.Catalogue, boot uint64) error {
	wait, added := e.o.Queue.waiting()
	next := look{added, now.Last().Path, boot + uint64(lookAgain)}
	if len(wait) == 0 || next.added == e.asked.added && next.last == e.asked.last && boot < e.asked.again {
		return nil
	}
	for _, f := range now.Closed() {
		gone, _, err := e.erase(ctx, f, func(s journaled.Stored) bool { return wait[refOf(s)] })
		if err != nil {
			e.asked = next
			return err
		}
		if gone > 0 {
			e.o.Again()
			return nil
		}
	}
	copying := e.o.Copying() // the copy may be of before
	left, open, err := e.left(ctx, now, wait)
	if e.asked = next; err != nil || copying {
		return err
	}
	if open {
		e.o.Turn()
	}
	return e.o.Queue.leave(wait, left)
}

// left returns which of the entries still name somebody, and whether one of them is in the open file.
func (e *Eraser) left(ctx context.Context, now *catalogue.Catalogue, wait map[wire.Ref]bool) (left map[wire.Ref]bool, open bool, err error) {
	left, last := map[wire.Ref]bool{}, now.Last()
	err = e.o.Each(ctx, func(entry journaled.Entry) error {
		if len(entry.Who) == 0 {
			return nil
		}
		r := refOf(entry.Stored)
		if wait[r] {
			left[r] = true
			open = open || entry.Epoch == last.Epoch && entry.Sequence >= last.First
		}
		return nil
	})
	return left, open, err
}

// refOf names an entry; one that can't be read is none.
func refOf(s journaled.Stored) wire.Ref {
	h, err := wire.DecodeHeader(s.Header)
	if err != nil {
		return wire.Ref{}
	}
	return wire.Ref{Boot: h.Boot, Counter: h.Counter}
}
