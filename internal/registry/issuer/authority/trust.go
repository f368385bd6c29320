package authority

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/periods"
)

// Sign makes the new keys and the document, and stores both where they are used. The new keys come
// last: an interrupted run is completed by the next one.
func (n NextTrust) Sign() (SignedTrust, error) {
	out := SignedTrust{Replaced: []ReplacedKey{}}
	stick := filepath.Dir(n.Root)
	if err := areDirectories(n.Dir, n.Front); err != nil {
		return out, err
	}
	root, err := n.loadRoot(stick)
	if err != nil {
		return out, err
	}
	t, err := newestTrust(root.Public().(ed25519.PublicKey), n.Dir, stick, n.Front)
	if err != nil {
		return out, err
	}
	n.dropCAs(&t)
	fresh, err := n.replaceAll(&t)
	if err != nil {
		return out, err
	}
	if err := cmp.Or(n.addresses(&t), n.approvers(&t), n.policy(&t)); err != nil {
		return out, err
	}
	t.Issued = uint32(n.Now.Unix())
	envelopes, err := signTrust(&t, root)
	if err != nil {
		return out, err
	}
	for _, dir := range []string{stick, n.Dir, n.Front} {
		if err := leaveTrust(dir, envelopes); err != nil {
			return out, err
		}
	}
	if err := n.leaveCAs(t); err != nil {
		return out, err
	}
	for _, k := range fresh {
		done, err := k.install(t)
		if err != nil {
			return out, err
		}
		out.Replaced = append(out.Replaced, done)
	}
	out.Version, out.Trust = t.Version, stateTrust(t)
	if n := len(envelopes); n > 1 {
		out.Plain = t.Version - uint64(n-1)
	}
	return out, nil
}

// loadRoot loads the root's key, which must be that of the registry in these directories.
// Wrong returns what is wrong with the directories and the root's key, which Sign would refuse; nothing where no root is named.
func (n NextTrust) Wrong() []error {
	dirs := areDirectories(n.Dir, n.Front)
	var root error
	switch {
	case n.Root == "":
	case dirs == nil:
		_, root = n.loadRoot(filepath.Dir(n.Root))
	default: // whose it is can't be known
		_, root = n.rootKey()
	}
	return []error{dirs, root}
}

func (n NextTrust) rootKey() (ed25519.PrivateKey, error) {
	root, err := keys.LoadPrivateKey(n.Root)
	if err != nil {
		return nil, api.Hinted("--root 写明优盘上的 root.key；--root names root.key on its stick", "--root: %v", err)
	}
	return root, nil
}

func (n NextTrust) loadRoot(stick string) (ed25519.PrivateKey, error) {
	root, err := n.rootKey()
	if err != nil {
		return nil, err
	}
	public, err := rootOf(n.Dir, stick, n.Front)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(public, root.Public().(ed25519.PublicKey)) {
		return nil, api.Hinted("take the stick of this registry", "%s is not the root of the registry in %s", n.Root, n.Dir)
	}
	return root, nil
}

// addresses adds and removes addresses of the registry.
func (n NextTrust) addresses(t *wire.Trust) error {
	for _, a := range n.Remove {
		if !slices.Contains(t.Addresses, a) {
			return api.Hinted("registryd trust show lists them", "the trust document does not add %q", a)
		}
		t.Addresses = slices.DeleteFunc(t.Addresses, func(o string) bool { return o == a })
	}
	for _, a := range n.Add {
		if !slices.Contains(t.Addresses, a) {
			t.Addresses = append(t.Addresses, a)
		}
	}
	return nil
}

// approvers certifies and revokes keys that sign mandates. A seat that is certified anew gets the new key.
func (n NextTrust) approvers(t *wire.Trust) error {
	t.Approvers = slices.Clone(t.Approvers)
	without := func(seat string) bool {
		before := len(t.Approvers)
		t.Approvers = slices.DeleteFunc(t.Approvers, func(a approver.Approver) bool { return a.Seat == seat })
		return len(t.Approvers) < before
	}
	for _, seat := range n.Revoke {
		if !without(seat) {
			return api.Hinted("registryd approver list names them", "no approver has the seat %q", seat)
		}
	}
	for _, a := range n.Certify {
		if slices.ContainsFunc(t.Keys, func(k wire.RoleKey) bool { return k.Public == a.Public }) {
			return api.Hinted("an approver has a key that does nothing else", "the key of seat %q has another role", a.Seat)
		}
		without(a.Seat)
		t.Approvers = append(t.Approvers, a)
	}
	slices.SortFunc(t.Approvers, func(a, b approver.Approver) int { return cmp.Compare(a.Seat, b.Seat) })
	if err := approver.Check(t.Approvers); err != nil {
		return api.Hinted("seat, district and town are [a-z0-9-]{1,32}, each key is of one seat, and there are 512 at most", "%v", err)
	}
	return nil
}

