// Package restore writes a backup to the machine that takes the place of a gateway: everything is
// prepared in a directory of its own and proved by opening it, then each part is moved to its
// place, the site file last. After an interruption the same call continues.
package restore

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/backup"
	"gatehouse/internal/backup/recovery"
	"gatehouse/internal/durable"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/internal/site"
	"gatehouse/sync/wire"
)

// Backup is an opened backup.
type Backup struct {
	backup.Header
	Content backup.Content
	Key     *backup.Key
}

// Open opens the bytes of a backup with its recovery code. Errors are those of backup.Decode and
// File.OpenByCode.
func Open(data []byte, c recovery.Code) (b Backup, err error) {
	f, err := backup.Decode(data)
	if err != nil {
		return b, err
	}
	b.Header = f.Header
	if b.Content, b.Key, err = f.OpenByCode(c); err != nil {
		return b, fmt.Errorf("backup of gateway %s/%s: %w", f.Building, f.Gateway, err)
	}
	return b, nil
}

// Result is what a backup brings back.
type Result struct {
	Building  string    `json:"building"`
	Gateway   string    `json:"gateway"`
	Made      time.Time `json:"made"`
	Registry  string    `json:"registry"`  // its id; "none"
	List      uint64    `json:"list"`      // version; 0: none
	Tenancies int       `json:"tenancies"` // with cards that open; in a standalone house: grants
	Doors     []string  `json:"doors"`
	Readers   int       `json:"readers"` // with keys in the backup
	KeptSite  bool      `json:"kept_site"`
	Config    string    `json:"config,omitempty"` // the site file
}

// Dry writes a backup to an empty directory, as Restore does to the state directory, and returns
// what it would bring back. The directory can be deleted afterwards.
func Dry(dir string, b Backup) (Result, error) {
	s, err := b.site()
	if err != nil {
		return Result{}, err
	}
	return stager{dir: dir, b: b, site: s, step: func() {}}.put()
}

// site parses the site file of the backup.
func (b Backup) site() (*site.Site, error) {
	s, err := site.Parse(b.Content.Site)
	if err != nil {
		return nil, fmt.Errorf("%w: its site file: %w", backup.ErrDamaged, err)
	}
	if s.Building != b.Building || s.Gateway != b.Gateway {
		return nil, fmt.Errorf("%w: its site file is of %s/%s", backup.ErrDamaged, s.Building, s.Gateway)
	}
	return s, nil
}

// stager writes a backup to a directory of its own.
type stager struct {
	dir  string
	b    Backup
	site *site.Site
	step func() // called before each write
}

