package authority

import (
	"cmp"
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
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/periods"
)

// Keys that NextTrust replaces.
const (
	ReplaceIssuer  = "issuer"
	ReplaceSecond  = "second"
	ReplaceWitness = "witness"
)

// NextTrust is the difference of the next trust document from the present one. It is signed where
// the root's key and the directories of the keys to be replaced are at hand.
type NextTrust struct {
	Dir     string   // the issuer's directory
	Front   string   // the front's directory; empty: it is elsewhere, and its witness key stays
	Root    string   // root.key on its stick; the trust document is also left beside it
	Replace []string // keys that are replaced by new ones, under the next epoch of their role
	Drop    []string // ids of the keys to be removed, as ShowTrust prints them, where their file is gone; and of CAs that are no longer used
	False   bool     // the statements of the replaced keys are false, and are taken back
	Add     []string // addresses of the registry
	Remove  []string
	Certify []approver.Approver // that sign mandates from now on
	Revoke  []string            // seats of approvers that do so no more
	Policy  *periods.Periods    // how long who parts stay at most; what it does not say stays as it is. Nil: all does; empty: nothing is said any more
	Now     time.Time
}

// SignedTrust is the result of Sign.
type SignedTrust struct {
	Version  uint64         `json:"version"`
	Plain    uint64         `json:"plain,omitempty"` // version of its twin for who reads format 1 alone
	Replaced []ReplacedKey  `json:"replaced"`
	Trust    TrustStatement `json:"trust"`
}

// ReplacedKey is a new key and its file; the old one was renamed.
type ReplacedKey struct {
	Role  string `json:"key"`
	Epoch uint64 `json:"epoch"`
	File  string `json:"file"`
	Old   string `json:"old,omitempty"`
}

// TrustStatement is a trust document for people.
type TrustStatement struct {
	Registry  string           `json:"registry"`
	Version   uint64           `json:"version"`
	Format    uint64           `json:"format"`
	Issued    time.Time        `json:"issued"`
	Keys      []StatedKey      `json:"keys"`
	CAs       []StatedCA       `json:"cas"`
	False     []string         `json:"false"` // role and epoch whose word was taken back
	Addresses []string         `json:"addresses"`
	Approvers []StatedApprover `json:"approvers"`
	Retention *StatedPeriods   `json:"retention,omitempty"` // nil: each has its own
}

// StatedPeriods are the periods of a TrustStatement, in days; 0: nothing is said of it.
type StatedPeriods struct {
	Whos     uint16 `json:"who_days,omitempty"`          // at gateways
	Children uint16 `json:"child_days,omitempty"`        // at gateways and at the registry, of who is under 14
	Passages uint16 `json:"registry_who_days,omitempty"` // at the registry
	Acts     uint16 `json:"admin_days,omitempty"`        // at the registry
}

// StatedApprover is an approver in a TrustStatement.
type StatedApprover struct {
	Seat     string `json:"seat"`
	District string `json:"district"`
	Town     string `json:"town,omitempty"` // empty: all of the district
	ID       string `json:"id"`             // hex, as of a StatedKey
}

// StatedKey is a key in a TrustStatement.
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
	s.Approvers = []StatedApprover{}
	for _, a := range t.Approvers {
		s.Approvers = append(s.Approvers, StatedApprover{a.Seat, a.District, a.Town, fmt.Sprintf("%x", wire.IDOf(a.Public[:]))})
	}
	if t.Retention != nil {
		s.Retention = new(StatedPeriods(*t.Retention))
	}
	for _, f := range t.False {
		s.False = append(s.False, fmt.Sprintf("%s %d", f.Role, f.Epoch))
	}
	return s
}

// ReplaceCA is a new CA beside those that are not over: gateways trust servers of either, so that
// no certificates have to change on one day.
const ReplaceCA = "ca"

// StatedCA is a CA in a TrustStatement.
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

// rootOf returns the root's public key from the first directory that has one.
func rootOf(dirs ...string) (root ed25519.PublicKey, err error) {
	var failed error // of the first: what --dir names, or its default
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		if root, err = keys.LoadRoot(filepath.Join(dir, api.FileRoot)); err == nil {
			return root, nil
		}
		failed = cmp.Or(failed, err)
	}
	return nil, api.Hinted("--dir names the issuer's directory, which registryd init made", "%v", failed)
}

// newestTrust finds the newest trust document among directories, so that an older backup of one
// can't make a version be used twice.
func newestTrust(root ed25519.PublicKey, dirs ...string) (t wire.Trust, err error) {
	for _, dir := range dirs {
		for _, name := range []string{api.FileTrust, FileTrustFour, FileTrustTwo, FileTrustPlain} {
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
