package frames

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"gatehouse/internal/durable"
)

const size = 4096

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fileOf makes a file with frames of a lap.
func fileOf(t testing.TB, lap Lap, payloads ...[]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ahead")
	must(t, Create(path, size))
	appendAll(t, path, lap, payloads...)
	return path
}

func appendAll(t testing.TB, path string, lap Lap, payloads ...[]byte) {
	t.Helper()
	l, _, err := Read(path, lap)
	must(t, err)
	for _, p := range payloads {
		must(t, l.Append(p))
	}
}

var three = [][]byte{[]byte("first"), bytes.Repeat([]byte{7}, 999), {}}

func same(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// TestLaps: frames are there for their lap alone, over restarts, and a new lap begins at the start of the file.
func TestLaps(t *testing.T) {
	lap, next := NewLap(), NewLap()
	path := fileOf(t, lap, three[0], three[1])
	appendAll(t, path, lap, three[2]) // after a restart
	if _, got, err := Read(path, lap); err != nil || !same(got, three) {
		t.Fatalf("%q, %v", got, err)
	}
	l, got, err := Read(path, next)
	if err != nil || len(got) > 0 || !l.Empty() {
		t.Fatalf("of another lap: %q, %v", got, err)
	}
	must(t, l.Append([]byte("new")))
	if _, got, err := Read(path, next); err != nil || !same(got, [][]byte{[]byte("new")}) || l.Empty() {
		t.Fatalf("%q, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != size {
		t.Fatalf("the file has grown: %v", err)
	}
}

// TestFull: what does not fit is refused, and nothing is changed by it.
func TestFull(t *testing.T) {
	lap := NewLap()
	path := fileOf(t, lap)
	l, _, err := Read(path, lap)
	must(t, err)
	most := size - header - sumSize
	if l.Fits(most + 1) {
		t.Fatal("a frame beyond the end fits")
	}
	must(t, l.Append(make([]byte, most-8)))
	if err := l.Append(nil); !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	if _, got, err := Read(path, lap); err != nil || len(got) != 1 {
		t.Fatalf("%d frames, %v", len(got), err)
	}
	if err := Create(path, size); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("made over one that is there: %v", err)
	}
}

// TestTornAndFlipped: whatever a power cut leaves of the last frame, those before it stand; and no flipped bit
// gives other frames than a prefix of them: one before the last is damage, which has the others.
func TestTornAndFlipped(t *testing.T) {
	lap := NewLap()
	path := fileOf(t, lap, three...)
	good, err := os.ReadFile(path)
	must(t, err)
	read := func(b []byte) ([][]byte, error) {
		must(t, os.WriteFile(path, b, 0o600))
		_, got, err := Read(path, lap)
		_, all, anyErr := Read(path, Lap{})
		if !same(got, all) || errors.Is(err, durable.ErrDamaged) != errors.Is(anyErr, durable.ErrDamaged) {
			t.Fatalf("%d frames, %v; of the first lap %d, %v", len(got), err, len(all), anyErr)
		}
		return got, err
	}
	second := sizeOf(len(three[0]))
	last := second + sizeOf(len(three[1]))
	end := last + sizeOf(0)
	for i := range 8 * end {
		flipped := bytes.Clone(good)
		flipped[i/8] ^= 1 << (i % 8)
		left := [][]byte{three[0], three[2]}
		if i/8 < second {
			left = three[1:]
		}
		got, err := read(flipped)
		switch i /= 8; {
		case i < last && (!errors.Is(err, durable.ErrDamaged) || !same(got, left)):
			t.Fatalf("byte %d flipped: %d frames, %v", i, len(got), err)
		case i >= last && (err != nil || !same(got, three[:2])):
			t.Fatalf("byte %d of the last flipped: %d frames, %v", i, len(got), err)
		}
	}
	for i := last; i < end; i++ { // its beginning is on the disk, or its end, and the rest is as before
		begun, ended := bytes.Clone(good), bytes.Clone(good)
		begun[i] ^= 1 // a sum can end with zeros
		clear(begun[i+1:])
		clear(ended[last : i+1])
		for _, torn := range [][]byte{begun, ended, good[:i]} {
			if got, err := read(torn); err != nil || !same(got, three[:2]) {
				t.Fatalf("torn at %d: %d frames, %v", i, len(got), err)
			}
		}
	}
	for n := range end {
		if got, err := read(good[:n]); err != nil || !same(got, three[:len(got)]) {
			t.Fatalf("cut at %d: %d frames, %v", n, len(got), err)
		}
	}
	for _, whole := range [][]byte{good, good[:end], append(bytes.Clone(good[:end]), 1, 2, 3)} {
		if got, err := read(whole); err != nil || !same(got, three) {
			t.Fatalf("as it was: %d frames, %v", len(got), err)
		}
	}
}

// TestOverTorn: a new frame takes the place of one that was torn.
func TestOverTorn(t *testing.T) {
	lap := NewLap()
	path := fileOf(t, lap, three[0], three[1])
	b, err := os.ReadFile(path)
	must(t, err)
	b[sizeOf(len(three[0]))+header+3] ^= 1
	must(t, os.WriteFile(path, b, 0o600))
	appendAll(t, path, lap, []byte("again"))
	if _, got, err := Read(path, lap); err != nil || !same(got, [][]byte{three[0], []byte("again")}) {
		t.Fatalf("%q, %v", got, err)
	}
}

// TestNothingAfterAFailure: a failed write leaves it unknown what the file has, so nothing comes behind it before Clear.
func TestNothingAfterAFailure(t *testing.T) {
	lap := NewLap()
	path := fileOf(t, lap)
	l, _, err := Read(path, lap)
	must(t, err)
	must(t, os.Remove(path))
	if err := l.Append(three[0]); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	must(t, Create(path, size))
	if err := l.Append(three[0]); !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	must(t, l.Clear())
	must(t, l.Append(three[0]))
	must(t, os.Remove(path))
	if err := l.Clear(); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := l.Append(three[0]); !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
}

// TestFirstLap: an owner that keeps no name gets the lap of the first frame; where that is bad, any frame tells of
// damage. A frame in another's place breaks the chain.
func TestFirstLap(t *testing.T) {
	old, lap := NewLap(), NewLap()
	path := fileOf(t, old, three...)
	first := sizeOf(len(three[0]))
	l, _, err := Read(path, lap)
	must(t, err)
	must(t, l.Append([]byte("again"))) // as long as the first of the old ones
	b, err := os.ReadFile(path)
	must(t, err)
	read := func(what string, b []byte, damaged bool, want ...[]byte) {
		t.Helper()
		must(t, os.WriteFile(path, b, 0o600))
		l, got, err := Read(path, Lap{})
		if errors.Is(err, durable.ErrDamaged) != damaged || !same(got, want) || damaged && l.Fits(0) {
			t.Fatalf("%s: %q, %v", what, got, err)
		}
		must(t, l.Clear())
		must(t, l.Append([]byte("new")))
		if _, got, err := Read(path, Lap{}); err != nil || !same(got, [][]byte{[]byte("new")}) {
			t.Fatalf("%s: then %q, %v", what, got, err)
		}
	}
	read("frames of an earlier lap", b, false, []byte("again"))
	read("without the first", b[first:], true, three[1:]...)
	read("nothing", make([]byte, size), false)
	copy(b[first:], b[:first])
	read("twice the first", b, true, []byte("again"), []byte("again"))
}

// TestKeptOpen: a file that is kept open takes what others do, and it shows if it is not there any more.
func TestKeptOpen(t *testing.T) {
	lap := NewLap()
	path := fileOf(t, lap)
	l, _, err := Read(path, lap)
	must(t, err)
	must(t, l.KeepOpen())
	defer l.Close()
	must(t, l.Append(three[0]))
	must(t, l.Clear())
	must(t, l.Append(three[1]))
	if _, got, err := Read(path, Lap{}); err != nil || !same(got, three[1:2]) || l.Used() != sizeOf(len(three[1])) || l.Size() != size {
		t.Fatalf("%d frames, %v", len(got), err)
	}
	if l.Removed() {
		t.Fatal("it is there")
	}
	must(t, os.Remove(path))
	if !l.Removed() {
		t.Fatal("it is not there")
	}
	if must(t, Create(path, size)); !l.Removed() {
		t.Fatal("another file of this name is not it")
	}
	if _, _, err = Read(path+"-not", lap); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

// TestStrangeFiles: what is no file of frames has none, and can be cleared; what can't be one is damaged.
func TestStrangeFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ahead")
	for name, b := range map[string][]byte{"empty": nil, "short": []byte(magic), "text": bytes.Repeat([]byte(magic+" no frame. "), 90)} {
		must(t, os.WriteFile(path, b, 0o600))
		l, got, err := Read(path, Lap{})
		if err != nil || len(got) > 0 {
			t.Fatalf("%s: %q, %v", name, got, err)
		}
		must(t, l.Clear())
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, make([]byte, len(b))) {
			t.Errorf("%s: after Clear %q, %v", name, after, err)
		}
	}
	must(t, os.Truncate(path, maxSize+1))
	for _, path := range []string{path, filepath.Dir(path)} {
		if _, _, err := Read(path, Lap{}); !errors.Is(err, durable.ErrDamaged) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestNote: a note is the last frame until another takes its place. A power cut that spoils it before the next frame is
// synced, which stands there too, is no damage.
func TestNote(t *testing.T) {
	lap := NewLap()
	path := fileOf(t, lap, []byte("first"))
	l, _, err := Read(path, lap)
	must(t, err)
	for _, step := range []struct {
		do   func([]byte) error
		say  string
		want [][]byte
	}{
		{l.Note, "a note", [][]byte{[]byte("first"), []byte("a note")}},
		{l.Note, "a longer note", [][]byte{[]byte("first"), []byte("a longer note")}},
		{l.Append, "second", [][]byte{[]byte("first"), []byte("second")}},
		{l.Note, "a note", [][]byte{[]byte("first"), []byte("second"), []byte("a note")}},
	} {
		must(t, step.do([]byte(step.say)))
		if _, got, err := Read(path, lap); err != nil || !same(got, step.want) {
			t.Fatalf("after %q: %q, %v", step.say, got, err)
		}
	}
	must(t, l.Append([]byte("third")))
	if err := l.Note(make([]byte, size)); !errors.Is(err, ErrFull) {
		t.Errorf("a note that has no space: %v", err)
	}
}

// TestClear: nothing of any lap is left, and the file is as long as before. A lap that has no frame yet goes on.
func TestClear(t *testing.T) {
	lap := NewLap()
	path := fileOf(t, NewLap(), three...)
	l, _, err := Read(path, lap)
	must(t, err)
	for range 2 {
		must(t, l.Clear())
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, make([]byte, size)) {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
	}
	must(t, l.Append(three[0]))
	if _, got, err := Read(path, lap); err != nil || !same(got, three[:1]) {
		t.Fatalf("%q, %v", got, err)
	}
	must(t, l.Note(three[1]))
	must(t, l.Clear())
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, make([]byte, size)) {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	must(t, l.Append(three[0]))
	if _, got, err := Read(path, lap); err != nil || len(got) > 0 {
		t.Fatalf("of the lap before: %q, %v", got, err)
	}
}

// FuzzRead: no content makes it panic, what decodes encodes to the same bytes, and what is read can be appended to.
func FuzzRead(f *testing.F) {
	lap := Lap{1}
	b, err := os.ReadFile(fileOf(f, lap, three...))
	must(f, err)
	f.Add(b)
	f.Add(b[:70])
	f.Add(b[sizeOf(len(three[0])):])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, ok := decode(b); ok {
			again, err := (&Log{lap: d.lap, last: d.before, size: len(b)}).next(d.payload)
			if err != nil || !bytes.Equal(again, b[:d.size]) {
				t.Fatalf("it does not encode to the same bytes: %v", err)
			}
		}
		for _, lap := range []Lap{lap, {}} {
			l := &Log{lap: lap, size: len(b)}
			got, err := l.parse(b)
			if err != nil && (!errors.Is(err, durable.ErrDamaged) || len(got) == 0) {
				t.Fatal(err)
			}
			if err != nil || !l.Fits(3) {
				continue
			}
			next, err := l.next([]byte("new"))
			must(t, err)
			b := bytes.Clone(b)
			copy(b[l.end:], next)
			if again, err := (&Log{lap: l.lap, size: len(b)}).parse(b); err != nil || !same(again, append(got, []byte("new"))) {
				t.Fatalf("%d frames, then %d, %v", len(got), len(again), err)
			}
		}
	})
}