// policy says anew how long who parts stay, or takes away that it is said.
func (n NextTrust) policy(t *wire.Trust) error {
	switch {
	case n.Policy == nil:
		return nil
	case *n.Policy == periods.Periods{}:
		if t.Retention == nil {
			return api.Hinted("registryd policy show says what there is", "no policy is signed: there is none to take away")
		}
		t.Retention = nil
		return nil
	}
	next := *n.Policy
	if t.Retention != nil {
		next = next.Or(*t.Retention)
	}
	if err := next.Check(); err != nil {
		return api.Hinted("1 to 400 days", "%v", err)
	}
	t.Retention = &next
	return nil
}

// signTrust numbers and signs a document. Before it comes a twin in each older format that has more
// than the one before it, so that older gateways learn of new keys, too.
func signTrust(t *wire.Trust, root ed25519.PrivateKey) (envelopes map[string][]byte, err error) {
	envelopes = make(map[string][]byte)
	t.Version++
	for _, older := range olderFormats() {
		twin := *t
		older.reduce(&twin)
		if wire.VersionOf(twin) != older.format || wire.VersionOf(*t) == older.format {
			continue
		}
		if envelopes[older.file], err = SignTrust(twin, root); err != nil {
			return nil, err
		}
		t.Version++
	}
	envelopes[api.FileTrust], err = SignTrust(*t, root)
	return envelopes, err
}

// SignTrust signs a trust document as it is. The same document and key give the same bytes, which
// shows whether a restored root's key is the root's.
func SignTrust(t wire.Trust, root ed25519.PrivateKey) ([]byte, error) {
	payload, err := wire.Encode(t)
	if err != nil {
		return nil, api.Hinted("an address is https://host:port of enrolment, or mqtts://host:port of the broker", "trust document: %v", err)
	}
	return wire.Sign(wire.Protected{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: t.Registry, Version: wire.VersionOf(t)}, payload, root)
}

// leaveTrust writes a document into a directory of keys, the twins first. What has no twin any more
// loses that of the document before.
func leaveTrust(dir string, envelopes map[string][]byte) error {
	if dir == "" {
		return nil
	}
	for _, name := range []string{FileTrustPlain, FileTrustTwo, FileTrustFour, api.FileTrust} {
		path := filepath.Join(dir, name)
		envelope, there := envelopes[name]
		if !there {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("leave trust document: %w", err)
			}
			continue
		}
		err := durable.WriteFile(path, envelope, 0o600)
		if err == nil {
			err = ownedAsDirectory(path)
		}
		if err != nil {
			return fmt.Errorf("leave trust document: %w", err)
		}
	}
	return nil
}

// dropCAs removes the CAs that are over, and those that Drop names: never the one in use.
func (n NextTrust) dropCAs(t *wire.Trust) {
	own, _ := readPEM(filepath.Join(n.Dir, api.FileCA), certificateBlock) // none: it is lost
	t.CAs = slices.DeleteFunc(t.CAs, func(der []byte) bool {
		cert, err := x509.ParseCertificate(der)
		over := err == nil && cert.NotAfter.Before(n.Now)
		return !bytes.Equal(der, own) && (over || slices.Contains(n.Drop, idOfCA(der)))
	})
}

// nextCA makes a CA and names it in the document. Key and certificate wait beside those that they
// replace.
func (n NextTrust) nextCA(t *wire.Trust) ([]freshKey, error) {
	key := freshKey{what: ReplaceCA, epoch: t.Version + 1, path: filepath.Join(n.Dir, FileCAKey)}
	cert := freshKey{what: ReplaceCA, epoch: key.epoch, path: filepath.Join(n.Dir, api.FileCA)}
	if err := cmp.Or(key.clear(), cert.clear()); err != nil {
		return nil, err
	}
	made, err := makeCA(t.Registry, n.Now)
	if err != nil {
		return nil, err
	}
	if err := saveECDSA(key.next(), made.key); err != nil {
		return nil, err
	}
	t.CAs = append(t.CAs, made.cert.Raw)
	return []freshKey{key, cert}, writePEM(cert.next(), certificateBlock, 0o644, made.cert.Raw)
}

// leaveCAs gives the front's directory all CAs, for a broker on another machine.
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
