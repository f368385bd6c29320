package ahead

import (
	"bytes"
	"encoding/hex"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gatehouse/internal/durable"
	"gatehouse/internal/durable/frames"
)

func some(names ...string) (stored [][]byte) {
	for _, name := range names {
		stored = append(stored, []byte(name))
	}
	return stored
}

func three() []Frame {
	return []Frame{{7, 100, some("one")}, {7, 101, some("two", "", strings.Repeat("three", 40))}, {7, 104, some("four")}}
}

// TestRead: what was appended is read, frames of something else are told, and those beside them are there.
func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), Name)
	if err := frames.Create(path, 4096); err != nil {
		t.Fatal(err)
	}
	l, _, err := frames.Read(path, frames.NewLap())
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range three() {
		if err := l.Append(f.Append(nil)); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(path); err != nil || !reflect.DeepEqual(got, three()[:i+1]) || f.End() != f.First+uint64(len(f.Stored)) {
			t.Fatalf("read %v, %v", got, err)
		}
	}
	for _, strange := range [][]byte{nil, []byte("a record of another file"), (Frame{Epoch: 7, First: 105}).Append(nil)} {
		if err := l.Append(strange); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(path); !errors.Is(err, durable.ErrDamaged) || !reflect.DeepEqual(got, three()) {
			t.Fatalf("with %q: %v, %v", strange, got, err)
		}
	}
}

// The bytes of a payload, as docs/journal.md has them.
func TestGoldenFrame(t *testing.T) {
	got := hex.EncodeToString(Frame{0x2222222222222222, 300, some("entry", "")}.Append(nil))
	if want := "2222222222222222" + "000000000000012c" + "00000005" + "656e747279" + "00000000"; got != want {
		t.Error(got)
	}
}

// What decodes encodes to the same bytes, and no bytes make the reader fall over.
func FuzzDecode(f *testing.F) {
	for _, frame := range three() {
		f.Add(frame.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if frame, ok := decode(b); ok && (len(frame.Stored) == 0 || !bytes.Equal(frame.Append(nil), b)) {
			t.Fatal("it does not encode to the same bytes")
		}
	})
}
