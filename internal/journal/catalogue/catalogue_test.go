package catalogue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"gatehouse/internal/journal/segment"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire/journaled"
)

// drawn makes a catalogue of some epochs, each of some files; of the last the newest
// file is written to. An earlier epoch may end before some of its entries, which stand
// again in a later one.
func drawn(t *rapid.T) *Catalogue {
	c := &Catalogue{Open: &segment.Writer{}}
	epochs := rapid.IntRange(1, 4).Draw(t, "epochs")
	for epoch := range epochs {
		first, last := uint64(rapid.IntRange(0, 5).Draw(t, "first")), epoch == epochs-1
		from := len(c.Files)
		for range rapid.IntRange(1, 4).Draw(t, "files") {
			next := first + uint64(rapid.IntRange(1, 6).Draw(t, "entries"))
			f := File{Epoch: uint64(epoch + 1), First: first, End: next}
			f.Path = segment.Name(f.Epoch, f.First)
			c.Files, first = append(c.Files, f), next
		}
		if last {
			c.Files[len(c.Files)-1].End = segment.NoEnd
			c.Tree = tree.Range{}.AddAll(make([]tlog.Hash, first))
			continue
		}
		cut := uint64(rapid.IntRange(0, int(first)).Draw(t, "cut"))
		for i := from; i < len(c.Files); i++ {
			c.Files[i].End = min(c.Files[i].End, cut)
		}
	}
	return c
}

// places are all positions that count, in order: what a reader gets.
func places(c *Catalogue) (all []journaled.Position) {
	for i, f := range c.Files {
		end := f.End
		if i == len(c.Files)-1 {
			end = c.Tree.Size()
		}
		for seq := f.First; seq < end; seq++ {
			all = append(all, journaled.Position{Epoch: f.Epoch, Sequence: seq})
		}
	}
	return all
}

// TestWalk: who goes from place to place as a reader does meets each position that
// counts once and in order, and Oldest, Settle, Has and the cursor agree with it.
func TestWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawn(t)
		want := places(c)
		var got []journaled.Position
		for at := (journaled.Position{}); ; {
			p, err := c.Locate(at)
			if err != nil {
				t.Fatalf("%v: %v", at, err)
			}
			at = p.From
			if at.Sequence < p.File.End {
				got = append(got, at)
				at.Sequence++
				continue
			}
			if p.Last {
				break
			}
			at = p.Next
		}
		if !slices.Equal(got, want) {
			t.Fatalf("walked %v, want %v", got, want)
		}
		if len(want) > 0 && c.Oldest() != want[0] {
			t.Fatalf("oldest %v, want %v", c.Oldest(), want[0])
		}
		for i, p := range want {
			if c.Settle(p) != p || !c.Has(p) || c.CheckAck(p) != nil {
				t.Fatalf("%v counts: settles at %v, is here: %t, %v", p, c.Settle(p), c.Has(p), c.CheckAck(p))
			}
			behind := journaled.Position{Epoch: p.Epoch, Sequence: p.Sequence + 1}
			if i+1 < len(want) && behind != want[i+1] && c.Settle(behind) != want[i+1] {
				t.Fatalf("behind %v: %v, want %v", p, c.Settle(behind), want[i+1])
			}
		}
		checkCursor(t, c, want)
	})
}

// checkCursor states where the cursor may go: forward, and no further than what is here.
func checkCursor(t *rapid.T, c *Catalogue, want []journaled.Position) {
	if len(want) < 2 {
		return
	}
	at := rapid.IntRange(1, len(want)-1).Draw(t, "acked")
	acked := *c
	acked.Acked = want[at]
	if err := acked.CheckAck(want[at-1]); err == nil {
		t.Fatalf("the cursor goes back from %v to %v", want[at], want[at-1])
	}
	next := c.Next()
	next.Sequence++
	if err := c.CheckAck(next); !errors.Is(err, journaled.ErrAhead) {
		t.Fatalf("ahead of the journal: %v", err)
	}
	if err := c.CheckAck(journaled.Position{Epoch: 99}); !errors.Is(err, journaled.ErrGone) {
		t.Fatalf("another epoch: %v", err)
	}
	if f, lacks, ok := acked.Victim(true); ok && lacks == segment.NoEnd && f.End > f.First && f.Epoch == want[at].Epoch && f.End > want[at].Sequence {
		t.Fatalf("%v goes first, and the registry has only what is before %v", f, want[at])
	}
}

