package authority

import (
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// Keys that NextTrust replaces.
const (
	ReplaceIssuer  = "issuer"
	ReplaceSecond  = "second"
	ReplaceWitness = "witness"
)

// NextTrust is what the next trust document says otherwise than the one before. It is signed where the root's key and
// the directories of the keys to be replaced are at hand.
type NextTrust struct {
	Dir     string   // the issuer's directory
	Front   string   // the front's directory; empty: it is elsewhere, and its witness key stays
	Root    string   // root.key on its stick; the trust document is also left beside it
	Replace []string // keys of which a new one is made, under the next epoch of its role
	Drop    []string // ids of the keys that go, as ShowTrust has them, where their file is gone; and of CAs that are used no more
	False   bool     // what the replaced keys said is not so: it is taken back
	Add     []string // addresses of the registry
	Remove  []string
	Now     time.Time
}

// SignedTrust is what came of it.
type SignedTrust struct {
	Version  uint64         `json:"version"`
	Plain    uint64         `json:"plain,omitempty"` // version of its twin for who reads format 1 alone
	Replaced []ReplacedKey  `json:"replaced"`
	Trust    TrustStatement `json:"trust"`
}

// ReplacedKey is a new key with the file that it stands in; the one before has another name there.
type ReplacedKey struct {
	Role  string `json:"key"`
	Epoch uint64 `json:"epoch"`
	File  string `json:"file"`
	Old   string `json:"old,omitempty"`
}

// TrustStatement is a trust document as people read it.
type TrustStatement struct {
	Registry  string      `json:"registry"`
	Version   uint64      `json:"version"`
	Format    uint64      `json:"format"`
	Issued    time.Time   `json:"issued"`
	Keys      []StatedKey `json:"keys"`
	CAs       []StatedCA  `json:"cas"`
	False     []string    `json:"false"` // role and epoch whose word was taken back
	Addresses []string    `json:"addresses"`
}

// StatedKey is a key as a trust document names it.
type StatedKey struct {
	Role  string `json:"role"`
	Epoch uint64 `json:"epoch"`
	ID    string `json:"id"` // hex, start of the SHA-256 of the public key
}

// ShowTrust reads the newest trust document of some directories; root.pub in the first one verifies it.
func ShowTrust(dirs ...string) (TrustStatement, error) {
	root, err := rootOf(dirs...)
	if err != nil {
		return TrustStatement{}, err
	}
	t, err := newestTrust(root, dirs...)
	return stateTrust(t), err
}

func stateTrust(t wire.Trust) TrustStatement {
	s := TrustStatement{Registry: t.Registry, Version: t.Version, Format: wire.VersionOf(t), Issued: time.Unix(int64(t.Issued), 0).UTC(),
		Keys: []StatedKey{}, CAs: stateCAs(t), False: []string{}, Addresses: append([]string{}, t.Addresses...)}
	for _, k := range t.Keys {
		s.Keys = append(s.Keys, StatedKey{string(k.Role), k.Epoch, fmt.Sprintf("%x", wire.IDOf(k.Public[:]))})
	}
	for _, f := range t.False {
		s.False = append(s.False, fmt.Sprintf("%s %d", f.Role, f.Epoch))
	}
	return s
}

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

// rootOf is the root's public key in the first directory that has one.
func rootOf(dirs ...string) (root ed25519.PublicKey, err error) {
	for _, dir := range dirs {
		if root, err = keys.LoadRoot(filepath.Join(dir, api.FileRoot)); err == nil {
			return root, nil
		}
	}
	return nil, api.Hinted("--dir names the issuer's directory", "%v", err)
}

// newestTrust finds the newest trust document among directories; an older backup of
// one may not make a version be used twice.
func newestTrust(root ed25519.PublicKey, dirs ...string) (t wire.Trust, err error) {
	for _, dir := range dirs {
		for _, name := range []string{api.FileTrust, FileTrustPlain} {
			envelope, err := os.ReadFile(filepath.Join(dir, name))
			if dir == "" || errors.Is(err, fs.ErrNotExist) {
				continue
			} else if err != nil {
				return t, err
			}
			_, p, _ := wire.Open(envelope, wire.Expect{}, nil) // only to learn the registry's id
			next, err := keys.OpenTrust(envelope, root, p.Address)
			if err != nil {
				return t, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
			}
			if next.Version > t.Version {
				t = next
			}
		}
	}
	if t.Version == 0 {
		return t, api.Hinted("--dir names the issuer's directory", "no trust document in %s", dirs[0])
	}
	return t, nil
}
