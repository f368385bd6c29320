package keys

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gatehouse/sync/wire"
)

// Install writes the keys that a gateway needs into its directory of keys: the
// issuer's public key, the building's key, and one of its own that it makes
// now. It returns the paths. An Install that was interrupted goes on; keys of
// another building or issuer are never overwritten.
func Install(dir string, issuer ed25519.PublicKey, building *BuildingKey) ([]string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("install keys: %w", err)
	}
	_, own, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("install keys: %w", err)
	}
	gatewayPath, issuerPath := filepath.Join(dir, GatewayKeyFile), filepath.Join(dir, IssuerFile)
	buildingPath := filepath.Join(dir, BuildingKeyFile)
	if err := SavePrivateKey(gatewayPath, own); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	err = SaveIssuer(issuerPath, wire.Key{Role: wire.RoleIssuer, Public: issuer})
	if errors.Is(err, fs.ErrExist) {
		err = isIssuer(issuerPath, issuer)
	}
	if err != nil {
		return nil, err
	}
	// The building's key comes last: with it the gateway has its keys.
	if err := SaveBuildingKey(buildingPath, building); err != nil {
		return nil, err
	}
	return []string{gatewayPath, issuerPath, buildingPath}, nil
}

func isIssuer(path string, issuer ed25519.PublicKey) error {
	keys, err := LoadIssuers(path)
	if err != nil {
		return err
	}
	if len(keys) != 1 || !keys[0].Public.Equal(issuer) {
		return fmt.Errorf("install keys: %s has another issuer's key, and stays as it is", path)
	}
	return nil
}
