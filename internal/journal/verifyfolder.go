package journal

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/amount"
	"gatehouse/internal/durable"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// VerifyFolder checks a whole journal and changes nothing: every file, that those
// which the epochs file names are there, and that what the newest of the anchors
// names is in it, with that root. It says what it found on w, and returns the exit
// code of VerifyMain. The file that a running daemon writes to can't be read
// beside it: that makes "not checked" of an otherwise good journal.
func VerifyFolder(dir string, anchors [][]byte, w io.Writer) int {
	fo, err := scanFolder(dir, 0, false)
	if err != nil {
		fmt.Fprintln(w, err)
		return exitNotChecked
	}
	code := exitGood
	worse := func(c int, format string, args ...any) {
		fmt.Fprintf(w, format+"\n", args...)
		if c == exitDamaged || code == exitGood {
			code = c
		}
	}
	if fo.bad {
		worse(exitDamaged, "the file %s is missing or damaged", epochsName)
	}
	for _, name := range fo.missing() {
		worse(exitDamaged, "%s is missing", name)
	}
	for _, name := range fo.aside {
		worse(exitDamaged, "%s was set aside as damaged", name)
	}
	for _, f := range fo.files {
		switch r, err := Verify(f.path); {
		case errors.Is(err, berrors.ErrTimeout):
			worse(exitNotChecked, "%s: not checked, the daemon writes to it", filepath.Base(f.path))
		case err != nil && !errors.Is(err, durable.ErrDamaged) && !errors.Is(err, ErrOneMeta):
			worse(exitNotChecked, "%v", err)
		case err != nil:
			worse(exitDamaged, "%v", err)
		case f.end != noEnd && r.Next < f.end && f.end > f.first:
			worse(exitDamaged, "%s ends at %d, not at %d", filepath.Base(f.path), r.Next, f.end)
		default:
			fmt.Fprintf(w, "%s: entries %d to %d, %d of them erased\n", filepath.Base(f.path), r.First, r.Next, r.Erased)
		}
	}
	a := NewestAnchor(anchors)
	if a.Epoch == 0 {
		fmt.Fprintln(w, "no anchor to compare with: what was deleted with all that names it can't be seen")
		return code
	}
	switch err := a.compare(fo); {
	case err == nil:
		fmt.Fprintf(w, "all that the anchor knows of epoch %016x is there: %s\n", a.Epoch, amount.Of(a.Size, "entry"))
	case errors.Is(err, errNotAnchored):
		worse(exitDamaged, "%v", err)
	default:
		worse(exitNotChecked, "the anchor can't be compared: %v", err)
	}
	return code
}

var errNotAnchored = errors.New("not what the anchor in the grants' files says")

// compare looks for what an anchor names among the files.
func (a Anchor) compare(fo folder) error {
	var at *file
	for i, f := range fo.files {
		if f.epoch == a.Epoch && f.first <= a.Size {
			at = &fo.files[i]
		}
	}
	if at == nil {
		return fmt.Errorf("%w: nothing is there of epoch %016x, which had %s", errNotAnchored, a.Epoch, amount.Of(a.Size, "entry"))
	}
	return view(at.path, func(tx *bolt.Tx) error {
		s, err := readSegment(tx)
		if err != nil {
			return err
		}
		if s.size < a.Size {
			return fmt.Errorf("%w: epoch %016x had %s and has %d", errNotAnchored, a.Epoch, amount.Of(a.Size, "entry"), s.size)
		}
		var leaves []tlog.Hash
		err = eachEntry(tx, s.start.Size(), a.Size, int(a.Size-s.start.Size()), func(_ uint64, stored []byte) error {
			e, err := wire.SplitStored(stored)
			leaves = append(leaves, tree.LeafHash(e.Header, e.WhoHash[:]))
			return err
		})
		if err == nil && s.start.AddAll(leaves).Root() != a.Root {
			err = fmt.Errorf("%w: epoch %016x has another root at %s", errNotAnchored, a.Epoch, amount.Of(a.Size, "entry"))
		}
		return err
	})
}
