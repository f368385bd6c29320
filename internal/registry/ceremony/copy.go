package ceremony

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/sync/wire/sealing"
)

// kept are the files of front and issuer that do not change by themselves; their
// databases have backups of their own. Not each is there in each registry.
func kept(directory string) []string {
	both := []string{api.FileRoot, api.FileTrust, api.FileCA}
	if directory == authority.DirFront {
		return append(both, api.FileWitnessKey, api.FileServerKey, api.FileServerCert, api.FileConfig)
	}
	return append(both, authority.FileTrustPlain, authority.FileTrustTwo, authority.FileTrustFour, authority.FilePlace, authority.FileIssuer, authority.FileCAKey, authority.FileDesk)
}

// content is what FileCopy holds: front and issuer, each with its files.
type content map[string]map[string][]byte

// read takes the files of a directory in. One that is elsewhere keeps what is there.
func (c content) read(directory, dir string) error {
	if dir == "" {
		return nil
	}
	files := map[string][]byte{}
	for _, name := range kept(directory) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		switch {
		case err == nil:
			files[name] = b
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("copy keys: %w", err)
		}
	}
	c[directory] = files
	return nil
}

// seal writes the copy into a set, for the escrow key that its trust document names.
func (c content) seal(set string) error {
	_, trust, err := trustOf(set)
	if err != nil {
		return err
	}
	plain, err := json.Marshal(c)
	if err != nil {
		return err
	}
	sealed, err := sealing.Seal(trust.Escrow, sealing.KeysCopy, trust.Registry, plain)
	if err != nil {
		return fmt.Errorf("copy keys: %w", err)
	}
	return durable.WriteFile(filepath.Join(set, FileCopy), sealed, 0o600)
}

// open reads the copy of a set with the escrow key beside it.
func open(set string) (c content, err error) {
	_, trust, err := trustOf(set)
	if err != nil {
		return nil, err
	}
	private, err := keys.LoadSealKey(filepath.Join(set, authority.FileEscrow))
	if err != nil {
		return nil, err
	}
	sealed, err := os.ReadFile(filepath.Join(set, FileCopy))
	if err != nil {
		return nil, err
	}
	plain, err := sealing.Unseal(private, sealing.KeysCopy, trust.Registry, sealed)
	if err == nil {
		err = json.Unmarshal(plain, &c)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(set, FileCopy), err)
	}
	return c, nil
}

// Restore puts the keys of front and issuer back from the set on one stick, into two new
// directories below dir. It overwrites nothing; what an interrupted one left is made anew.
func Restore(from, dir string) error { return restore(stick(from).set(), dir) }

func restore(set, dir string) error {
	c, err := open(set)
	if err != nil {
		return api.Hinted("name a whole stick of the registry's key ceremony; the other one is the same", "restore keys: %v", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return api.Hinted("run this as root, or name a --dir that is yours", "restore keys: %v", err)
	}
	both := []string{authority.DirFront, authority.DirIssuer}
	for _, d := range both {
		if exists(filepath.Join(dir, d)) {
			return api.Hinted("name another --dir; keys are never overwritten", "restore keys: %s is there already", filepath.Join(dir, d))
		}
		if err := c.write(d, filepath.Join(dir, d)+unfinished); err != nil {
			return err
		}
	}
	if _, err := authority.Load(filepath.Join(dir, authority.DirIssuer) + unfinished); err != nil {
		return fmt.Errorf("restore keys: %w", err)
	}
	for _, d := range both {
		if err := durable.Rename(filepath.Join(dir, d)+unfinished, filepath.Join(dir, d)); err != nil {
			return fmt.Errorf("restore keys: %w", err)
		}
	}
	return nil
}

// write makes a directory anew with the files of the copy, no other name.
func (c content) write(directory, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("restore keys: %w", err)
	}
	if err := durable.MakeDir(dir, 0o700); err != nil {
		return fmt.Errorf("restore keys: %w", err)
	}
	for name, b := range c[directory] {
		if !slices.Contains(kept(directory), name) {
			return fmt.Errorf("restore keys: the copy has a file %q, which none of ours has", name)
		}
		if err := durable.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			return fmt.Errorf("restore keys: %w", err)
		}
	}
	return nil
}

// Renew makes the copy in a set anew, after the keys of front or issuer have changed; an
// empty front is elsewhere, and what the copy has of it stays. A set without a copy,
// as registryd init makes it, gets none: renewed is false.
func Renew(set, issuer, front string) (renewed bool, err error) {
	if !exists(filepath.Join(set, FileCopy)) {
		return false, nil
	}
	c, err := open(set)
	if err != nil {
		return false, err
	}
	if err := errors.Join(c.read(authority.DirIssuer, issuer), c.read(authority.DirFront, front)); err != nil {
		return false, err
	}
	return true, c.seal(set)
}
