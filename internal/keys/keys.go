// Package keys has the keys of a gateway and the files they stand in: its own and the
// building's, those of the issuers whose lists it takes, and what enrolment adds (root,
// trust, house, certificates). A file is written whole or not at all, never over
// another, and no error holds what is in it.
package keys

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
)

// Names of the key files in a gateway's directory of keys.
const (
	BuildingKeyFile = "building.key" // PEM "GATEHOUSE BUILDING KEY"
	IssuerFile      = "issuer.pub"   // one or more PEM "PUBLIC KEY" (PKIX, Ed25519)
	GatewayKeyFile  = "gateway.key"  // PEM "PRIVATE KEY" (PKCS #8, Ed25519)
)

const (
	buildingBlock = "GATEHOUSE BUILDING KEY"
	publicBlock   = "PUBLIC KEY"
	privateBlock  = "PRIVATE KEY"
	numberHeader  = "Number"
	epochHeader   = "Epoch" // of an issuer's key; 0 if absent
)

// Keys are the keys of a gateway. Any may be missing.
type Keys struct {
	Building *BuildingKey
	Issuers  []wire.Key         // pinned: only their lists are used
	Gateway  ed25519.PrivateKey // its own, made on this machine
	Registry *Registry          // nil: a standalone house. Else its trust names the issuers, not Issuers
	Dir      string             // the directory; what comes later (trust, house, a sibling's building key) is written there
}

// LoadKeys reads the key files of a directory. It returns what could be read, with
// an error that names every file that could not; a gateway runs with what there
// is, since exits and fire need no key.
func LoadKeys(dir string) (Keys, error) {
	k := Keys{Dir: dir}
	var errs [4]error
	k.Registry, errs[0] = LoadRegistry(dir)
	k.Building, errs[1] = LoadBuildingKey(filepath.Join(dir, BuildingKeyFile))
	if k.Registry == nil {
		k.Issuers, errs[2] = LoadIssuers(filepath.Join(dir, IssuerFile))
	}
	k.Gateway, errs[3] = LoadPrivateKey(filepath.Join(dir, GatewayKeyFile))
	return k, errors.Join(errs[:]...)
}

// LoadBuildingKey reads a key that SaveBuildingKey wrote.
func LoadBuildingKey(path string) (*BuildingKey, error) {
	block, err := readBlock(path, buildingBlock)
	if err != nil {
		return nil, fmt.Errorf("load building key: %w", err)
	}
	k, err := parseBuilding(block)
	if err != nil {
		return nil, fmt.Errorf("load building key: %s: %w", path, err)
	}
	return k, nil
}

// parseBuilding reads a building's key from its block.
func parseBuilding(block *pem.Block) (*BuildingKey, error) {
	number, err := strconv.ParseUint(block.Headers[numberHeader], 10, 8)
	if err != nil || number == 0 || number == anonymousKey || len(block.Bytes) != len(BuildingKey{}.secret) {
		return nil, errors.New("no number from 1 to 254, or not 32 bytes")
	}
	return &BuildingKey{number: byte(number), secret: [32]byte(block.Bytes)}, nil
}

// SaveBuildingKey writes a key to a new file of mode 0600; it refuses to
// overwrite one, since a lost key means that a whole house swipes again.
func SaveBuildingKey(path string, k *BuildingKey) error {
	return saveNew(path, &pem.Block{Type: buildingBlock, Bytes: k.secret[:],
		Headers: map[string]string{numberHeader: strconv.Itoa(int(k.number))}})
}

// LoadIssuers reads the public keys whose lists are taken.
func LoadIssuers(path string) ([]wire.Key, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load issuer keys: %w", err)
	}
	var keys []wire.Key
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		key := wire.Key{Role: wire.RoleIssuer}
		if text, ok := block.Headers[epochHeader]; ok {
			if key.Epoch, err = strconv.ParseUint(text, 10, 64); err != nil {
				return nil, fmt.Errorf("load issuer keys: %s: epoch: %w", path, err)
			}
		}
		if key.Public, err = publicKey(block); err != nil {
			return nil, fmt.Errorf("load issuer keys: %s: %w", path, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("load issuer keys: %s: no PEM block", path)
	}
	return keys, nil
}

// publicKey parses the public key in a block.
func publicKey(block *pem.Block) (ed25519.PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	public, ok := parsed.(ed25519.PublicKey)
	if err != nil || !ok || block.Type != publicBlock {
		return nil, errors.New("not an Ed25519 public key")
	}
	return public, nil
}

// SaveIssuer writes an issuer's public key to a new file, for the gateway.
func SaveIssuer(path string, key wire.Key) error {
	der, err := x509.MarshalPKIXPublicKey(key.Public)
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	block := &pem.Block{Type: publicBlock, Bytes: der}
	if key.Epoch > 0 {
		block.Headers = map[string]string{epochHeader: strconv.FormatUint(key.Epoch, 10)}
	}
	return saveNew(path, block)
}

// LoadPrivateKey reads an Ed25519 key: a gateway's own, or the issuer's from
// its stick.
func LoadPrivateKey(path string) (ed25519.PrivateKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load private key: %w", err)
	}
	return ParsePrivateKey(path, data)
}

// ParsePrivateKey reads an Ed25519 key from the content of a file; path is for errors alone.
func ParsePrivateKey(path string, data []byte) (ed25519.PrivateKey, error) {
	block, err := blockOf(path, data, privateBlock)
	if err != nil {
		return nil, fmt.Errorf("load private key: %w", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("load private key: %s: not an Ed25519 key in PKCS #8", path)
	}
	return key, nil
}

// SavePrivateKey writes an Ed25519 key to a new file of mode 0600; it refuses
// to overwrite one.
func SavePrivateKey(path string, key ed25519.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return saveNew(path, &pem.Block{Type: privateBlock, Bytes: der})
}

// readBlock reads a file with one PEM block of the type. Errors never contain the content.
func readBlock(path, kind string) (*pem.Block, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return blockOf(path, data, kind)
}

func blockOf(path string, data []byte, kind string) (*pem.Block, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s: no PEM block %q", path, kind)
	}
	return block, nil
}

// saveNew writes a file that is not there yet: after a crash the whole of it is
// there, or none. One writer a path.
func saveNew(path string, block *pem.Block) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("save %s: it is there already and stays as it is: %w", path, fs.ErrExist)
	}
	if err := durable.Create(path, func(temp string) error { return os.WriteFile(temp, pem.EncodeToMemory(block), 0o600) }); err != nil {
		return fmt.Errorf("save: %w", err)
	}
	return nil
}

// isWhole reports whether a file has a whole PEM block, of whatever kind, or
// can't be read now.
func isWhole(path string) bool {
	data, err := os.ReadFile(path)
	return err != nil || isWholeBlock(data)
}

func isWholeBlock(data []byte) bool {
	block, _ := pem.Decode(data)
	return block != nil
}

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
	gatewayPath, issuerPath, buildingPath := filepath.Join(dir, GatewayKeyFile), filepath.Join(dir, IssuerFile), filepath.Join(dir, BuildingKeyFile)
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
