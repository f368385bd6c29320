package journal

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	berrors "go.etcd.io/bbolt/errors"

	"gatehouse/internal/amount"
	"gatehouse/internal/durable"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/segment"
)

// VerifyDirectory checks a whole journal and changes nothing: every file, that those
// which the epochs file names are there, and that what the newest of the anchors
// names is in it, with that root. It says what it found on w, and returns the exit
// code of segment.VerifyMain. The file that a running daemon writes to can't be read
// beside it: that makes "not checked" of an otherwise good journal.
func VerifyDirectory(dir string, anchors [][]byte, w io.Writer) int {
	d, err := catalogue.Scan(dir)
	if err != nil {
		fmt.Fprintln(w, err)
		return segment.ExitNotChecked
	}
	code := segment.ExitGood
	worse := func(c int, format string, args ...any) {
		fmt.Fprintf(w, format+"\n", args...)
		if c == segment.ExitDamaged || code == segment.ExitGood {
			code = c
		}
	}
	if d.Bad {
		worse(segment.ExitDamaged, "the file %s is missing or damaged", catalogue.EpochsName)
	}
	for _, name := range d.Missing() {
		worse(segment.ExitDamaged, "%s is missing", name)
	}
	for _, name := range d.Aside {
		worse(segment.ExitDamaged, "%s was set aside as damaged", name)
	}
	for _, f := range d.Files {
		switch r, err := segment.Verify(f.Path); {
		case errors.Is(err, berrors.ErrTimeout):
			worse(segment.ExitNotChecked, "%s: not checked, the daemon writes to it", filepath.Base(f.Path))
		case err != nil && !errors.Is(err, durable.ErrDamaged) && !errors.Is(err, segment.ErrOneMeta):
			worse(segment.ExitNotChecked, "%v", err)
		case err != nil:
			worse(segment.ExitDamaged, "%v", err)
		case f.End != segment.NoEnd && r.Next < f.End && f.End > f.First:
			worse(segment.ExitDamaged, "%s ends at %d, not at %d", filepath.Base(f.Path), r.Next, f.End)
		default:
			fmt.Fprintf(w, "%s: entries %d to %d, %d of them erased\n", filepath.Base(f.Path), r.First, r.Next, r.Erased)
		}
	}
	a := newestAnchor(anchors)
	if a.Epoch == 0 {
		fmt.Fprintln(w, "no anchor to compare with: what was deleted with all that names it can't be seen")
		return code
	}
	switch err := a.compare(d.Files); {
	case err == nil:
		fmt.Fprintf(w, "all that the anchor knows of epoch %016x is there: %s\n", a.Epoch, amount.Of(a.Size, "entry"))
	case errors.Is(err, errNotAnchored):
		worse(segment.ExitDamaged, "%v", err)
	default:
		worse(segment.ExitNotChecked, "the anchor can't be compared: %v", err)
	}
	return code
}
