package durable

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// fatal is what both testing.T and rapid.T have.
type fatal interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func openSlots(t fatal, path, want string) *Slots {
	t.Helper()
	s, data, err := OpenSlots(path)
	if err != nil || string(data) != want {
		t.Fatalf("the slots have %q, %v; want %q", data, err, want)
	}
	return s
}

func writeSlots(t fatal, s *Slots, data string) {
	t.Helper()
	if err := s.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
}

func TestSlots(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slots")
	s := openSlots(t, path, "")
	long := strings.Repeat("x", SlotMax)
	var first os.FileInfo
	for _, data := range []string{"one", "two", long, "", "five"} {
		writeSlots(t, s, data)
		info, err := os.Stat(path)
		if err != nil || info.Size() != 2*slotBytes || info.Mode().Perm() != 0o600 {
			t.Fatalf("%v, %v; want 8,192 bytes, for the owner alone", info, err)
		}
		if first == nil {
			first = info
		}
		if !os.SameFile(first, info) {
			t.Fatal("another file: it was not written in place")
		}
		s = openSlots(t, path, data)
	}
	if err := s.Write([]byte(long + "x")); err == nil {
		t.Error("more than a slot takes was written")
	}
	openSlots(t, path, "five")
}

// TestSlotsAnew: whatever stands there, the next write makes a good file of it.
func TestSlotsAnew(t *testing.T) {
	for name, c := range map[string]struct {
		spoil   func(path string) error
		damaged bool
		has     string
	}{
		"gone":        {os.Remove, false, ""},
		"empty":       {func(path string) error { return os.Truncate(path, 0) }, true, ""},
		"half a slot": {func(path string) error { return os.Truncate(path, 100) }, true, ""},
		"one slot":    {func(path string) error { return os.Truncate(path, slotBytes) }, false, "two"}, // number 2
		"longer":      {func(path string) error { return os.Truncate(path, 3*slotBytes) }, false, "three"},
		"another's":   {func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("hello\n"), 2000), 0o600) }, true, ""},
		"zeros":       {func(path string) error { return os.WriteFile(path, make([]byte, 2*slotBytes), 0o600) }, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "slots")
			s := openSlots(t, path, "")
			for _, data := range []string{"one", "two", "three"} {
				writeSlots(t, s, data)
			}
			if err := c.spoil(path); err != nil {
				t.Fatal(err)
			}
			again, data, err := OpenSlots(path)
			if string(data) != c.has || errors.Is(err, ErrDamaged) != c.damaged || !c.damaged && err != nil {
				t.Fatalf("%q, %v", data, err)
			}
			writeSlots(t, again, "four")
			openSlots(t, path, "four")
			if info, err := os.Stat(path); err != nil || info.Size() != 2*slotBytes {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
}

// TestSlotsFail: what can't be written is an error, and a disk that is well again is written on.
func TestSlotsFail(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "slots")
	s := openSlots(t, path, "")
	writeSlots(t, s, "one")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Write([]byte("two")); err == nil {
		t.Fatal("written where no directory is")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	writeSlots(t, s, "three")
	openSlots(t, path, "three")
	if _, _, err := OpenSlots(dir); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("a directory was read: %v", err)
	}
}

// TestSlotsTorn: a power cut leaves any sectors of the write that was under way, and the slots then
// have what that write says or what the one before said; they go on from there.
func TestSlotsTorn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slots")
	rapid.Check(t, func(t *rapid.T) {
		if err := Remove(path); err != nil {
			t.Fatal(err)
		}
		s, has := openSlots(t, path, ""), ""
		for range rapid.IntRange(1, 12).Draw(t, "writes") {
			next := rapid.StringN(0, -1, SlotMax).Draw(t, "data")
			before, err := os.ReadFile(path)
			writeSlots(t, s, next)
			if err == nil && rapid.Bool().Draw(t, "power cut") {
				has = tear(t, path, before, has, next)
				s = openSlots(t, path, has)
				continue
			}
			if has = next; rapid.Bool().Draw(t, "restart") {
				s = openSlots(t, path, has)
			}
		}
		openSlots(t, path, has)
	})
}

// tear takes some sectors of a write back, and returns which of the two data is there.
func tear(t *rapid.T, path string, before []byte, has, next string) string {
	const sector = 512
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(after); at += sector {
		if rapid.Bool().Draw(t, "lost") {
			copy(after[at:at+sector], before[at:])
		}
	}
	if err := os.WriteFile(path, after, 0o600); err != nil {
		t.Fatal(err)
	}
	_, data, err := OpenSlots(path)
	if err != nil || string(data) != has && string(data) != next {
		t.Fatalf("after a power cut: %q, %v; want %q or %q", data, err, has, next)
	}
	return string(data)
}

// FuzzSlots: whatever bytes stand in the file, what is read of them was written so, and a slot in
// which a bit changes is never believed.
func FuzzSlots(f *testing.F) {
	one, two := encodeSlot(1, []byte("one")), encodeSlot(2, []byte("two"))
	f.Add(append(bytes.Clone(two), one...), uint(0))
	f.Add(append(make([]byte, slotBytes), one...), uint(8*slotBytes+3))
	f.Add(append(bytes.Clone(one), two...), uint(9000)) // each in the other's place
	f.Add([]byte("acked"), uint(1))
	f.Add([]byte{}, uint(0))
	f.Fuzz(func(t *testing.T, b []byte, bit uint) {
		number, data := newestSlot(b)
		if number == 0 {
			return
		}
		at := int(number%2) * slotBytes
		if !bytes.Equal(b[at:at+slotBytes], encodeSlot(number, data)) {
			t.Fatalf("%q was never written", data)
		}
		b[at+int(bit/8%slotBytes)] ^= 1 << (bit % 8)
		if again, _ := newestSlot(b); again >= number {
			t.Fatal("a bit changed, and the slot counts")
		}
	})
}
