package erasing

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// bench is a closed file with one entry, which names somebody, before an open one, and what an eraser needs of their journal.
type bench struct {
	Options
	path string
	who  []byte
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{path: filepath.Join(dir, segment.Name(7, 0))}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	header, err := wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: "front", Source: "reader-1",
		Direction: wire.DirectionIn, Boot: 1, Counter: 1, Clock: wire.ClockNTP}.Encode()
	must(err)
	b.who, err = wire.Who{Credential: &wire.CredentialID{0xaa, 0xbb, 0xcc}, Method: wire.MethodCard}.Encode()
	must(err)
	salt := [16]byte{1}
	stored := journaled.Stored{Header: header, Salt: salt, Who: b.who, WhoHash: wire.WhoHash(salt, b.who)}
	must(segment.Create(b.path, segment.Segment{Epoch: 7}, [][]byte{stored.Encode()}))
	closed, err := segment.Read(b.path)
	must(err)
	start, err := treeOf(b.path)
	must(err)
	last := filepath.Join(dir, segment.Name(7, closed.Size))
	must(segment.Create(last, segment.Segment{Epoch: 7, Start: start}, nil))
	open, err := segment.OpenWriter(last)
	must(err)
	t.Cleanup(func() { open.Close(nil) })
	queue, err := OpenQueue(dir)
	must(err)
	cat := &catalogue.Catalogue{Open: open, Files: []catalogue.File{{Epoch: 7, End: segment.NoEnd, Path: b.path}, {Epoch: 7, First: closed.Size, End: segment.NoEnd, Path: last}}}
	b.Options = Options{Queue: queue, Dir: dir, Log: zerolog.Nop(),
		Clock:     func() journaled.Stamp { return journaled.Stamp{BootTime: 1, Wall: 1_800_000_000_000, Trusted: true} },
		Files:     func() *catalogue.Catalogue { return cat },
		Check:     func(context.Context, catalogue.File) error { return nil },
		Rewrite:   rewrite,
		SaveHints: func() error { return nil },
		Again:     func() {},
	}
	return b
}

func treeOf(path string) (all tree.Range, err error) {
	err = segment.View(path, func(tx segment.Tx) error {
		all, err = tx.Tree(tree.Range{}, segment.NoEnd)
		return err
	})
	return all, err
}

// rewrite makes a closed file anew as the journal does.
func rewrite(ctx context.Context, f catalogue.File, erase func(journaled.Stored) bool) error {
	var held sync.Mutex
	held.Lock()
	defer held.Unlock()
	return segment.Rewriting{Path: f.Path, End: f.End, Erase: erase, Held: &held, Check: func(path string) error {
		_, err := segment.Read(path)
		return err
	}}.Run(ctx)
}

// TestJournaledFirst: a closed file stays as it is, byte for byte, while the entry about its erasing can't be made durable:
// whether it is over or an order has it forgotten. Once the entry is durable, the name goes.
func TestJournaledFirst(t *testing.T) {
	for name, order := range map[string][]wire.Ref{"over": nil, "by an order": {{Boot: 1, Counter: 1}}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			var after time.Duration
			if order != nil {
				after = -1
				if err := b.Queue.Add(order); err != nil {
					t.Fatal(err)
				}
			}
			b.After = func() (all, brief time.Duration) { return after, after }
			was, err := os.ReadFile(b.path)
			if err != nil || !bytes.Contains(was, b.who) {
				t.Fatalf("%v; the file names nobody", err)
			}
			full := errors.New("no space is left")
			b.Append = func(context.Context, wire.Header) error { return full }
			err = New(b.Options).Round(t.Context())
			if is, _ := os.ReadFile(b.path); !errors.Is(err, full) || !bytes.Equal(is, was) {
				t.Fatalf("without the entry: %v, the file is as it was: %v", err, bytes.Equal(is, was))
			}
			var entry wire.Header
			b.Append = func(_ context.Context, h wire.Header) error { entry = h; return nil }
			err = New(b.Options).Round(t.Context())
			if is, _ := os.ReadFile(b.path); err != nil || len(is) == 0 || bytes.Contains(is, b.who) || entry.Reason != wire.ReasonWhosErased || entry.Count != 1 {
				t.Errorf("with the entry %+v: %v, the file names somebody: %v", entry, err, bytes.Contains(is, b.who))
			}
		})
	}
}