// TestLoadedStays: whatever is changed, a catalogue that somebody has stays as it was.
func TestLoadedStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := NewCurrent(Hints{})
		first := drawn(t)
		c.Change(func(now *Catalogue) { now.Files, now.Open, now.Tree = first.Files, first.Open, first.Tree })
		for range rapid.IntRange(1, 10).Draw(t, "steps") {
			had := c.Load()
			before := fmt.Sprint(had.Files)
			path := rapid.SampledFrom(first.Files).Draw(t, "file").Path
			change := rapid.SampledFrom([]func(*Catalogue){
				func(now *Catalogue) { now.Mark(path, func(f *File) { f.Checked, f.End = !f.Checked, f.End/2 }) },
				func(now *Catalogue) { now.Forget(path) },
				func(now *Catalogue) { now.Adopt(first.Files) },
				func(now *Catalogue) { now.SetEnds([]File{{Path: path, End: 1}}) },
			}).Draw(t, "change")
			if rapid.Bool().Draw(t, "grows") {
				c.Grow(change)
			} else {
				c.Change(change)
			}
			if fmt.Sprint(had.Files) != before {
				t.Fatal("a catalogue that was given out has changed")
			}
		}
	})
}

// TestWhatACrashLeft: who only looks changes nothing. Tidy leaves what the keeper may be making beside
// it, and Sweep, before that, does not.
func TestWhatACrashLeft(t *testing.T) {
	dir, one := t.TempDir(), segment.Name(1, 0)
	list := []string{one, one + ".new", one + segment.PackSuffix, one + segment.PackSuffix + ".new", segment.TreeName + ".new", "boot.new"}
	list = append(list, segment.Name(2, 0)+NextSuffix, segment.Name(3, 0)+NextSuffix)
	for _, name := range list {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	left := func(want ...string) {
		t.Helper()
		all, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		names := make([]string, len(all))
		for i, e := range all {
			names[i] = e.Name()
		}
		slices.Sort(want)
		if !slices.Equal(names, want) {
			t.Errorf("there are %q, want %q", names, want)
		}
	}
	if d, err := Scan(dir); err != nil || len(d.Files) != 1 {
		t.Errorf("a look: %d files, %v", len(d.Files), err)
	}
	left(list...)
	if d, err := Tidy(dir, 3); err != nil || len(d.Files) != 1 {
		t.Errorf("tidy: %d files, %v", len(d.Files), err)
	}
	left(slices.DeleteFunc(slices.Clone(list), func(name string) bool { return name == segment.Name(2, 0)+NextSuffix })...)
	Sweep(dir)
	left(one, segment.Name(3, 0)+NextSuffix, "boot.new") // a number of a run is no secret, and may be another process's
}

// TestOpenFileIsNotForgotten: the file that is written to is the writer's, whoever misses it.
func TestOpenFileIsNotForgotten(t *testing.T) {
	c := Catalogue{Files: []File{{Path: "closed"}, {Path: "open"}}, Open: &segment.Writer{}}
	c.Forget("open")
	c.Forget("closed")
	if len(c.Closed()) != 0 || c.Last().Path != "open" {
		t.Errorf("files %+v, want the open one", c.Files)
	}
	c.Open = nil
	if c.Forget("open"); len(c.Files) != 0 {
		t.Errorf("files %+v, want none", c.Files)
	}
}
