package authority

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// ReplaceCA is a new CA beside those that are not over: gateways believe servers of
// either, so that no certificate has to change on one day.
const ReplaceCA = "ca"

// StatedCA is a CA as a trust document names it.
type StatedCA struct {
	ID    string    `json:"id"` // hex, start of the SHA-256 of its certificate
	Name  string    `json:"name"`
	Until time.Time `json:"until"`
}

func stateCAs(t wire.Trust) []StatedCA {
	all := []StatedCA{}
	for _, der := range t.CAs {
		one := StatedCA{ID: idOfCA(der)}
		if cert, err := x509.ParseCertificate(der); err == nil {
			one.Name, one.Until = cert.Subject.CommonName, cert.NotAfter
		}
		all = append(all, one)
	}
	return all
}

func idOfCA(der []byte) string { return fmt.Sprintf("%x", wire.IDOf(der)) }

// dropCAs takes those out of the document that are over, and those that Drop names:
// never the one in use.
func (n NextTrust) dropCAs(t *wire.Trust) {
	own, _ := readPEM(filepath.Join(n.Dir, api.FileCA), certificateBlock) // none: it is lost
	t.CAs = slices.DeleteFunc(t.CAs, func(der []byte) bool {
		cert, err := x509.ParseCertificate(der)
		over := err == nil && cert.NotAfter.Before(n.Now)
		return !bytes.Equal(der, own) && (over || slices.Contains(n.Drop, idOfCA(der)))
	})
}

// nextCA makes a CA and names it in the document. Key and certificate wait beside
// those that they replace.
func (n NextTrust) nextCA(t *wire.Trust) ([]freshKey, error) {
	key := freshKey{what: ReplaceCA, epoch: t.Version + 1, path: filepath.Join(n.Dir, FileCAKey)}
	cert := freshKey{what: ReplaceCA, epoch: key.epoch, path: filepath.Join(n.Dir, api.FileCA)}
	for _, k := range []freshKey{key, cert} {
		if err := os.Remove(k.next()); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a run that was interrupted
			return nil, err
		}
	}
	made, private, err := makeCA(t.Registry, n.Now)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	if err := writePEM(key.next(), privateBlock, 0o600, der); err != nil {
		return nil, err
	}
	t.CAs = append(t.CAs, made.Raw)
	return []freshKey{key, cert}, writePEM(cert.next(), certificateBlock, 0o644, made.Raw)
}

// leaveCAs gives the front's folder all CAs: for a broker that runs elsewhere.
func (n NextTrust) leaveCAs(t wire.Trust) error {
	if n.Front == "" {
		return nil
	}
	path := filepath.Join(n.Front, api.FileCA)
	if err := writePEM(path, certificateBlock, 0o644, t.CAs...); err != nil {
		return err
	}
	return ownedAsFolder(path)
}
