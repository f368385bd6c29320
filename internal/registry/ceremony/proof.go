package ceremony

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// prove restores a registry from a set alone, in a directory that is deleted, and uses
// every key of it for what it is there for. It returns what was proved, up to the first that fails.
func prove(set string) (proved []string, err error) {
	temp, err := temporary()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	if set, err = copied(set, temp); err != nil {
		return nil, err
	}
	envelope, trust, err := trustOf(set)
	if err != nil {
		return nil, err
	}
	for _, p := range []struct {
		what string
		do   func() error
	}{
		{"a signature by the restored root verifies, and is the one under the trust document", func() error { return proveRoot(set, envelope, trust) }},
		{"the trust document names the second issuer's key", func() error { return proveSecond(set, trust) }},
		{"what is sealed to the records key opens", func() error { return proveSeal(set, authority.FileRecords, trust.Records, sealing.Person) }},
		{"what is sealed to the escrow key opens", func() error { return proveSeal(set, authority.FileEscrow, trust.Escrow, sealing.BuildingKey) }},
		{"the backup of issuer and front opens, and its keys are those of the trust document", func() error { return restore(set, temp) }},
	} {
		if err := p.do(); err != nil {
			return proved, fmt.Errorf("NOT PROVED: %s: %w", p.what, err)
		}
		proved = append(proved, p.what)
	}
	return proved, nil
}

// copied takes the set off the stick: from here on the stick is not read any more.
func copied(set, temp string) (string, error) {
	files, err := readSet(set)
	if err != nil {
		return "", err
	}
	to := filepath.Join(temp, authority.DirOffline)
	if err := os.Mkdir(to, 0o700); err != nil {
		return "", err
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(to, name), b, 0o600); err != nil {
			return "", err
		}
	}
	return to, nil
}

// temporary is a new directory, in memory where there is such a file system: keys lie in it for a moment.
func temporary() (string, error) {
	if info, err := os.Stat(memory); err == nil && info.IsDir() {
		if dir, err := os.MkdirTemp(memory, "gatehouse-"); err == nil {
			return dir, nil
		}
	}
	return os.MkdirTemp("", "gatehouse-")
}

// proveRoot signs the trust document again: a key that makes the same bytes is the one that signed it.
func proveRoot(set string, envelope []byte, t wire.Trust) error {
	key, err := keys.LoadPrivateKey(filepath.Join(set, authority.FileRootKey))
	if err != nil {
		return err
	}
	again, err := authority.SignTrust(t, key)
	if err != nil {
		return err
	}
	root, err := keys.LoadRoot(filepath.Join(set, api.FileRoot))
	if err != nil {
		return err
	}
	if _, err := keys.OpenTrust(again, root, t.Registry); err != nil {
		return err
	}
	if !bytes.Equal(again, envelope) {
		return errors.New("it is another document than the one on the stick")
	}
	return nil
}

func proveSecond(set string, t wire.Trust) error {
	key, err := keys.LoadPrivateKey(filepath.Join(set, authority.FileSecond))
	if err != nil {
		return err
	}
	for _, k := range t.Keyset(wire.RoleIssuer) {
		if k.Public.Equal(key.Public().(ed25519.PublicKey)) {
			return nil
		}
	}
	return errors.New("it does not: the key is an older one, or another registry's")
}

// proveSeal seals a random text to a public key and opens it with the private one.
func proveSeal(set, file string, public []byte, purpose string) error {
	private, err := keys.LoadSealKey(filepath.Join(set, file))
	if err != nil {
		return err
	}
	want := []byte(rand.Text())
	sealed, err := sealing.Seal(public, purpose, "rehearsal", want)
	if err != nil {
		return err
	}
	got, err := sealing.Unseal(private, purpose, "rehearsal", sealed)
	if err == nil && !bytes.Equal(got, want) {
		err = errors.New("another text came out")
	}
	return err
}
