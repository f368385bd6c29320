package site

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gatehouse/device/osdp"
	"gatehouse/device/osdp/protocol"
	"gatehouse/internal/durable"
)

// KeyFile stores the active key (SCBK) of one OSDP reader: one line of 32 hex digits. A key that is
// being given to the reader is in a second file beside it, so that after a crash at any moment the
// key that the reader has is there.
type KeyFile struct{ path string }

// Problem returns why the keys can't be used; nil where there is none yet.
func (k KeyFile) Problem() error {
	keys, err := k.Load()
	if err != nil {
		return err
	}
	for i, key := range []*protocol.Key{keys.Current, keys.Next} {
		if key == nil {
			continue
		}
		if err := key.Weak(); err != nil {
			return fmt.Errorf("reader's key in %s: %w", k.files()[i], err)
		}
	}
	return nil
}

// files returns the paths of the active key and of the next one.
func (k KeyFile) files() [2]string { return [...]string{k.path, k.path + ".next"} }

// Exposed names the files that others can read.
func (k KeyFile) Exposed() (list []string) {
	for _, path := range k.files() {
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
			list = append(list, path)
		}
	}
	return list
}

// Load reads both files; a file that is missing is no key.
func (k KeyFile) Load() (keys osdp.Keys, err error) {
	if keys.Current, err = readKey(k.files()[0]); err == nil {
		keys.Next, err = readKey(k.files()[1])
	}
	return keys, err
}

func readKey(path string) (*protocol.Key, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read reader's key: %w", err)
	}
	var key protocol.Key
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != len(key) {
		return nil, fmt.Errorf("read reader's key from %s: want one line of %d hex digits", path, 2*len(key))
	}
	copy(key[:], raw)
	return &key, nil
}

// Save writes both files, the proved key first: until now it may be only in the second file.
func (k KeyFile) Save(keys osdp.Keys) error {
	for i, key := range []*protocol.Key{keys.Current, keys.Next} {
		if key == nil {
			continue
		}
		if err := writeKey(k.files()[i], key); err != nil {
			return err
		}
	}
	if keys.Next == nil {
		if err := os.Remove(k.files()[1]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove reader's old key: %w", err)
		}
	}
	return nil
}

func writeKey(path string, key *protocol.Key) error {
	if err := durable.MakeDir(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("directory of reader's key: %w", err)
	}
	if err := durable.WriteFile(path, fmt.Appendf(nil, "%x\n", key[:]), 0o600); err != nil {
		return fmt.Errorf("write reader's key: %w", err)
	}
	return nil
}

// Path returns the path of the active key's file.
func (k KeyFile) Path() string { return k.path }
