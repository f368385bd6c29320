package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/audit"
	"gatehouse/internal/journal/buffer"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/web/text"
	"gatehouse/sync/wire"
)

// besides keeps anchors in a file of the journal's own directory, so that the crash
// tests see its writes among the others.
type besides string

func (d besides) Anchors() [][]byte {
	b, err := os.ReadFile(filepath.Join(string(d), "anchor"))
	if err != nil {
		return nil
	}
	return [][]byte{b}
}

func (d besides) SetAnchor(b []byte) error {
	return durable.WriteFile(filepath.Join(string(d), "anchor"), b, 0o600)
}

// shelf keeps anchors in memory: what stands elsewhere.
type shelf struct {
	mu   sync.Mutex
	kept []byte
	n    int
}

func (s *shelf) Anchors() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return [][]byte{nil, []byte("garbage"), s.kept}
}

func (s *shelf) SetAnchor(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = b
	s.n++
	return nil
}

// TestAnchorBytes: an anchor is what was written, or none.
func TestAnchorBytes(t *testing.T) {
	a := audit.Anchor{Number: 3, Position: Position{Epoch: 7, Sequence: 100}, Root: tlog.Hash{1}}
	if got, ok := audit.Decode(a.Encode()); !ok || got != a {
		t.Errorf("%+v, %t", got, ok)
	}
	for i := range a.Encode() {
		b := a.Encode()
		b[i] ^= 1
		if _, ok := audit.Decode(b); ok {
			t.Errorf("byte %d changed: accepted", i)
		}
	}
	older, newer := audit.Anchor{Number: 2, Position: Position{Epoch: 9, Sequence: 1}}, audit.Anchor{Number: 5, Position: Position{Epoch: 1, Sequence: 1}}
	if got := audit.Newest([][]byte{older.Encode(), nil, newer.Encode(), a.Encode()}); got != newer {
		t.Errorf("newest is %+v", got)
	}
}

// losing fills a journal of four files, stops it, does harm to the directory, starts
// it again and waits for what it says.
type losing struct {
	*rig
	shelf  *shelf
	old    Status
	before map[string][]byte // the directory when half of the entries were there
}

func newLosing(t *testing.T, anchored bool) *losing {
	l := &losing{shelf: &shelf{}}
	l.rig = newRig(t, func(o *Options) {
		o.MaxEntries = 20
		if anchored {
			o.Anchors = l.shelf
		}
	})
	l.start()
	for i := range 70 {
		if i == 35 {
			l.stop()
			l.before = directoryBytes(t, l.o.Dir)
			l.start()
		}
		l.append(granted(), somebody(byte(i)))
	}
	l.rounds()
	l.old = l.j.Status()
	l.stop()
	return l
}

func directoryBytes(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, path := range files(t, dir, "*") {
		if filepath.Base(path) == buffer.OldLock {
			continue // a directory while the journal runs
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a temporary file, by now
		}
		if err != nil {
			t.Fatal(err)
		}
		all[path] = b
	}
	return all
}

func (l *losing) remove(pattern string) {
	l.t.Helper()
	for _, path := range files(l.t, l.o.Dir, pattern) {
		if err := os.Remove(path); err != nil {
			l.t.Fatal(err)
		}
	}
}

// told starts the journal and returns the damaged and epoch entries of this run.
func (l *losing) told() (damaged, epochs []wire.Header) {
	l.t.Helper()
	l.start()
	l.append(granted(), somebody(1))
	l.all() // a closed file is looked at when it is read
	l.rounds()
	l.append(granted(), somebody(1))
	boot := l.j.Status().Boot
	this := func(list []wire.Header) []wire.Header {
		return slices.DeleteFunc(list, func(h wire.Header) bool { return h.Boot != boot })
	}
	return this(find(l.headers(), wire.KindDamaged)), this(find(l.headers(), wire.KindEpoch))
}

