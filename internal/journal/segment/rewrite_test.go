package segment

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/tree"
	"gatehouse/sync/wire/journaled"
)

// pauses is the lock that a rewriting holds; it calls free when a pause begins. For one goroutine.
type pauses struct {
	held bool
	n    int
	free func(n int)
}

func (p *pauses) Lock() { p.held = true }

func (p *pauses) Unlock() {
	p.held, p.n = false, p.n+1
	p.free(p.n)
}

// long makes a closed file of epoch 7 that is rewritten in several parts, and returns its size in entries.
func long(t *testing.T) (path string, n int) {
	t.Helper()
	n = 6 * partBytes / (len(oneEntry) / 2)
	stored, err := hex.DecodeString(oneEntry)
	if err != nil {
		t.Fatal(err)
	}
	e, err := journaled.Decode(stored)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), Name(7, 0))
	if err := Create(path, Segment{Epoch: 7}, nil); err != nil {
		t.Fatal(err)
	}
	w, err := OpenWriter(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close(nil)
	leaves := slices.Repeat([]tlog.Hash{tlog.RecordHash(e.Leaf())}, n)
	if err := w.Append(0, slices.Repeat([][]byte{stored}, n), tree.Range{}.AddAll(leaves)); err != nil {
		t.Fatal(err)
	}
	return path, n
}

func isGood(path string) error {
	_, err := Verify(path)
	return err
}

// TestRewriteInParts: no more than a part goes to the disk between two pauses, and what comes out is the same tree
// without who parts, in a file that is no longer than its entries need.
func TestRewriteInParts(t *testing.T) {
	for _, erase := range []bool{false, true} {
		path, n := long(t)
		before, err := Verify(path)
		if err != nil {
			t.Fatal(err)
		}
		const most = partBytes + 8*4096 + 128<<10 // pages of the tree, and by how much a file grows at a time
		size := int64(0)
		held := &pauses{held: true, free: func(pause int) {
			info, err := os.Stat(path + PackSuffix)
			if err != nil {
				t.Fatal(err)
			}
			if pause > 1 && info.Size()-size > most {
				t.Errorf("part %d has %d bytes", pause, info.Size()-size)
			}
			size = info.Size()
		}}
		if err := (Rewriting{Path: path, End: NoEnd, Erase: func(journaled.Stored) bool { return erase }, Held: held, Check: isGood}).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if held.n < 3 || !held.held {
			t.Errorf("erase %t: %d pauses, held in the end: %t", erase, held.n, held.held)
		}
		after, err := Verify(path)
		if err != nil || after.Root != before.Root || after.Next != before.Next || after.Erased != 0 && !erase || after.Erased != n && erase {
			t.Errorf("erase %t: before %v, after %v, %v", erase, before, after, err)
		}
		if s, err := Read(path); err != nil || !s.Packed {
			t.Errorf("erase %t: not packed, %v", erase, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if each := info.Size() / int64(n); each > int64(len(oneEntry)/2)+70 {
			t.Errorf("erase %t: %d bytes for an entry of %d", erase, each, len(oneEntry)/2)
		}
	}
}

// TestRewriteEndsInAPause: what ends a rewriting, or takes its file away, leaves no copy of it.
func TestRewriteEndsInAPause(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for name, c := range map[string]struct {
		do    func(path string) error
		want  error
		there bool
	}{
		"stopped": {func(string) error { cancel(); return nil }, context.Canceled, true},
		"deleted": {os.Remove, fs.ErrNotExist, false},
		"replaced": {func(path string) error {
			return errors.Join(os.Rename(path, path+".bad-1"), os.WriteFile(path, []byte("another"), 0o600))
		}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := long(t)
			held := &pauses{held: true, free: func(pause int) {
				if pause == 2 {
					if err := c.do(path); err != nil {
						t.Error(err)
					}
				}
			}}
			run := t.Context()
			if name == "stopped" {
				run = ctx
			}
			before, _ := os.Stat(path)
			err := Rewriting{Path: path, End: NoEnd, Held: held, Check: isGood}.Run(run)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !held.held {
				t.Errorf("%v, held in the end: %t", err, held.held)
			}
			after, err := os.Stat(path)
			if (err == nil) != c.there {
				t.Errorf("the file is there: %t, want %t", err == nil, c.there)
			}
			if name == "stopped" && (held.n != 2 || !os.SameFile(before, after)) {
				t.Errorf("%d pauses, the old file: %t", held.n, os.SameFile(before, after))
			}
			if _, err := os.Stat(path + PackSuffix); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the copy is there: %v", err)
			}
		})
	}
}
