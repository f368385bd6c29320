package keeper

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"gatehouse/device/osdp"
	"gatehouse/internal/backup"
	"gatehouse/internal/keyring"
	"gatehouse/internal/site"
)

// tries is how often the content is read again because it changed while it was read.
const tries = 5

// gather reads the content of a backup. The list and the files beside it are of the same moment:
// changes on top of one list must not be combined with the next list.
func gather(s *site.Site, ring *keyring.Keyring) (c backup.Content, err error) {
	c.Site = site.Text(s)
	if c.Keys, err = readAll(s.Path("keys"), backup.KeyFiles); err != nil {
		return c, err
	}
	if c.Profiles, err = profiles(s.Profiles); err != nil {
		return c, err
	}
	if c.Readers, err = readerKeys(s); err != nil {
		return c, err
	}
	if c.Clock, err = os.ReadFile(s.Path(backup.ClockFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("put a backup together: %w", err)
	}
	for range tries {
		if c.Grants, err = readAll(s.Path("grants"), backup.GrantFiles); err != nil {
			return c, err
		}
		if c.Records, err = records(s.Path("grants", backup.RecordsDir)); err != nil {
			return c, err
		}
		held, err := ring.Holding()
		if err != nil {
			return c, fmt.Errorf("put a backup together: %w", err)
		}
		c.Manifest, c.Second, c.Buckets, c.Over = held.Manifest, held.Second, held.Buckets, held.Over
		again, err := readAll(s.Path("grants"), backup.GrantFiles)
		if err == nil && maps.EqualFunc(again, c.Grants, bytes.Equal) {
			return c, nil
		}
	}
	return c, errors.New("put a backup together: the grants change all the time")
}

// readAll reads the files that exist.
func readAll(dir string, names []string) (map[string][]byte, error) {
	all := map[string][]byte{}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("put a backup together: %w", err)
		}
		all[name] = data
	}
	return all, nil
}

// records reads the pending tenancy records, without the sealed persons: these go only to the
// registry.
func records(dir string) (map[string][]byte, error) {
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("put a backup together: %w", err)
	}
	var names []string
	for _, f := range list {
		if backup.IsRecord(f.Name()) {
			names = append(names, f.Name())
		}
	}
	return readAll(dir, names) // one that a list has meanwhile is left out
}

// profiles reads the house's own profiles.
func profiles(dir string) (p backup.Profiles, err error) {
	var names []string
	for _, kind := range []string{"boards", "readers"} {
		list, err := os.ReadDir(filepath.Join(dir, kind))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return p, fmt.Errorf("put a backup together: %w", err)
		}
		for _, f := range list {
			if name := kind + "/" + f.Name(); backup.IsProfile(name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return p, nil
	}
	files, err := readAll(dir, names)
	return backup.Profiles{Dir: dir, Files: files}, err
}

// readerKeys returns the secure channel keys of OSDP readers, by "door/reader".
func readerKeys(s *site.Site) (map[string][]byte, error) {
	all := map[string][]byte{}
	for i := range s.Doors {
		for j := range s.Doors[i].Readers {
			r := &s.Doors[i].Readers[j]
			if r.Type != site.TypeOSDP {
				continue
			}
			found, err := s.KeyFile(s.Doors[i].ID, r).Load()
			if err != nil {
				return nil, fmt.Errorf("put a backup together: %w", err)
			}
			if key := current(found); key != nil {
				all[r.Name(s.Doors[i].ID)] = key
			}
		}
	}
	return all, nil
}

// current returns a reader's key in hex; the one that is being given to the reader, if it has no
// other.
func current(k osdp.Keys) []byte {
	switch {
	case k.Current != nil:
		return fmt.Appendf(nil, "%x\n", k.Current[:])
	case k.Next != nil:
		return fmt.Appendf(nil, "%x\n", k.Next[:])
	}
	return nil
}