// TestLosses: whatever is taken from the directory, or rolled back, an entry says so, and
// so does the status until somebody has seen to it; once.
func TestLosses(t *testing.T) {
	for name, c := range map[string]struct {
		anchored bool
		harm     func(*losing)
		reason   wire.Reason // of the first damaged entry; 0: only an epoch entry
		epoch    wire.Reason // of the new epoch; ReasonNone: none
	}{
		"nothing":        {true, func(*losing) {}, 0, 0},
		"newest file":    {false, func(l *losing) { l.remove("*-*0060.db") }, wire.ReasonMissing, wire.ReasonMissing},
		"a closed file":  {false, func(l *losing) { l.remove("*-*0020.db") }, wire.ReasonMissing, 0},
		"the first file": {false, func(l *losing) { l.remove("*-*0000.db") }, wire.ReasonMissing, 0},
		"all entries":    {false, func(l *losing) { l.remove("*-*.db") }, wire.ReasonMissing, wire.ReasonMissing},
		"all, anchored":  {true, func(l *losing) { l.remove("*-*.db") }, wire.ReasonMissing, wire.ReasonMissing},
		"the whole directory": {true, func(l *losing) {
			if err := os.RemoveAll(l.o.Dir); err != nil {
				l.t.Fatal(err)
			}
		}, wire.ReasonSetBack, wire.ReasonSetBack},
		"an image of before": {true, func(l *losing) {
			l.remove("*")
			for path, b := range l.before {
				if err := os.WriteFile(path, b, 0o600); err != nil {
					l.t.Fatal(err)
				}
			}
		}, wire.ReasonSetBack, wire.ReasonSetBack},
		"another journal": {true, func(l *losing) {
			l.remove("*")
			other := newRig(l.t, nil)
			other.start()
			other.append(granted(), somebody(1))
			other.stop()
			for _, path := range files(l.t, other.o.Dir, "*") {
				if err := os.Rename(path, filepath.Join(l.o.Dir, filepath.Base(path))); err != nil {
					l.t.Fatal(err)
				}
			}
		}, wire.ReasonSetBack, wire.ReasonSetBack},
		"epochs":            {false, func(l *losing) { l.remove("epochs") }, wire.ReasonMissing, wire.ReasonDamaged},
		"epochs garbage":    {false, func(l *losing) { l.spoil("epochs", 0, []byte("garbage")) }, wire.ReasonDamaged, wire.ReasonDamaged},
		"epochs one bit":    {false, func(l *losing) { l.flip("epochs", 3) }, wire.ReasonDamaged, wire.ReasonDamaged},
		"a bit of its ends": {false, func(l *losing) { l.flip("epochs", 25) }, wire.ReasonDamaged, wire.ReasonDamaged},
		"a meta page":       {false, func(l *losing) { l.flip(filepath.Base(l.newest()), 60) }, wire.ReasonDamaged, wire.ReasonDamaged},
		"older, of closed":  {false, func(l *losing) { l.flipClosed(0) }, wire.ReasonDamaged, 0},
		"newer, of closed":  {false, func(l *losing) { l.flipClosed(1) }, wire.ReasonDamaged, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLosing(t, c.anchored)
			c.harm(l)
			damaged, epochs := l.told()
			if c.reason == 0 && len(damaged) > 0 || c.reason != 0 && (len(damaged) == 0 || damaged[0].Reason != c.reason) {
				t.Errorf("damaged entries %+v, want one of reason %v", damaged, c.reason)
			}
			if c.epoch == 0 && len(epochs) > 0 || c.epoch != 0 && (len(epochs) != 1 || epochs[0].Reason != c.epoch) {
				t.Errorf("epoch entries %+v, want %v", epochs, c.epoch)
			}
			if c.epoch == 0 != (l.j.Status().Epoch == l.old.Epoch) {
				t.Errorf("epoch %x became %x", l.old.Epoch, l.j.Status().Epoch)
			}
			// What was set aside shows by lying there.
			if lost := l.j.Lost(); (len(lost)+len(files(t, l.o.Dir, "*.bad-*")) > 0) != (c.reason != 0) {
				t.Errorf("the status says %q", lost)
			}
			l.stop()
			if again, more := l.told(); len(again)+len(more) > 0 {
				t.Errorf("told again: %+v %+v", again, more)
			}
		})
	}
}

