package inquiry

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"gatehouse/sync/wire/journaled"
)

// entriesAtOnce is how many entries are read with an entry file open: opening one takes as long as some
// hundred of them.
const entriesAtOnce = 2000

// errEnough ends each.
var errEnough = errors.New("enough")

// batch is what one read of a log brings.
type batch[T any] struct {
	to   journaled.Taker
	list *[]T // as to took them
	next journaled.Position
	err  error
}

func headers() batch[journaled.Headed] {
	to := new(journaled.Headers)
	return batch[journaled.Headed]{to: to, list: &to.List}
}

func whole() batch[journaled.Entry] {
	to := new(journaled.Batch)
	return batch[journaled.Entry]{to: to, list: &to.List}
}

// each calls do for all entries from a place on, and returns the place behind the last batch that do has
// seen all of. While it looks at one batch the next one is read, in the memory of the one before.
func each[T any](ctx context.Context, log Log, at journaled.Position, empty func() batch[T], do func(*T) error) (journaled.Position, error) {
	ctx, stop := context.WithCancel(ctx)
	read, free := make(chan batch[T]), make(chan batch[T], 2)
	free <- empty()
	free <- empty()
	var reading sync.WaitGroup
	reading.Go(func() { readAhead(ctx, log, at, free, read) })
	defer reading.Wait()
	defer stop()
	for b := range read {
		if b.err != nil {
			return at, fmt.Errorf("read the log: %w", b.err)
		}
		for i := range *b.list {
			if err := do(&(*b.list)[i]); errors.Is(err, errEnough) {
				return at, nil
			} else if err != nil {
				return at, err
			}
		}
		at = b.next
		free <- b
	}
	return at, ctx.Err()
}

// readAhead reads batches until one is empty.
func readAhead[T any](ctx context.Context, log Log, at journaled.Position, free <-chan batch[T], read chan<- batch[T]) {
	defer close(read)
	for {
		select {
		case b := <-free:
			b.next, b.err = log.Read(ctx, at, entriesAtOnce, b.to)
			select {
			case read <- b:
			case <-ctx.Done():
				return
			}
			if at = b.next; b.err != nil || len(*b.list) == 0 {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
