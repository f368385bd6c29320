// Package audit compares a journal with what is known of it elsewhere: the anchors in the grants' files.
//
// It decides whether all that an anchor names is there, and says what of a whole directory is missing or
// damaged. It changes nothing.
package audit

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	berrors "go.etcd.io/bbolt/errors"

	"gatehouse/internal/amount"
	"gatehouse/internal/durable"
	"gatehouse/internal/journal/ahead"
	"gatehouse/internal/journal/buffer"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire/journaled"
)

// Directory checks a whole journal and changes nothing: every file, that those
// which the epochs file names are there, and that what the newest of the anchors
// names is in it, with that root. It says what it found on w, and returns the exit
// code of segment.VerifyMain. The file that a running daemon writes to can't be read
// beside it: that makes "not checked" of an otherwise good journal.
func Directory(dir string, anchors [][]byte, w io.Writer) int {
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
	frames := v.ahead(filepath.Join(dir, ahead.Name))
	v.anchor(Newest(anchors), d.Files, frames)
	return v.code
}

// verdict is the worst finding so far, and where findings are printed.
type verdict struct {
	w    io.Writer
	code int
	end  journaled.Position // of the newest good file
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
		v.end = journaled.Position{Epoch: r.Epoch, Sequence: r.Next}
		fmt.Fprintf(v.w, "%s: entries %d to %d, %d of them erased\n", name, r.First, r.Next, r.Erased)
	}
}

// ahead reads the write-ahead file. Beside a daemon that writes to it, nothing can be said against it.
func (v *verdict) ahead(path string) []ahead.Frame {
	frames, err := ahead.Read(path)
	end := v.end.Sequence
	hole := errors.Is(err, durable.ErrDamaged) && len(frames) == 0
	for _, f := range frames {
		if f.Epoch == v.end.Epoch {
			hole = hole || f.First > end
			end = max(end, f.End())
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case hole && v.code != segment.ExitNotChecked:
		v.worse(segment.ExitDamaged, "%v", cmp.Or(err, buffer.ErrBehind))
	case err != nil && !errors.Is(err, durable.ErrDamaged):
		v.worse(segment.ExitNotChecked, "%v", err)
	case end > v.end.Sequence:
		fmt.Fprintf(v.w, "%s: entries %d to %d, which the next start brings into the entry file\n", ahead.Name, v.end.Sequence, end)
	}
	return frames
}

func (v *verdict) anchor(a Anchor, files []catalogue.File, frames []ahead.Frame) {
	if a.Epoch == 0 {
		fmt.Fprintln(v.w, "no anchor to compare with: what was deleted with all that names it can't be seen")
		return
	}
	switch err := a.compare(files, frames); {
	case err == nil:
		fmt.Fprintf(v.w, "all that the anchor knows of epoch %016x is there: %s\n", a.Epoch, amount.Of(a.Sequence, "entry"))
	case errors.Is(err, ErrNotAnchored):
		v.worse(segment.ExitDamaged, "%v", err)
	default:
		v.worse(segment.ExitNotChecked, "the anchor can't be compared: %v", err)
	}
}