// flipClosed flips a bit of the older (0) or the newer (1) meta page of a closed file.
func (l *losing) flipClosed(which int64) {
	path := files(l.t, l.o.Dir, "*-*.db")[1]
	b, err := os.ReadFile(path)
	if err != nil {
		l.t.Fatal(err)
	}
	page := int64(os.Getpagesize())
	txid := func(meta int64) uint64 { return binary.LittleEndian.Uint64(b[meta*page+64:]) }
	if (txid(1) > txid(0)) != (which == 1) {
		page = 0
	}
	l.flip(filepath.Base(path), page+60)
}

func (l *losing) newest() string {
	list := files(l.t, l.o.Dir, "*-*.db")
	return list[len(list)-1]
}

func (l *losing) spoil(name string, at int64, b []byte) {
	l.t.Helper()
	f, err := os.OpenFile(filepath.Join(l.o.Dir, name), os.O_RDWR, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, at); err != nil {
		l.t.Fatal(err)
	}
}

func (l *losing) flip(name string, at int64) {
	l.t.Helper()
	b, err := os.ReadFile(filepath.Join(l.o.Dir, name))
	if err != nil {
		l.t.Fatal(err)
	}
	l.spoil(name, at, []byte{b[at] ^ 1})
}

// TestAnchorIsCited: the epoch after a loss says what the journal once had, so that
// a stranger can see how much is gone.
func TestAnchorIsCited(t *testing.T) {
	l := newLosing(t, true)
	l.remove("*")
	damaged, epochs := l.told()
	want := audit.Anchor{Position: l.old.Position, Root: l.old.Root}.Detail()
	if len(epochs) != 1 || !slices.Equal(epochs[0].Detail, want) || len(damaged) != 1 || !slices.Equal(damaged[0].Detail, want) {
		t.Errorf("epoch %+v, damaged %+v, want detail %x", epochs, damaged, want)
	}
}

// TestRewrittenHistoryShows: as many entries as before under another root.
func TestRewrittenHistoryShows(t *testing.T) {
	l := newLosing(t, true)
	a := audit.Newest(l.shelf.Anchors())
	a.Root[0] ^= 1
	if err := l.shelf.SetAnchor(a.Encode()); err != nil {
		t.Fatal(err)
	}
	damaged, epochs := l.told()
	if len(damaged) != 1 || damaged[0].Reason != wire.ReasonOtherRoot || len(epochs) != 0 || len(l.j.Lost()) != 1 {
		t.Errorf("damaged %+v, epochs %+v, lost %q", damaged, epochs, l.j.Lost())
	}
}

// TestWithoutAnchorsNobodyKnows: what docs say can't be noticed is not.
func TestWithoutAnchorsNobodyKnows(t *testing.T) {
	l := newLosing(t, false)
	l.remove("*")
	if damaged, epochs := l.told(); len(damaged)+len(epochs) > 0 {
		t.Errorf("%+v %+v", damaged, epochs)
	}
}

// TestFilesTakenWhileRunning: a closed file, and the epochs file, deleted under a
// running journal.
func TestFilesTakenWhileRunning(t *testing.T) {
	l := newLosing(t, false)
	l.start()
	l.append(granted(), somebody(1))
	l.rounds()
	l.remove("*-*0020.db")
	l.rounds()
	eventually(t, "the file is missed", func() bool {
		d := find(l.headers(), wire.KindDamaged)
		return len(d) == 1 && d[0].Reason == wire.ReasonMissing && strings.HasSuffix(string(d[0].Detail), "-00000000000000000020.db")
	})
	l.remove("epochs")
	l.rounds()
	eventually(t, "the epochs file is missed", func() bool { return len(find(l.headers(), wire.KindDamaged)) == 2 })
	l.spoil("epochs", 0, []byte("x"))
	l.rounds()
	eventually(t, "its damage is seen", func() bool { return len(find(l.headers(), wire.KindDamaged)) == 3 })
	if s := l.j.Status(); s.Epoch != l.old.Epoch {
		t.Error("a new epoch for nothing")
	}
	l.stop()
	if damaged, epochs := l.told(); len(damaged)+len(epochs) > 0 {
		t.Errorf("told again: %+v %+v", damaged, epochs)
	}
}

