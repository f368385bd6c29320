package ahead

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gatehouse/internal/durable"
)

func some(names ...string) (stored [][]byte) {
	for _, name := range names {
		stored = append(stored, []byte(name))
	}
	return stored
}

// made returns a new file of a size and its path.
func made(t *testing.T, size int) (*File, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ahead")
	if err := Create(path, size); err != nil {
		t.Fatal(err)
	}
	f, frames, err := Open(path)
	if err != nil || len(frames) > 0 {
		t.Fatalf("a new file: %v, %v", frames, err)
	}
	t.Cleanup(f.Close)
	return f, path
}

func add(t *testing.T, f *File, list ...Frame) {
	t.Helper()
	for _, frame := range list {
		if err := f.Append(frame.Epoch, frame.First, frame.Stored); err != nil {
			t.Fatal(err)
		}
	}
}

func three() []Frame {
	return []Frame{{7, 100, some("one")}, {7, 101, some("two", "", strings.Repeat("three", 40))}, {7, 104, some("four")}}
}

func same(a, b []Frame) bool { return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b) }

func TestAppendOpenClear(t *testing.T) {
	f, path := made(t, 1024)
	for range 3 {
		add(t, f, three()...)
		if got, err := Read(path); err != nil || !same(got, three()) {
			t.Fatalf("read %v, %v", got, err)
		}
		again, got, err := Open(path)
		if err != nil || !same(got, three()) {
			t.Fatalf("opened with %v, %v", got, err)
		}
		if err := again.Append(7, 105, some("five")); !errors.Is(err, errNotCleared) {
			t.Fatalf("appended behind what was found: %v", err)
		}
		again.Close()
		if err := f.Clear(); err != nil || f.Used() != 0 {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, make([]byte, 1024)) {
			t.Fatalf("after Clear %d bytes are not zero, %v", used(b), err)
		}
	}
	again, _, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	add(t, again, three()...)
}

// The last byte of a file that is used is the last of a sum, and may be zero.
func TestSumThatEndsWithZero(t *testing.T) {
	for i := range uint64(20_000) {
		b := appendFrame(nil, 1, sum{}, Frame{7, i, some("a")})
		if b[len(b)-1] != 0 || b[len(b)-2] != 0 && i < 10_000 {
			continue
		}
		path := filepath.Join(t.TempDir(), "ahead")
		if err := os.WriteFile(path, append(b, make([]byte, 200)...), 0o600); err != nil {
			t.Fatal(err)
		}
		f, opened, err := Open(path)
		if err != nil || len(opened) != 1 {
			t.Fatalf("opened with %v, %v", opened, err)
		}
		f.Close()
		if got, err := Read(path); err != nil || len(got) != 1 {
			t.Fatalf("read %v, %v", got, err)
		}
		return
	}
	t.Fatal("no such frame")
}

func TestFull(t *testing.T) {
	f, path := made(t, 256)
	add(t, f, Frame{1, 0, some("a")}, Frame{1, 1, some("b")}, Frame{1, 2, some("c")})
	if err := f.Append(1, 3, some("d")); !errors.Is(err, ErrFull) || f.Fits(some("d")) {
		t.Fatalf("a fourth frame of 80 bytes in 256: %v", err)
	}
	if got, err := Read(path); err != nil || len(got) != 3 || f.Used() != 240 {
		t.Fatalf("%d frames in %d bytes, %v", len(got), f.Used(), err)
	}
	if err := f.Clear(); err != nil {
		t.Fatal(err)
	}
	add(t, f, Frame{1, 3, some("d")})
}

func TestCreate(t *testing.T) {
	_, path := made(t, 512)
	if err := Create(path, 512); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made over another: %v", err)
	}
	if err := Create(filepath.Join(path, "below"), 512); err == nil {
		t.Error("made below a file")
	}
}

func TestRemoved(t *testing.T) {
	f, path := made(t, 512)
	if f.Removed() {
		t.Fatal("it is there")
	}
	if err := os.Remove(path); err != nil || !f.Removed() {
		t.Fatalf("removed, and not noticed: %v", err)
	}
	if err := Create(path, 512); err != nil || !f.Removed() {
		t.Fatalf("another file of this name is not it: %v", err)
	}
}

// A write that fails leaves in doubt what is there: nothing goes behind it.
func TestFailedWrite(t *testing.T) {
	f, path := made(t, 512)
	add(t, f, Frame{1, 0, some("a")})
	f.file.Close()
	if err := f.Append(1, 1, some("b")); err == nil {
		t.Fatal("written to a closed file")
	}
	var err error
	if f.file, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Append(1, 1, some("b")); !errors.Is(err, errNotCleared) {
		t.Fatalf("after a failed write: %v", err)
	}
	if err := f.Clear(); err != nil {
		t.Fatal(err)
	}
	add(t, f, Frame{1, 1, some("b")})
}

