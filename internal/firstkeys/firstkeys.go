// Package firstkeys gives a gateway without a registry its first keys: for `gatehouse init`, and for
// the daemon that is asked by the page.
//
// It refuses a gateway that has its keys, one that is enrolled, and a key other than the one that is
// there already.
package firstkeys

import (
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/internal/socket"
)

// Missing returns an error that says why a directory of keys is not to be given first keys.
func Missing(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, keys.BuildingKeyFile)); err == nil {
		return socket.Hinted("nothing to do; to begin anew, stop the daemon and move "+dir+" away", "this gateway has its keys already")
	}
	if _, err := os.Stat(filepath.Join(dir, keys.RegistryFile)); err == nil {
		return socket.Hinted("its keys come from there; gatehouse status says what is missing", "this gateway is enrolled with a registry")
	}
	return nil
}

// Fits checks that a gateway which has an issuer's key already, as after an interrupted Install, has
// this one; nil: a key that is still to be made.
func Fits(dir string, issuer ed25519.PublicKey) error {
	path := filepath.Join(dir, keys.IssuerFile)
	there, err := keys.LoadIssuers(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(there) != 1 || !there[0].Public.Equal(issuer) {
		return socket.Hinted("name its stick by --key, or to begin anew, stop the daemon and move "+dir+" away", "%s has another issuer's key", path)
	}
	return nil
}

// Install writes the keys into the directory of a gateway's state, and gives it to the daemon's user.
// It returns the paths. An Install that was interrupted goes on with the same keys; the building's key
// comes last, so that a gateway has all of them or none that counts.
func Install(state, dir string, issuer ed25519.PublicKey, building *keys.BuildingKey) ([]string, error) {
	if err := Missing(dir); err != nil {
		return nil, err
	}
	if err := Fits(dir, issuer); err != nil {
		return nil, err
	}
	files, err := keys.Install(dir, issuer, building)
	if err != nil {
		return nil, err
	}
	return files, durable.HandOver(state, dir)
}
