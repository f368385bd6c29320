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
	v := verdict{w: w, code: segment.ExitGood}
	if d.Bad {
		v.worse(segment.ExitDamaged, "the file %s is missing or damaged", catalogue.EpochsName)
	}
	for _, name := range d.Missing() {
		v.worse(segment.ExitDamaged, "%s is missing", name)
	}
	for _, name := range d.Aside {
		v.worse(segment.ExitDamaged, "%s was set aside as damaged", name)
	}
	for _, f := range d.Files {
		v.file(f)
	}
	v.anchor(newestAnchor(anchors), d.Files)
	return v.code
}

// verdict is the worst finding so far, and where findings are printed.
type verdict struct {
	w    io.Writer
	code int
}

// worse prints a finding; damage outranks what was not checked.
func (v *verdict) worse(code int, format string, args ...any) {
	fmt.Fprintf(v.w, format+"\n", args...)
	if code == segment.ExitDamaged || v.code == segment.ExitGood {
		v.code = code
	}
}

func (v *verdict) file(f catalogue.File) {
	name := filepath.Base(f.Path)
	switch r, err := segment.Verify(f.Path); {
	case errors.Is(err, berrors.ErrTimeout):
		v.worse(segment.ExitNotChecked, "%s: not checked, the daemon writes to it", name)
	case err != nil && !errors.Is(err, durable.ErrDamaged) && !errors.Is(err, segment.ErrOneMeta):
		v.worse(segment.ExitNotChecked, "%v", err)
	case err != nil:
		v.worse(segment.ExitDamaged, "%v", err)
	case f.End != segment.NoEnd && r.Next < f.End && f.End > f.First:
		v.worse(segment.ExitDamaged, "%s ends at %d, not at %d", name, r.Next, f.End)
	default:
		fmt.Fprintf(v.w, "%s: entries %d to %d, %d of them erased\n", name, r.First, r.Next, r.Erased)
	}
}

func (v *verdict) anchor(a anchor, files []catalogue.File) {
	if a.Epoch == 0 {
		fmt.Fprintln(v.w, "no anchor to compare with: what was deleted with all that names it can't be seen")
		return
	}
	switch err := a.compare(files); {
	case err == nil:
		fmt.Fprintf(v.w, "all that the anchor knows of epoch %016x is there: %s\n", a.Epoch, amount.Of(a.Sequence, "entry"))
	case errors.Is(err, errNotAnchored):
		v.worse(segment.ExitDamaged, "%v", err)
	default:
		v.worse(segment.ExitNotChecked, "the anchor can't be compared: %v", err)
	}
}