// whole returns the bytes of a file with three frames, and where each begins.
func whole(t *testing.T) (b []byte, at []int) {
	t.Helper()
	f, path := made(t, 1024)
	for _, frame := range three() {
		at = append(at, f.Used())
		add(t, f, frame)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b, append(at, f.Used())
}

// prefixOrDamage: what is left of the three frames is the first of them, or damage is told. Damage
// shows good frames only, each once.
func prefixOrDamage(t *testing.T, what string, at int, b []byte) {
	t.Helper()
	got, err := parse(b)
	if err == nil && !same(got, three()[:len(got)]) || err != nil && !errors.Is(err, durable.ErrDamaged) {
		t.Fatalf("%s at %d: %v, %v", what, at, got, err)
	}
	next := uint64(0)
	for _, frame := range got {
		i := map[uint64]int{100: 0, 101: 1, 104: 2}[frame.First]
		if frame.First < next || !reflect.DeepEqual(frame, three()[i]) {
			t.Fatalf("%s at %d: a frame %v", what, at, frame)
		}
		next = frame.End()
	}
}

func TestEachTruncation(t *testing.T) {
	b, at := whole(t)
	for n := range len(b) {
		prefixOrDamage(t, "cut", n, b[:n])
		if got, err := parse(b[:n]); err != nil || n >= at[3] && len(got) != 3 {
			t.Fatalf("cut at %d: %d frames, %v", n, len(got), err)
		}
	}
}

func TestEachBit(t *testing.T) {
	b, at := whole(t)
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			prefixOrDamage(t, "flipped", i, b)
			got, err := parse(b)
			switch { // only the last frame can be taken for torn
			case i < at[2] && (err == nil || len(got) != 2),
				i >= at[2] && i < at[3] && (err != nil || len(got) != 2),
				i >= at[3] && (err != nil || len(got) != 3):
				t.Fatalf("bit %d of byte %d: %d frames, %v", bit, i, len(got), err)
			}
			b[i] ^= 1 << bit
		}
	}
}

// Frames of an earlier lap, which a card that lies about its sync may leave behind those of this
// one, count for nothing.
func TestEarlierLap(t *testing.T) {
	var b []byte
	for _, frame := range three() {
		b = appendFrame(b, 1, sum{}, frame)
	}
	now := appendFrame(nil, 2, sum{}, Frame{7, 105, some("one")})
	copy(b, now)
	if got, err := parse(b); err != nil || len(got) != 1 || got[0].First != 105 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := parse(b[80:]); !errors.Is(err, durable.ErrDamaged) {
		t.Errorf("without a first frame: %v, want damage", err)
	}
}

// A good frame in another's place breaks the chain: each has the sum of the one before.
func TestFrameInAnothersPlace(t *testing.T) {
	var b []byte
	var before sum
	for i := range uint64(3) {
		b = appendFrame(b, 1, before, Frame{7, i, some("a")})
		before = sum(b[len(b)-sumSize:])
	}
	copy(b[80:160], b[160:])
	if got, err := parse(b); !errors.Is(err, durable.ErrDamaged) || got[0].First != 0 {
		t.Errorf("%v, %v; want damage", got, err)
	}
}

func TestStrangeFiles(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for name, b := range map[string][]byte{"empty": nil, "short": []byte("GHWA"), "text": bytes.Repeat([]byte("GHWA no frame. "), 90)} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		f, got, err := Open(path)
		if err != nil || len(got) > 0 {
			t.Fatalf("%s: %v, %v", name, got, err)
		}
		if err := f.Clear(); err != nil || f.Fits(some(strings.Repeat("a", 1400))) {
			t.Errorf("%s: clear: %v", name, err)
		}
		f.Close()
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, make([]byte, len(b))) {
			t.Errorf("%s: after Clear %q, %v", name, after, err)
		}
	}
	huge := filepath.Join(dir, "huge")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, maxSize+1); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(huge); !errors.Is(err, durable.ErrDamaged) {
		t.Errorf("a huge file: %v", err)
	}
	if _, _, err := Open(dir); err == nil {
		t.Error("opened a directory")
	}
}

// The bytes of a frame, as docs/journal.md has them.
func TestGoldenFrame(t *testing.T) {
	got := hex.EncodeToString(appendFrame(nil, 0x1111111111111111, sum{}, Frame{0x2222222222222222, 300, some("entry")}))
	const want = "47485741" + "00000009" + "1111111111111111" + "2222222222222222" + "000000000000012c" + "00000001" +
		"00000000000000000000000000000000" + "00000005" + "656e747279" + "000000" + "X"
	if !strings.HasPrefix(got, strings.TrimSuffix(want, "X")) || len(got) != 160 {
		t.Errorf("%s", got)
	}
}

// What decodes encodes to the same bytes, and no bytes make the reader fall over.
func FuzzParse(f *testing.F) {
	var b []byte
	var before sum
	for _, frame := range three() {
		at := len(b)
		b = appendFrame(b, 9, before, frame)
		before = sum(b[len(b)-sumSize:])
		f.Add(bytes.Clone(b[at:]))
	}
	f.Add(b)
	f.Add(b[80:])
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, ok := decode(b); ok && !bytes.Equal(appendFrame(nil, p.lap, p.before, p.Frame), b[:p.size]) {
			t.Fatal("it does not encode to the same bytes")
		}
		frames, err := parse(b)
		size := 0
		for _, frame := range frames {
			size += frameSize(frame.Stored)
		}
		if size > len(b) || err != nil && (len(frames) == 0 || !errors.Is(err, durable.ErrDamaged)) {
			t.Fatalf("%d bytes of frames in %d, %v", size, len(b), err)
		}
	})
}
