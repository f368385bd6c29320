package ceremony

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/sync/wire"
)

// Names on a stick.
const (
	fileLabel  = "gatehouse-stick.json" // which of the sticks it is
	FileCopy   = "registry.sealed"      // in the set: the keys of front and issuer, sealed to the escrow key
	FileRecord = "ceremony.txt"         // the record, in the set and in the registry's directory

	unfinished = ".new" // suffix of a directory that nobody may use yet
)

// Label is fileLabel. Everything else on the sticks of a registry is the same.
type Label struct {
	Registry string    `json:"registry"`
	Root     string    `json:"root"` // hex, start of the SHA-256 of the root's public key
	Stick    int       `json:"stick"`
	Of       int       `json:"of"`
	Trial    bool      `json:"trial,omitempty"`
	Made     time.Time `json:"made"`
}

// stick is where a stick is mounted.
type stick string

func (s stick) set() string    { return filepath.Join(string(s), authority.DirOffline) }
func (s stick) draft() string  { return s.set() + unfinished }
func (s stick) whole() bool    { return exists(s.set()) }
func (s stick) drafted() bool  { return exists(s.draft()) }
func (s stick) String() string { return string(s) }

// current is the directory of the set, finished or not.
func (s stick) current() string {
	if s.whole() {
		return s.set()
	}
	return s.draft()
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func (s stick) label() (l Label, err error) {
	b, err := os.ReadFile(filepath.Join(string(s), fileLabel))
	if err == nil {
		err = json.Unmarshal(b, &l)
	}
	if err != nil {
		return l, api.Hinted("put a stick of the ceremony in, mounted there", "%s is no stick of a key ceremony: %v", s, err)
	}
	return l, nil
}

func (s stick) setLabel(l Label) error {
	b, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(string(s), fileLabel), append(b, '\n'), 0o600)
}

// idOf is the id of the root in a directory, as labels have it.
func idOf(dir string) (string, error) {
	root, err := keys.LoadRoot(filepath.Join(dir, api.FileRoot))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", wire.IDOf(root)), nil
}

// trustOf opens the trust document of a set by the root's public key beside it.
func trustOf(set string) (envelope []byte, t wire.Trust, err error) {
	root, err := keys.LoadRoot(filepath.Join(set, api.FileRoot))
	if err != nil {
		return nil, t, err
	}
	if envelope, err = os.ReadFile(filepath.Join(set, api.FileTrust)); err != nil {
		return nil, t, err
	}
	_, p, _ := wire.Open(envelope, wire.Expect{}, nil) // only to learn the registry's id
	t, err = keys.OpenTrust(envelope, root, p.Address)
	return envelope, t, err
}

// Sums are the SHA-256 of the files of a set, by their names.
type Sums map[string][32]byte

// sumsOf reads the files of a set from the stick itself, as far as the system lets go of
// what it remembers of them.
func sumsOf(dir string) (Sums, error) {
	files, err := readSet(dir)
	if err != nil {
		return nil, err
	}
	sums := Sums{}
	for name, b := range files {
		sums[name] = sha256.Sum256(b)
	}
	return sums, nil
}

// readSet reads the files of a set but its record.
func readSet(dir string) (files map[string][]byte, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files = map[string][]byte{}
	for _, e := range entries {
		if !e.Type().IsRegular() || e.Name() == FileRecord || strings.HasSuffix(e.Name(), ".new") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		forget(path)
		if files[e.Name()], err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func (s Sums) names() []string {
	var names []string
	for n := range s {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// String are the sums as sha256sum --check reads them.
func (s Sums) String() string {
	var b strings.Builder
	for _, n := range s.names() {
		fmt.Fprintf(&b, "%x  %s\n", s[n], n)
	}
	return b.String()
}

// Code is what two papers are compared by: the start of the SHA-256 of all sums.
func (s Sums) Code() string {
	sum := sha256.Sum256([]byte(s.String()))
	text := fmt.Sprintf("%X", sum[:8])
	return text[:4] + " " + text[4:8] + " " + text[8:12] + " " + text[12:]
}

// differ names the files of a record that are not as it says; missing ones too, and those of which
// it does not say anything.
func (s Sums) differ(have Sums) (names []string) {
	for _, n := range s.names() {
		if got, there := have[n]; !there || got != s[n] {
			names = append(names, n)
		}
	}
	for _, n := range have.names() {
		if _, known := s[n]; !known {
			names = append(names, n)
		}
	}
	return names
}

// copyTo writes the set that is in a directory to another stick, unfinished.
func (s stick) copyTo(other stick) error {
	files, err := readSet(s.draft())
	if err != nil {
		return err
	}
	if err := durable.MakeDir(other.draft(), 0o700); err != nil {
		return err
	}
	for name, b := range files {
		if err := durable.WriteFile(filepath.Join(other.draft(), name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// erase removes what an unfinished ceremony has left on the stick.
func (s stick) erase() error {
	err := os.RemoveAll(s.draft())
	if !s.whole() {
		err = errors.Join(err, durable.Remove(filepath.Join(string(s), fileLabel)))
	}
	return err
}

// takes reports whether the stick takes a file: it is written, synced and read back.
func (s stick) takes() error {
	path := filepath.Join(string(s), "gatehouse-room")
	defer os.Remove(path) // best effort: it is a file of one byte repeated
	want := bytes.Repeat([]byte{0x5a}, roomBytes)
	if err := durable.WriteFile(path, want, 0o600); err != nil {
		return err
	}
	forget(path)
	got, err := os.ReadFile(path)
	if err == nil && !bytes.Equal(got, want) {
		err = errors.New("it reads otherwise than it was written")
	}
	return err
}

// roomBytes is what a stick has to have room for: the set is a tenth of it.
const roomBytes = 256 << 10

// explain says of an error what to do about the stick.
func (s stick) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errFull):
		return api.Hinted("take a stick with nothing on it, and begin again", "the stick at %s is full: %v", s, err)
	case errors.Is(err, errReadOnly):
		return api.Hinted("move its switch, or take another one, and begin again", "the stick at %s can't be written: %v", s, err)
	case errors.Is(err, fs.ErrPermission):
		return api.Hinted("run this as root", "the stick at %s: %v", s, err)
	}
	return api.Hinted("take another stick, and begin again", "the stick at %s: %v", s, err)
}