// TestReaderOfATakenFile: who reads goes on behind what somebody deleted, and sets
// no good file aside.
func TestReaderOfATakenFile(t *testing.T) {
	l := newLosing(t, false)
	l.start()
	l.append(granted(), somebody(1))
	l.remove("*-*0020.db")
	n := len(l.all())
	if want := int(l.j.Status().Sequence) - 20; n < want-2 || n > want {
		t.Errorf("%d entries can be read, want %d", n, want)
	}
	if bad := files(t, l.o.Dir, "*.bad-*"); len(bad) > 0 {
		t.Errorf("set aside: %v", bad)
	}
}

// TestAnchorsAreRare: a thousand entries are not a thousand anchors.
func TestAnchorsAreRare(t *testing.T) {
	s := &shelf{}
	r := newRig(t, func(o *Options) { o.Anchors = s })
	r.start()
	for i := range 1000 {
		r.append(granted(), somebody(byte(i)))
	}
	r.rounds()
	r.stop()
	if s.n < 2 || s.n > 4 {
		t.Errorf("%d anchors in one run", s.n)
	}
	if a := audit.Newest(s.Anchors()); a.Sequence != r.j.Status().Sequence || a.Root != r.j.Status().Root {
		t.Errorf("after the stop the anchor is of %d entries, the journal has %d", a.Sequence, r.j.Status().Sequence)
	}
}

// TestPrunedIsNotMissed: what went for want of space is not taken for a loss, in
// this run or the next.
func TestPrunedIsNotMissed(t *testing.T) {
	s := &shelf{}
	r := newRig(t, func(o *Options) { o.Anchors, o.MaxEntries, o.MaxBytes = s, 20, 100<<10 })
	r.start()
	for i := range 120 {
		r.append(granted(), somebody(byte(i)))
	}
	eventually(t, "a file goes", func() bool { poke(r.j.files.work); return r.j.Status().Oldest.Sequence > 0 })
	r.rounds()
	r.stop()
	r.start()
	r.append(granted(), somebody(1))
	r.rounds()
	if d := find(r.headers(), wire.KindDamaged); len(d) > 0 || len(r.j.Lost()) > 0 {
		t.Errorf("missed: %+v, %q", d, r.j.Lost())
	}
}

// TestVerifySeesBothMetas: a file with one good meta page is not good.
func TestVerifySeesBothMetas(t *testing.T) {
	for meta := range 2 {
		l := newLosing(t, false)
		if _, err := segment.Verify(l.newest()); err != nil {
			t.Fatal(err)
		}
		l.flip(filepath.Base(l.newest()), int64(meta*os.Getpagesize()+60))
		if _, err := segment.Verify(l.newest()); !errors.Is(err, segment.ErrOneMeta) {
			t.Errorf("meta %d: %v", meta, err)
		}
		var out strings.Builder
		if code := segment.VerifyMain(l.newest(), &out); code != 3 || !strings.Contains(out.String(), "meta pages") {
			t.Errorf("meta %d: exit %d, %q", meta, code, out.String())
		}
	}
}

// TestVerifyDirectory: what the daemon would miss at its next start, the command says
// of a directory that nobody writes to, and it changes nothing.
func TestVerifyDirectory(t *testing.T) {
	for name, c := range map[string]struct {
		harm  func(*losing)
		level audit.Level
		says  string
	}{
		"nothing":         {func(*losing) {}, audit.Note, "is there: "},
		"a file":          {func(l *losing) { l.remove("*-*0020.db") }, audit.Damage, "is missing"},
		"the newest":      {func(l *losing) { l.remove("*-*0060.db") }, audit.Damage, "had entries up to 7"},
		"everything":      {func(l *losing) { l.remove("*") }, audit.Damage, "nothing is there"},
		"a meta page":     {func(l *losing) { l.flip(filepath.Base(l.newest()), 60) }, audit.Damage, "meta pages"},
		"epochs":          {func(l *losing) { l.flip("epochs", 3) }, audit.Damage, "epochs is missing or damaged"},
		"another history": {func(l *losing) { a := audit.Newest(l.shelf.Anchors()); a.Root[0] ^= 1; l.shelf.kept = a.Encode() }, audit.Damage, "another root"},
		"no anchor":       {func(l *losing) { l.shelf.kept = nil }, audit.Note, "no anchor"},
		"an image of before": {func(l *losing) {
			l.remove("*")
			for path, b := range l.before {
				if err := os.WriteFile(path, b, 0o600); err != nil {
					l.t.Fatal(err)
				}
			}
		}, audit.Damage, "had entries up to 7"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLosing(t, true)
			c.harm(l)
			before := directoryBytes(t, l.o.Dir)
			if level, said := checked(t, l.o.Dir, l.shelf.Anchors()); level != c.level || !strings.Contains(said, c.says) {
				t.Errorf("level %d, want %d and %q:\n%s", level, c.level, c.says, said)
			}
			if after := directoryBytes(t, l.o.Dir); fmt.Sprint(before) != fmt.Sprint(after) {
				t.Error("the directory was changed")
			}
		})
	}
}

