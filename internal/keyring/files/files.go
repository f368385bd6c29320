// Package files has the directory of a keyring: its small files, each rewritten whole,
// and what was damaged in it and put aside.
package files

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/rs/zerolog"

	"gatehouse/internal/durable"
)

// Dir is the directory. It is safe for concurrent use, except for setting Written.
type Dir struct {
	Path string
	Log  zerolog.Logger
	// Written, if it is not nil, is called after each atomic write, so that a test can see what a
	// power cut there leaves. It is set before anything is written.
	Written func()

	mu    sync.Mutex
	aside []string
}

// Join returns the path of a file.
func (d *Dir) Join(name string) string { return filepath.Join(d.Path, name) }

// Read reads JSON into v. A damaged file is put aside and, like a missing one, counts as empty.
func (d *Dir) Read(name string, v any) {
	if data, ok := d.load(name); ok && json.Unmarshal(data, v) != nil {
		d.PutAside(d.Join(name))
	}
}

// load returns the content of a file; false if it is missing or can't be read.
func (d *Dir) load(name string) ([]byte, bool) {
	data, err := os.ReadFile(d.Join(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.Log.Error().Err(err).Msg("file beside the grants can't be read")
	}
	return data, err == nil
}

// Save writes v as JSON, durably.
func (d *Dir) Save(name string, v any) error {
	defer d.DidWrite()
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return durable.WriteFile(d.Join(name), data, 0o600)
}

// DidWrite calls Written after a write that Save does not do.
func (d *Dir) DidWrite() {
	if d.Written != nil {
		d.Written()
	}
}

// PutAside puts a damaged file aside, under a name of its own in the same directory.
func (d *Dir) PutAside(path string) {
	name, err := durable.SetAside(path)
	if err != nil {
		d.Log.Error().Err(err).Msg("damaged file can't be set aside")
		return
	}
	d.note(filepath.Base(name))
	d.Log.Error().Str("file", name).Msg("damaged file was set aside")
}

func (d *Dir) note(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.aside = append(d.aside, name)
}

// Aside returns the names of the files that were put aside.
func (d *Dir) Aside() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.aside)
}

// WriteSummed writes a file with a line that has the SHA-256 of the body in hex, then the body,
// durably.
func WriteSummed(path string, body []byte) error {
	return durable.WriteFile(path, Summed(body), 0o600)
}

// Summed returns what WriteSummed writes.
func Summed(body []byte) []byte {
	sum := sha256.Sum256(body)
	return slices.Concat(hex.AppendEncode(nil, sum[:]), []byte{'\n'}, body)
}

// ReadSummed returns the body of a file of WriteSummed; durable.ErrDamaged: it is not what was
// written.
func ReadSummed(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	first, body, _ := bytes.Cut(data, []byte{'\n'})
	if sum := sha256.Sum256(body); string(first) != hex.EncodeToString(sum[:]) {
		return nil, fmt.Errorf("read %s: %w: not what was written", path, durable.ErrDamaged)
	}
	return body, nil
}

// WriteRow writes v as JSON with WriteSummed.
func WriteRow(path string, v any) error {
	row, err := Row(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return durable.WriteFile(path, row, 0o600)
}

// Row returns what WriteRow writes.
func Row(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return Summed(body), nil
}

// ReadRow reads a file of WriteRow into v; durable.ErrDamaged: it is not what was written.
func ReadRow(path string, v any) error {
	body, err := ReadSummed(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("read %s: %w: %w", path, durable.ErrDamaged, err)
	}
	return nil
}
