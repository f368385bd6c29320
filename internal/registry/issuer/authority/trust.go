package authority

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/durable"
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

// NextTrust is what the next trust document says otherwise than the one before.
// It is signed with the root's key where that and the folders of the keys to be
// replaced are at hand.
type NextTrust struct {
	Dir     string   // the issuer's folder
	Front   string   // the front's folder; empty: it is elsewhere, and its witness key stays
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

// ReplacedKey is a new key with the file that it stands in; the one before has
// another name there.
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

// ShowTrust reads the newest trust document of some folders; root.pub in the
// first one verifies it.
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

// Sign makes the new keys and the document, and leaves both where they are used.
// The new keys come last: a run that was interrupted is made good by the next one.
func (n NextTrust) Sign() (SignedTrust, error) {
	out := SignedTrust{Replaced: []ReplacedKey{}}
	stick := filepath.Dir(n.Root)
	if err := areFolders(n.Dir, n.Front); err != nil {
		return out, err
	}
	root, err := keys.LoadPrivateKey(n.Root)
	if err != nil {
		return out, api.Hinted("--root names root.key on its stick", "%v", err)
	}
	public, err := rootOf(n.Dir, stick, n.Front)
	if err != nil {
		return out, err
	}
	if !bytes.Equal(public, root.Public().(ed25519.PublicKey)) {
		return out, api.Hinted("take the stick of this registry", "%s is not the root of the registry in %s", n.Root, n.Dir)
	}
	t, err := newestTrust(public, n.Dir, stick, n.Front)
	if err != nil {
		return out, err
	}
	n.dropCAs(&t)
	fresh, err := n.replaceAll(&t)
	if err != nil {
		return out, err
	}
	if err := n.addresses(&t); err != nil {
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
		for _, o := range t.Keys { // another replacement may have moved it on
			if o.Public == k.public {
				k.epoch = o.Epoch
			}
		}
		done, err := k.install()
		if err != nil {
			return out, err
		}
		out.Replaced = append(out.Replaced, done)
	}
	out.Version, out.Trust = t.Version, stateTrust(t)
	if len(envelopes) > 1 {
		out.Plain = t.Version - 1
	}
	return out, nil
}

// areFolders refuses folders that Init has not made, before anything is written there.
// Keys may be lost from them: each is told by a file that holds none. An empty front
// is elsewhere.
func areFolders(issuer, front string) error {
	if err := isFolder(issuer, FilePlace, "--dir names the issuer's folder"); err != nil || front == "" {
		return err
	}
	return isFolder(front, api.FileRoot, "--front-dir names the front's folder")
}

func isFolder(dir, file, hint string) error {
	_, err := os.Stat(filepath.Join(dir, file))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return api.Hinted(hint+", which registryd init made", "there is no folder %s", dir)
	}
	return api.Hinted(hint+", which registryd init made", "%s is another folder: it has no %s", dir, file)
}

// rootOf is the root's public key in the first folder that has one.
func rootOf(dirs ...string) (root ed25519.PublicKey, err error) {
	for _, dir := range dirs {
		if root, err = keys.LoadRoot(filepath.Join(dir, api.FileRoot)); err == nil {
			return root, nil
		}
	}
	return nil, api.Hinted("--dir names the issuer's folder", "%v", err)
}

// newestTrust finds the newest trust document among folders; an older backup of
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
		return t, api.Hinted("--dir names the issuer's folder", "no trust document in %s", dirs[0])
	}
	return t, nil
}

// freshKey is a new key that waits to take the place of another.
type freshKey struct {
	what   string
	epoch  uint64
	path   string
	public [32]byte
}

// next is the file in which it waits.
func (k freshKey) next() string { return k.path + ".next" }

// replaceAll makes the new keys and puts them into the document.
func (n NextTrust) replaceAll(t *wire.Trust) (fresh []freshKey, err error) {
	for _, what := range slices.Compact(slices.Sorted(slices.Values(n.Replace))) {
		var some []freshKey
		if what == ReplaceCA {
			some, err = n.nextCA(t)
		} else {
			some = make([]freshKey, 1)
			some[0], err = n.replace(t, what)
		}
		if err != nil {
			return nil, err
		}
		fresh = append(fresh, some...)
	}
	return fresh, nil
}

// replace makes a new key and puts it into the document in the place of the one
// before.
func (n NextTrust) replace(t *wire.Trust, what string) (freshKey, error) {
	k, role := freshKey{what: what}, wire.RoleIssuer
	switch {
	case what == ReplaceIssuer:
		k.path = filepath.Join(n.Dir, FileIssuer)
	case what == ReplaceSecond:
		k.path = filepath.Join(filepath.Dir(n.Root), FileSecond)
	case what == ReplaceWitness && n.Front != "":
		k.path, role = filepath.Join(n.Front, api.FileWitnessKey), wire.RoleWitness
	default:
		return k, api.Hinted("issuer, second, witness or ca; for witness --front-dir names the front's folder", "no key to replace: %q", what)
	}
	if err := os.Remove(k.next()); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a run that was interrupted
		return k, err
	}
	key, err := newKey(k.next())
	if err != nil {
		return k, err
	}
	old, err := n.oldOf(t, k, role)
	if err != nil {
		return k, err
	}
	for _, o := range t.Keys {
		if o.Role == role {
			k.epoch = max(k.epoch, o.Epoch)
		}
	}
	for _, f := range t.False {
		if f.Role == role {
			k.epoch = max(k.epoch, f.Epoch)
		}
	}
	k.epoch++
	t.Keys = slices.DeleteFunc(t.Keys, func(o wire.RoleKey) bool { return slices.Contains(old, o) })
	if n.False {
		takeBack(t, old, k.epoch)
	}
	k.public = [32]byte(key.Public().(ed25519.PublicKey))
	t.Keys = append(t.Keys, wire.RoleKey{Role: role, Epoch: k.epoch, Public: k.public})
	return k, nil
}