func (s stager) write(data []byte, elem ...string) error {
	s.step()
	path := filepath.Join(append([]string{s.dir}, elem...)...)
	if err := durable.MakeDir(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return durable.WriteFile(path, data, 0o600)
}

// put writes everything, and proves it by opening it as the daemon would.
func (s stager) put() (r Result, err error) {
	for _, part := range []func() error{s.keys, s.readers, s.clock, s.grants} {
		if err := part(); err != nil {
			return r, fmt.Errorf("put the backup down: %w", err)
		}
	}
	return s.prove()
}

func (s stager) keys() error {
	for name, data := range s.b.Content.Keys {
		if !slices.Contains(backup.KeyFiles, name) {
			return fmt.Errorf("%w: it has a key that no backup has", backup.ErrDamaged)
		}
		if err := s.write(data, "keys", name); err != nil {
			return err
		}
	}
	s.step()
	_, own, err := ed25519.GenerateKey(rand.Reader) // the new machine's own, for its own journal
	if err != nil {
		return err
	}
	if err := durable.MakeDir(filepath.Join(s.dir, "keys"), 0o700); err != nil {
		return err
	}
	return errors.Join(keys.SavePrivateKey(filepath.Join(s.dir, "keys", keys.GatewayKeyFile), own), s.b.Key.Save(filepath.Join(s.dir, "keys", backup.KeyFile)))
}

// readers writes the keys of readers: a paired reader answers only to its key.
func (s stager) readers() error {
	for name, key := range s.b.Content.Readers {
		file, found := keyFileOf(s.site, name)
		if !found {
			return fmt.Errorf("%w: it has the key of a reader that there is not", backup.ErrDamaged)
		}
		if filepath.Dir(file) != s.site.Path("readers") { // the site file names another place
			continue
		}
		if err := s.write(key, "readers", filepath.Base(file)); err != nil {
			return err
		}
	}
	return nil
}

func (s stager) clock() error {
	if len(s.b.Content.Clock) == 0 {
		return nil
	}
	return s.write(s.b.Content.Clock, backup.ClockFile)
}

// grants writes the files beside the list, and the list with the keyring, which verifies it.
func (s stager) grants() error {
	c := s.b.Content
	for name, data := range c.Grants {
		if !slices.Contains(backup.GrantFiles, name) {
			return fmt.Errorf("%w: it has a file beside the grants that no backup has", backup.ErrDamaged)
		}
		if name == backup.LimitsFile {
			continue
		}
		if err := s.write(data, "grants", name); err != nil {
			return err
		}
	}
	for name, data := range c.Records {
		if !backup.IsRecord(name) {
			return fmt.Errorf("%w: it has a record that no backup has", backup.ErrDamaged)
		}
		if err := s.write(data, "grants", backup.RecordsDir, name); err != nil {
			return err
		}
	}
	if err := s.list(); err != nil {
		return err
	}
	if limits, has := c.Grants[backup.LimitsFile]; has {
		return s.write(limits, "grants", backup.LimitsFile)
	}
	return nil
}

func (s stager) list() error {
	if len(s.b.Content.Manifest) == 0 {
		return nil
	}
	s.step()
	ring, err := s.ring()
	if err != nil {
		return err
	}
	c := s.b.Content
	return errors.Join(ring.Inherit(keyring.Holding{Manifest: c.Manifest, Second: c.Second, Buckets: c.Buckets, Over: c.Over}), ring.Close())
}

// ring opens the keyring on what was written.
func (s stager) ring() (*keyring.Keyring, error) {
	loaded, err := keys.LoadKeys(filepath.Join(s.dir, "keys"))
	if loaded.Building == nil || loaded.Gateway == nil || loaded.Registry == nil && len(loaded.Issuers) == 0 || loaded.Registry != nil && loaded.Registry.Trust.Version == 0 {
		return nil, fmt.Errorf("%w: its keys are not whole: %w", backup.ErrDamaged, err)
	}
	ring, err := keyring.Open(keyring.Options{Dir: filepath.Join(s.dir, "grants"), Building: s.b.Building, Keys: loaded, Log: zerolog.Nop()})
	if err != nil {
		return nil, err
	}
	return ring, nil
}

// prove opens what was written, and counts what it opens.
func (s stager) prove() (r Result, err error) {
	s.step()
	ring, err := s.ring()
	if err != nil {
		return r, err
	}
	r = Result{Building: s.b.Building, Gateway: s.b.Gateway, Made: s.b.Made.In(s.site.Zone()), Registry: site.NoRegistry, Doors: s.site.DoorIDs(), Readers: len(s.b.Content.Readers)}
	if reg := ring.Keys.Registry(); reg != nil {
		r.Registry = reg.Name
	}
	status := ring.Status()
	rows, _ := ring.Rows()
	tenancies := map[wire.ID]bool{}
	for _, g := range rows {
		if g.State == wire.GrantActive {
			tenancies[g.Tenancy] = true
		}
	}
	r.List, r.Tenancies = status.Version, len(tenancies)
	if err := ring.Close(); err != nil {
		return r, err
	}
	if len(s.b.Content.Manifest) > 0 && (status.Version == 0 || len(status.Files.Aside) > 0) {
		return r, fmt.Errorf("%w: its list of grants can't be used", backup.ErrDamaged)
	}
	return r, nil
}

// keyFileOf returns the path of the key of a reader ("door/reader").
func keyFileOf(s *site.Site, name string) (path string, found bool) {
	for i := range s.Doors {
		for j := range s.Doors[i].Readers {
			if r := &s.Doors[i].Readers[j]; r.Name(s.Doors[i].ID) == name {
				return s.KeyFile(s.Doors[i].ID, r).Path(), true
			}
		}
	}
	return "", false
}

// exists reports whether there is something at a path.
func exists(elem ...string) bool {
	_, err := os.Lstat(filepath.Join(elem...))
	return !errors.Is(err, fs.ErrNotExist)
}
