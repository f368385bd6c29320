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
// gives other frames than a prefix of them: one before the last is damage.
func TestTornAndFlipped(t *testing.T) {
	lap := NewLap()
	path := fileOf(t, lap, three...)
	good, err := os.ReadFile(path)
	must(t, err)
	read := func(b []byte) ([][]byte, error) {
		must(t, os.WriteFile(path, b, 0o600))
		_, got, err := Read(path, lap)
		return got, err
	}
	last := sizeOf(len(three[0])) + sizeOf(len(three[1]))
	end := last + sizeOf(0)
	for i := range end {
		flipped := bytes.Clone(good)
		flipped[i] ^= 1 << (i % 8)
		padding := i >= header+len(three[0])+sumSize && i < sizeOf(len(three[0])) || i >= last-1 && i < last
		got, err := read(flipped)
		switch {
		case padding:
			if err != nil || !same(got, three) {
				t.Fatalf("byte %d of the padding: %d frames, %v", i, len(got), err)
			}
		case i < last && !errors.Is(err, durable.ErrDamaged):
			t.Fatalf("byte %d flipped: %d frames, %v", i, len(got), err)
		case i >= last && (err != nil || !same(got, three[:2])):
			t.Fatalf("byte %d of the last flipped: %d frames, %v", i, len(got), err)
		}
	}
	for i := last; i < end; i++ { // its beginning is on the disk, or its end, and the rest is as before
		begun, ended := bytes.Clone(good), bytes.Clone(good)
		clear(begun[i:])
		clear(ended[last : i+1])
		for _, torn := range [][]byte{begun, ended, good[:i]} {
			if got, err := read(torn); err != nil || !same(got, three[:2]) {
				t.Fatalf("torn at %d: %d frames, %v", i, len(got), err)
			}
		}
	}
	for _, whole := range [][]byte{good, good[:last+header+sumSize], append(bytes.Clone(good[:end]), 1, 2, 3)} {
		if got, err := read(whole); err != nil || !same(got, three) {
			t.Fatalf("as it was: %d frames, %v", len(got), err)
		}
	}
	if got, err := read(good[:last-1]); err != nil || !same(got, three[:2]) { // without its padding
		t.Fatalf("%d frames, %v", len(got), err)
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

// TestNothingAfterAFailure: a failed write leaves it unknown what the file has, so nothing comes behind it.
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
	if _, _, err := Read(path+"-not", lap); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

// TestLapOf: the lap stands in the file; without a first frame it is a new one.
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

func TestLapOf(t *testing.T) {
	lap := NewLap()
	path := fileOf(t, lap, three...)
	if got, err := LapOf(path); err != nil || got != lap {
		t.Fatalf("%x, %v", got, err)
	}
	must(t, os.Truncate(path, 70)) // the first frame has 64
	if got, err := LapOf(path); err != nil || got != lap {
		t.Fatalf("%x, %v", got, err)
	}
	for _, n := range []int64{60, 20, 0} {
		must(t, os.Truncate(path, n))
		if got, err := LapOf(path); err != nil || got == lap || got == (Lap{}) {
			t.Fatalf("%d bytes: %x, %v", n, got, err)
		}
	}
	if _, err := LapOf(path + "-not"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

// TestClear: nothing of any lap is left, and the file is as long as before.
func TestClear(t *testing.T) {
	lap := NewLap()
	path := fileOf(t, lap, three...)
	appendAll(t, path, NewLap(), []byte("new"))
	for range 2 {
		must(t, Clear(path))
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, make([]byte, size)) {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
	}
	if err := Clear(path + "-not"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

// FuzzRead: no content makes it panic, and what is read can be appended to.
func FuzzRead(f *testing.F) {
	lap := Lap{1}
	b, err := os.ReadFile(fileOf(f, lap, three...))
	must(f, err)
	f.Add(b)
	f.Add(b[:70])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "ahead")
		must(t, os.WriteFile(path, b, 0o600))
		l, got, err := Read(path, lap)
		if err != nil {
			if !errors.Is(err, durable.ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if !l.Fits(3) {
			return
		}
		must(t, l.Append([]byte("new")))
		if _, again, err := Read(path, lap); err != nil || !same(again, append(got, []byte("new"))) {
			t.Fatalf("%d frames, then %d, %v", len(got), len(again), err)
		}
	})
}