// TestVerifyNoDirectory: a directory that was taken away whole is missing by what the anchors know, and with no anchor
// there is nothing to check.
func TestVerifyNoDirectory(t *testing.T) {
	l := newLosing(t, true)
	gone := filepath.Join(t.TempDir(), "journal")
	if level, said := checked(t, gone, l.shelf.Anchors()); level != audit.Damage || !strings.Contains(said, "nothing is there") {
		t.Errorf("level %d:\n%s", level, said)
	}
	if level, said := checked(t, gone, nil); level != audit.Absent || !strings.Contains(said, "has no log") {
		t.Errorf("level %d:\n%s", level, said)
	}
}

// checked checks a whole journal in this process, and returns what is said of it in English.
func checked(t *testing.T, dir string, anchors [][]byte) (audit.Level, string) {
	t.Helper()
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	c := audit.Check{Dir: dir, Anchors: anchors,
		Verify: func(_ context.Context, path string) (segment.Report, error) { return segment.Verify(path) },
		Tell: func(f audit.Finding) {
			if !words.Has("journal." + f.Key) {
				t.Errorf("no words for %s", f.Key)
			}
			fmt.Fprintln(&said, words.Say(text.English, "journal."+f.Key, f.Args...))
		}}
	level := c.Run(t.Context())
	return level, said.String()
}

// TestNothingLeavesBeforeItIsDurable: bbolt shows a commit to readers before anybody
// was told that it is on the disk. No reader, root or anchor may know of it.
func TestNothingLeavesBeforeItIsDurable(t *testing.T) {
	for point, ahead := range map[string]int64{"written ahead": 0, "committed": -1} {
		t.Run(point, func(t *testing.T) { nothingLeaves(t, point, ahead) })
	}
}

func nothingLeaves(t *testing.T, point string, ahead int64) {
	s := &shelf{}
	r := newRig(t, func(o *Options) { o.Anchors = s })
	r.ahead = ahead
	var before Status
	var armed atomic.Bool
	seen := make(chan string, 1)
	look := func() string {
		now := r.j.Status()
		list, _, err := r.j.Entries(t.Context(), before.Position, 10)
		tree, rootErr := r.j.Range(t.Context(), place(before.Epoch, before.Sequence+1))
		r.j.anchors.soon()
		anchored := r.j.anchors.keep(t.Context())
		a := audit.Newest(s.Anchors())
		switch {
		case err != nil || anchored != nil || len(list) > 0:
			return fmt.Sprintf("%d entries, %v, %v", len(list), err, anchored)
		case now.Position != before.Position || now.Root != before.Root:
			return fmt.Sprintf("status %+v", now)
		case rootErr == nil:
			return fmt.Sprintf("a tree of %d", tree.Size())
		case a.Sequence > before.Sequence:
			return fmt.Sprintf("an anchor of %d", a.Sequence)
		}
		return ""
	}
	r.open().files.fault = func(at string) error {
		if at == point && armed.Swap(false) {
			seen <- look()
		}
		return nil
	}
	r.run()
	r.append(granted(), somebody(1))
	r.rounds()
	before = r.j.Status()
	armed.Store(true)
	r.append(granted(), somebody(2))
	if what := <-seen; what != "" {
		t.Errorf("seen before it is durable: %s", what)
	}
	if now := r.j.Status(); now.Sequence <= before.Sequence {
		t.Errorf("status afterwards %+v", now)
	}
}
