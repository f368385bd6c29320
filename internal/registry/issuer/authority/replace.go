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

	"gatehouse/internal/amount"
	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// freshKey is a new key that waits to replace another.
type freshKey struct {
	what   string
	epoch  uint64
	path   string
	public [32]byte
}

// next returns the file in which it waits.
func (k freshKey) next() string { return k.path + ".next" }

// clear removes the leftovers of an interrupted run.
func (k freshKey) clear() error {
	if err := os.Remove(k.next()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

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

// replace makes a new key and puts it into the document in place of the old one.
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
		return k, api.Hinted("issuer, second, witness or ca; for witness --front-dir names the front's directory", "no key to replace: %q", what)
	}
	if err := k.clear(); err != nil {
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

// oldOf returns the keys that are replaced: the one in the file; where that is lost, the one that
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

// publicIn returns the public key of a private key file; nil: it can't be read.
func publicIn(path string) []byte {
	key, err := keys.LoadPrivateKey(path)
	if err != nil {
		return nil
	}
	return key.Public().(ed25519.PublicKey)
}

// takeBack marks the epochs of keys as false. Honest keys of the same epoch continue under the next
// one.
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

// install replaces a key by the new one; the old one is renamed.
func (k freshKey) install(t wire.Trust) (ReplacedKey, error) {
	for _, o := range t.Keys { // another replacement may have moved it on
		if o.Public == k.public {
			k.epoch = o.Epoch
		}
	}
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
	return done, ownedAsDirectory(k.path)
}
