package authority

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire/sealing"
)

// Files with the issuer's keys, in its directory. Those that it shares with the front bear the
// front's names.
const (
	FilePlace  = "registry.json" // what tokens say: the registry's id and hosts
	FileIssuer = "issuer.key"    // PEM, Ed25519: lists, House documents
	FileCAKey  = "ca.key"        // PEM, ECDSA P-256: gateways' certificates
	FileDesk   = "desk.key"      // PEM, HPKE: opens tenancy records
	// FileTrustPlain is the newest trust document of format 1, where that in
	// api.FileTrust is of format 2.
	FileTrustPlain = "trust-1.cose"
)

// Files that belong on a stick, away from both processes.
const (
	FileRootKey = "root.key"    // PEM, Ed25519: signs trust documents
	FileSecond  = "second.key"  // PEM, Ed25519: another issuer's, for lists that remove many tenancies
	FileRecords = "records.key" // PEM, HPKE: opens persons and who parts
	FileEscrow  = "escrow.key"  // PEM, HPKE: opens building keys
)

// Kinds of PEM blocks.
const (
	certificateBlock = "CERTIFICATE"
	privateBlock     = "PRIVATE KEY"
)

func readPEM(path, kind string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s: no PEM block %q", path, kind)
	}
	return block.Bytes, nil
}

func writePEM(path, kind string, mode os.FileMode, ders ...[]byte) error {
	var b bytes.Buffer
	for _, der := range ders {
		if err := pem.Encode(&b, &pem.Block{Type: kind, Bytes: der}); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	return durable.WriteFile(path, b.Bytes(), mode)
}

func newKey(path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return key, keys.SavePrivateKey(path, key)
}

func newSealKey(path string) (public []byte, err error) {
	private, public, err := sealing.GenerateKey()
	if err != nil {
		return nil, err
	}
	return public, keys.SaveSealKey(path, private)
}

// areDirectories refuses directories that Init has not made, before anything is written there.
// Keys may be lost from them: each is told by a file that holds none. An empty front
// is elsewhere.
func areDirectories(issuer, front string) error {
	if err := isDirectory(issuer, FilePlace, "--dir names the issuer's directory"); err != nil || front == "" {
		return err
	}
	return isDirectory(front, api.FileRoot, "--front-dir names the front's directory")
}

func isDirectory(dir, file, hint string) error {
	_, err := os.Stat(filepath.Join(dir, file))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return api.Hinted(hint+", which registryd init made", "there is no directory %s", dir)
	}
	return api.Hinted(hint+", which registryd init made", "%s is another directory: it has no %s", dir, file)
}
