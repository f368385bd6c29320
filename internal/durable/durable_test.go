package durable

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestGuardPassesErrors(t *testing.T) {
	want := errors.New("mine")
	if err := Guard("x", func() error { return want }); err != want {
		t.Fatalf("Guard: %v, want the same error", err)
	}
	if err := Guard("x", func() error { panic("page 4") }); !errors.Is(err, ErrDamaged) {
		t.Fatalf("Guard of a panic: %v", err)
	}
}

func TestWriteFile(t *testing.T) {
	for name, write := range map[string]func(string, []byte, os.FileMode) error{"alone": WriteFile, "one of many": WriteOneOf} {
		path := filepath.Join(t.TempDir(), "f")
		for _, data := range []string{"one, which is longer", "two", ""} {
			if err := write(path, []byte(data), 0o600); err != nil {
				t.Fatal(name, err)
			}
			got, err := os.ReadFile(path)
			if err != nil || string(got) != data {
				t.Fatalf("%s: read %q, %v; want %q", name, got, err, data)
			}
		}
		if err := write(filepath.Join(path, "below a file"), nil, 0o600); err == nil {
			t.Fatal(name, "writing below a file gave no error")
		}
		dir := t.TempDir()
		if err := write(dir, []byte("secret"), 0o600); err == nil {
			t.Fatal(name, "writing over a directory gave no error")
		}
		if _, err := os.Stat(dir + newSuffix); err == nil {
			t.Error(name, "what could not be written was left beside the directory")
		}
	}
}

func TestMakeDir(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "c")
	for range 2 {
		if err := MakeDir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		t.Fatalf("%v, %v; want a directory", info, err)
	}
	file := filepath.Join(path, "file")
	if err := WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := MakeDir(filepath.Join(file, "below"), 0o700); err == nil {
		t.Fatal("a directory below a file gave no error")
	}
}

func TestCanCreate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := CanCreate(path); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
	if err := CanCreate(filepath.Join(dir, "none", "f")); err == nil || err.Error() != "no such file or directory" {
		t.Errorf("no directory: %v", err)
	}
	if err := WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := CanCreate(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("a file that is there: %v", err)
	}
}
