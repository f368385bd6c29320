package keyring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
)

// found is a copy whose signature and manifest are good.
type found struct {
	copy    *copyFile
	head    *list
	content stored
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
	k.compareCopies(candidates)
	if len(candidates) == 2 && candidates[1].head.rank().compare(candidates[0].head.rank()) > 0 {
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

// compareCopies takes the grants that are over from both copies, and tells where
// they differ, or one is missing, and no power cut explains it.
func (k *Keyring) compareCopies(candidates []found) {
	for _, f := range candidates {
		k.over.add(f.content.Over...)
	}
	if k.removing { // they were being written
		return
	}
	for _, c := range k.copies {
		if _, err := os.Stat(c.path); errors.Is(err, fs.ErrNotExist) && (len(candidates) > 0 || k.marks.Version > 0) && len(k.aside.all()) == 0 {
			k.damaged(filepath.Base(c.path), "missing")
		}
	}
	if len(candidates) == 1 || len(candidates) == 2 && candidates[0].content.anchored {
		if _, err := os.Stat(filepath.Join(k.opts.Dir, marksFile)); errors.Is(err, fs.ErrNotExist) {
			k.damaged(marksFile, "missing")
		}
	}
	if len(candidates) < 2 {
		return
	}
	a, b := candidates[0], candidates[1]
	switch c := a.head.rank().compare(b.head.rank()); {
	case c > 0 || c == 0 && len(a.content.Over) > len(b.content.Over):
		k.damaged(filepath.Base(b.copy.path), "behind")
	case c < 0 || len(a.content.Over) < len(b.content.Over):
		k.damaged(filepath.Base(a.copy.path), "behind")
	}
}

// damaged tells of a file that is not as it was left.
func (k *Keyring) damaged(name, how string) {
	k.damage = append(k.damage, name+" "+how)
	k.opts.Log.Error().Str("file", name).Msg("file of the grants is " + how)
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
	if slices.Equal(f.content.Over, k.over.ids[:min(len(f.content.Over), len(k.over.ids))]) && f.content.anchored {
		f.copy.over = len(f.content.Over)
	}
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
	f.head.second = f.content.Second
	k.list, k.stored = f.head, f.head
	if f.head.hash == k.next {
		k.limits = restraint{} // the list itself says it now
	}
	return nil
}

// discard sets a damaged copy aside. What is not damaged but can't be read (a
// sick disk, another owner) stays where it is.
func (k *Keyring) discard(c *copyFile, why error) {
	c.known, c.err = false, why
	k.opts.Log.Error().Err(why).Msg("copy of the grants can't be used")
	if errors.Is(why, durable.ErrDamaged) {
		k.aside.put(c.path)
	}
}

// inForce reads the very list that was in force, whose issuer the root has taken
// back since: until the next list comes it stays, at a start as without one.
func (k *Keyring) inForce(manifest []byte, unknown error) (*list, error) {
	if k.marks.Signer == nil || k.registry.Load() == nil {
		return nil, unknown
	}
	head, err := k.head(manifest, []wire.Key{k.marks.Signer.key()})
	if err == nil && (head.rank() != k.marks.rank() || head.hash != k.marks.Hash) {
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

// counted is a list as it counts: what is over stays shut.
type counted struct {
	of     *list
	over   int // how many were
	list   *list
	masked []Masked
}

// listed returns the list in force as it counts; nil: none. Callers hold mu.
func (k *Keyring) listed() *list {
	if c := &k.counts; c.of != k.list || c.over != len(k.over.ids) {
		c.of, c.over = k.list, len(k.over.ids)
		c.list, c.masked = masked(k.list, k.over.index)
	}
	return k.counts.list
}

// combine returns what a list, as it counts, and the records together say, as far
// as other lists take nothing of it; and the records that the list has not settled.
func (k *Keyring) combine(l *list, over map[wire.ID]bool, limits restraint) (view, []*held) {
	return k.combineWith(k.records, l, over, limits)
}

// combineWith is combine with these records only.
func (k *Keyring) combineWith(records []*held, l *list, over map[wire.ID]bool, limits restraint) (view, []*held) {
	rows := rowsOf(l, slices.Concat(k.heard, records))
	left, _ := settle(l, rows, over, records)
	v, err := merge(l, rows, over, slices.Concat(k.heard, left))
	if err != nil { // never with records that AddLocal has taken
		k.opts.Log.Error().Err(err).Msg("changes made at the building can't be merged into the list")
		v, _ = merge(l, nil, nil, nil)
	}
	return restrict(v, &limits, left), left
}

// refresh puts in force what the list and the records together say. Callers
// hold mu.
func (k *Keyring) refresh() {
	k.age()
	v, left := k.combine(k.listed(), k.over.index, k.limits)
	if k.list == nil && k.lost {
		v.grants = v.grants.Incomplete()
	}
	if k.list == nil && len(left) == 0 && (k.lost || k.building.Load() == nil || len(k.issuers()) == 0) {
		v.grants = nil
	}
	k.view, k.left = v, left
	k.grants.Store(v.grants)
	k.adopt.forgetBound()
}
