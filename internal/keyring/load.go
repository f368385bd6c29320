package keyring

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"gatehouse/internal/access"
	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
)

// found is a copy whose signature and manifest are good.
type found struct {
	copy    *copyFile
	head    *list
	content List
}

// load takes the newest good copy and makes the other one equal to it. Bad ones
// are set aside. Called once, by Open.
func (k *Keyring) load() {
	if len(k.opts.Keys.Issuers) == 0 { // nothing can be judged
		k.publishNone(false)
		return
	}
	var candidates []found
	bad := false
	for _, c := range k.copies {
		f, err := k.inspect(c)
		switch {
		case err == nil:
			candidates = append(candidates, f)
		case !errors.Is(err, fs.ErrNotExist):
			k.discard(c, err)
			bad = true
		}
	}
	if len(candidates) == 2 && candidates[1].head.manifest.Version > candidates[0].head.manifest.Version {
		candidates[0], candidates[1] = candidates[1], candidates[0]
	}
	for _, f := range candidates {
		if err := k.consider(f); err != nil {
			k.discard(f.copy, err)
			bad = true
		}
	}
	if k.list == nil {
		k.publishNone(bad)
		return
	}
	k.publish(k.list)
	if err := k.store(k.list); err != nil {
		k.opts.Log.Error().Err(err).Msg("grants can't be written")
	}
}

// inspect reads a copy as far as its manifest.
func (k *Keyring) inspect(c *copyFile) (found, error) {
	content, err := c.read()
	if err != nil {
		return found{}, err
	}
	head, err := k.head(content.Manifest)
	switch {
	case errors.Is(err, wire.ErrMalformed), errors.Is(err, wire.ErrBadSignature):
		return found{}, fmt.Errorf("read %s: %w: %w", c.path, durable.ErrDamaged, err)
	case err != nil: // good for another house or issuer: not ours to set aside
		c.err = fmt.Errorf("read %s: %w", c.path, err)
		return found{}, c.err
	}
	return found{c, head, content}, nil
}

// consider makes the first good copy the list in force. Of the second, it is
// enough that its bytes are those of its manifest: it may be older, where power
// went between the two.
func (k *Keyring) consider(f found) error {
	f.copy.note(f.content)
	if !slices.Equal(f.copy.buckets, f.head.manifest.Buckets) {
		return fmt.Errorf("read %s: %w: buckets are not those of the manifest", f.copy.path, durable.ErrDamaged)
	}
	f.copy.hash, f.copy.version = f.head.hash, f.head.manifest.Version
	if k.list != nil {
		return nil
	}
	if !k.marks.admit(f.head) {
		return fmt.Errorf("read %s: %w: version %d is older than, or not the same as, the one last applied (%d)",
			f.copy.path, durable.ErrDamaged, f.head.manifest.Version, k.marks.Version)
	}
	if err := f.head.fill(nil, func(i int) []byte { return f.content.Buckets[i] }); err != nil {
		return fmt.Errorf("read %s: %w: %w", f.copy.path, durable.ErrDamaged, err)
	}
	k.list = f.head
	return nil
}

// discard sets a damaged copy aside. What is not damaged but can't be read (a
// sick disk, another owner) stays where it is.
func (k *Keyring) discard(c *copyFile, why error) {
	c.known, c.err = false, why
	k.opts.Log.Error().Err(why).Msg("copy of the grants can't be used")
	if errors.Is(why, durable.ErrDamaged) {
		k.putAside(c.path)
	}
}

func (k *Keyring) putAside(path string) {
	name, err := durable.SetAside(path)
	if err != nil {
		k.opts.Log.Error().Err(err).Msg("damaged file can't be set aside")
		return
	}
	k.setAside = append(k.setAside, filepath.Base(name))
	k.opts.Log.Error().Str("file", name).Msg("damaged file was set aside")
}

// publishNone is for a house without a list: one that never had any knows
// nobody; one that lost it, or has no keys, is not ready to judge.
func (k *Keyring) publishNone(bad bool) {
	lost := bad || k.marks.Version > 0
	if lost || k.opts.Keys.Building == nil || len(k.opts.Keys.Issuers) == 0 {
		k.opts.Log.Warn().Bool("lost", lost).Msg("no grants: every card is refused; exits and fire work")
		return
	}
	empty, err := access.NewGrants(access.Doors{}, 0, make([]*access.Bucket, 1))
	if err != nil {
		panic(err) // one empty bucket by no bits
	}
	k.grants.Store(empty)
}

// publish puts a list in force.
func (k *Keyring) publish(l *list) {
	k.list = l
	k.grants.Store(l.grants)
	k.raiseFloor(int64(l.manifest.Issued))
	k.forgetBound()
}

func (k *Keyring) raiseFloor(t int64) { k.floor.Store(max(k.floor.Load(), t)) }
