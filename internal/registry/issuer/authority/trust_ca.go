package authority

import (
	"bytes"
	"crypto/x509"
	"path/filepath"
	"slices"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

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
		if err := k.clear(); err != nil {
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

// leaveCAs gives the front's directory all CAs: for a broker that runs elsewhere.
func (n NextTrust) leaveCAs(t wire.Trust) error {
	if n.Front == "" {
		return nil
	}
	path := filepath.Join(n.Front, api.FileCA)
	if err := writePEM(path, certificateBlock, 0o644, t.CAs...); err != nil {
		return err
	}
	return ownedAsDirectory(path)
}
