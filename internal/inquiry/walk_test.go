package inquiry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// counted is a log that knows how many reads are under way.
type counted struct {
	*memory
	reads, under atomic.Int32
	sick         int32 // the read that fails; 0: none
}

var errSick = errors.New("the disk gives nothing")

func (c *counted) Read(ctx context.Context, from journaled.Position, n int, to journaled.Taker) (journaled.Position, error) {
	c.under.Add(1)
	defer c.under.Add(-1)
	time.Sleep(time.Millisecond) // so that a walk that does not wait for it is seen
	if c.reads.Add(1) == c.sick {
		return from, errSick
	}
	if err := ctx.Err(); err != nil {
		return from, err
	}
	return c.memory.Read(ctx, from, n, to)
}

// TestEach: a walk sees each entry once and in order, whatever is read meanwhile; it says how far it came;
// and when it ends, however that is, nothing reads the log any more.
func TestEach(t *testing.T) {
	s := newScene(t)
	for n := range 20 { // which the log gives three at a time
		s.log.add(at(int64(900-n), access("front")), tenant(byte(n)))
	}
	broken := errors.New("an entry is not what it should be")
	for name, c := range map[string]struct {
		sick   int32
		stopAt uint64
		with   error // what do returns there; nil: the walk is called off
		want   error
		seen   int
		behind uint64
	}{
		"all":                     {stopAt: 99, seen: 20, behind: 20},
		"enough":                  {stopAt: 7, with: errEnough, seen: 8, behind: 6},
		"a broken entry":          {stopAt: 4, with: broken, want: broken, seen: 5, behind: 3},
		"called off":              {stopAt: 0, want: context.Canceled, seen: 3},
		"a disk that gives up":    {sick: 3, stopAt: 99, want: errSick, seen: 6, behind: 6},
		"a disk that never gives": {sick: 1, stopAt: 99, want: errSick},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			log := &counted{memory: s.log, sick: c.sick}
			var seen []string
			behind, err := each(ctx, log, journaled.Position{}, whole, func(e *journaled.Entry) error {
				who, err := wire.DecodeWho(e.Who)
				seen = append(seen, fmt.Sprint(e.Sequence, who.Tenancy[1], err))
				if e.Sequence != c.stopAt {
					return nil
				}
				if c.with == nil {
					cancel()
				}
				return c.with
			})
			if under := log.under.Load(); under != 0 {
				t.Errorf("%d reads go on", under)
			}
			called := errors.Is(c.want, context.Canceled) // which of the next batches it still sees is open
			if !errors.Is(err, c.want) || !called && (len(seen) != c.seen || behind.Sequence != c.behind) || len(seen) < c.seen {
				t.Errorf("%d seen, behind %d, %v; want %d, %d, %v", len(seen), behind.Sequence, err, c.seen, c.behind, c.want)
			}
			for n, entry := range seen {
				if want := fmt.Sprint(n, n, nil); entry != want || slices.Index(seen, entry) != n {
					t.Errorf("entry %d: %s", n, entry)
				}
			}
		})
	}
}
