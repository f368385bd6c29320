package keyring

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

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
	if len(k.issuers()) == 0 && k.marks.Signer == nil { // nothing can be judged
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
	head, err := k.head(content.Manifest, k.issuers())
	if errors.Is(err, wire.ErrUnknownKey) {
		head, err = k.inForce(content.Manifest, err)
	}
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

// inForce reads the very list that was in force, whose issuer the root has taken
// back since: until the next list comes it stays, at a start as without one.
func (k *Keyring) inForce(manifest []byte, unknown error) (*list, error) {
	if k.marks.Signer == nil || k.registry.Load() == nil {
		return nil, unknown
	}
	head, err := k.head(manifest, []wire.Key{k.marks.Signer.key()})
	if err == nil && (head.manifest.Version != k.marks.Version || head.hash != wire.Hash(k.marks.Hash)) {
		return nil, unknown
	}
	return head, err
}

// publishNone is for a house without a list: one that never had any knows
// nobody; one that lost it, or has no keys, is not ready to judge.
func (k *Keyring) publishNone(bad bool) {
	k.lost = bad || k.marks.Version > 0
	k.refresh()
	if k.Grants() == nil {
		k.opts.Log.Warn().Bool("lost", k.lost).Msg("no grants: every card is refused; exits and fire work")
	}
}

// publish puts a list in force.
func (k *Keyring) publish(l *list) {
	k.list, k.lost = l, false
	k.hearList(l)
	k.refresh()
}

// combine returns what a list and the records together say, and the records that
// the list has not settled.
func (k *Keyring) combine(l *list, over map[wire.ID]bool) (view, []*held) {
	rows := rowsOf(l, k.records)
	left, _ := settle(l, rows, over, k.records)
	v, err := merge(l, rows, over, left)
	if err != nil { // never with records that AddLocal has taken
		k.opts.Log.Error().Err(err).Msg("changes made at the building can't be merged into the list")
		v, _ = merge(l, nil, nil, nil)
	}
	return v, left
}

// refresh puts in force what the list and the records together say. Callers
// hold mu.
func (k *Keyring) refresh() {
	v, left := k.combine(k.list, k.over.index)
	if k.list == nil && k.lost {
		v.grants = v.grants.Incomplete()
	}
	if k.list == nil && len(left) == 0 && (k.lost || k.building.Load() == nil || len(k.issuers()) == 0) {
		v.grants = nil
	}
	k.view, k.left = v, left
	k.grants.Store(v.grants)
	k.forgetBound()
}
