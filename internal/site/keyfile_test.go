package site

import (
	"os"
	"path/filepath"
	"testing"

	"gatehouse/device/osdp"
	"gatehouse/device/osdp/protocol"
)

// TestKeyFileCutShort: a key that the reader has, and that stands in the second
// file alone because the first could not be written, is not given up for the next
// one before the first file has it.
func TestKeyFileCutShort(t *testing.T) {
	k := KeyFile{filepath.Join(t.TempDir(), "readers", "in.key")}
	has, next := protocol.NewKey(), protocol.NewKey()
	if err := k.Save(osdp.Keys{Next: &has}); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(k.path, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := k.Save(osdp.Keys{Current: &has, Next: &next}); err == nil {
		t.Fatal("a key was saved where none can be")
	}
	got, err := readKey(k.files()[1])
	if err != nil || got == nil || *got != has {
		t.Errorf("the key that the reader has is lost (%v)", err)
	}
	if err := os.RemoveAll(k.path); err != nil {
		t.Fatal(err)
	}
	if err := k.Save(osdp.Keys{Current: &has, Next: &next}); err != nil {
		t.Fatal(err)
	}
	if keys, err := k.Load(); err != nil || *keys.Current != has || *keys.Next != next {
		t.Errorf("read back: %v", err)
	}
}