// oldOf are the keys that go: the one in the file; where that is lost, the one that
// Drop names, or the only one of the role that no other file has.
func (n NextTrust) oldOf(t *wire.Trust, k freshKey, role wire.Role) (old []wire.RoleKey, err error) {
	own := publicIn(k.path)
	var others [][]byte
	for _, path := range []string{filepath.Join(n.Dir, FileIssuer), filepath.Join(filepath.Dir(n.Root), FileSecond)} {
		if p := publicIn(path); p != nil && path != k.path {
			others = append(others, p)
		}
	}
	var maybe []wire.RoleKey
	for _, o := range t.Keys {
		switch {
		case o.Role != role:
		case bytes.Equal(own, o.Public[:]), slices.Contains(n.Drop, fmt.Sprintf("%x", wire.IDOf(o.Public[:]))):
			old = append(old, o)
		case !slices.ContainsFunc(others, func(p []byte) bool { return bytes.Equal(p, o.Public[:]) }):
			maybe = append(maybe, o)
		}
	}
	if len(old) == 0 && len(maybe) > 1 {
		return nil, api.Hinted("registryd trust show lists them; --drop ID names the one that goes", "%s is gone, and the trust document names %s that may be it", k.path, amount.Of(len(maybe), "key"))
	}
	if len(old) == 0 {
		old = maybe
	}
	return old, nil
}

// publicIn is the public key of a private one in a file; nil: it can't be read.
func publicIn(path string) []byte {
	key, err := keys.LoadPrivateKey(path)
	if err != nil {
		return nil
	}
	return key.Public().(ed25519.PublicKey)
}

// takeBack marks the epochs of keys as false. Honest keys of the same epoch go on
// under the next one.
func takeBack(t *wire.Trust, old []wire.RoleKey, next uint64) {
	for _, o := range old {
		if f := (wire.RoleEpoch{Role: o.Role, Epoch: o.Epoch}); !t.IsFalse(f.Role, f.Epoch) {
			t.False = append(t.False, f)
		}
	}
	for i := range t.Keys {
		if t.IsFalse(t.Keys[i].Role, t.Keys[i].Epoch) {
			t.Keys[i].Epoch = next
		}
	}
}

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

// signTrust numbers and signs a document. One of format 2 gets a twin of format 1
// before it, so that gateways of before hear of new keys too.
func signTrust(t *wire.Trust, root ed25519.PrivateKey) (envelopes map[string][]byte, err error) {
	envelopes = make(map[string][]byte)
	t.Version++
	if wire.VersionOf(*t) > 1 {
		plain := *t
		plain.False, plain.Addresses = nil, nil
		if envelopes[FileTrustPlain], err = signOneTrust(plain, root); err != nil {
			return nil, err
		}
		t.Version++
	}
	envelopes[api.FileTrust], err = signOneTrust(*t, root)
	return envelopes, err
}

func signOneTrust(t wire.Trust, root ed25519.PrivateKey) ([]byte, error) {
	payload, err := wire.Encode(t)
	if err != nil {
		return nil, api.Hinted("an address is https://host:port of enrolment, or mqtts://host:port of the broker", "trust document: %v", err)
	}
	return wire.Sign(wire.Protected{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: t.Registry, Version: wire.VersionOf(t)}, payload, root)
}

// leaveTrust writes a document into a folder of keys, the twin first.
func leaveTrust(dir string, envelopes map[string][]byte) error {
	if dir == "" {
		return nil
	}
	for _, name := range []string{FileTrustPlain, api.FileTrust} {
		path := filepath.Join(dir, name)
		envelope, there := envelopes[name]
		if !there {
			continue
		}
		if err := durable.WriteFile(path, envelope, 0o600); err != nil {
			return fmt.Errorf("leave trust document: %w", err)
		}
		if err := ownedAsFolder(path); err != nil {
			return fmt.Errorf("leave trust document: %w", err)
		}
	}
	return nil
}

// install puts a new key in the place of the one before, which keeps another name.
func (k freshKey) install() (ReplacedKey, error) {
	done := ReplacedKey{Role: k.what, Epoch: k.epoch, File: k.path}
	if _, err := os.Lstat(k.path); err == nil {
		done.Old = fmt.Sprintf("%s.before-%d", k.path, k.epoch)
		if err := durable.Rename(k.path, done.Old); err != nil {
			return done, fmt.Errorf("keep the key before: %w", err)
		}
	}
	if err := durable.Rename(k.next(), k.path); err != nil {
		return done, fmt.Errorf("put the new key in its place: %w", err)
	}
	return done, ownedAsFolder(k.path)
}
