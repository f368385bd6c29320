package keyring

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"gatehouse/internal/access"
	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
)

// What Apply answers besides nil.
var (
	// ErrRefused: not signed by who must sign it for this building, or not
	// valid. Sending it again does not help.
	ErrRefused = errors.New("refused")
	// ErrConflict: made from another list than the one in force. Read the list
	// again, make the change again.
	ErrConflict = errors.New("grant list does not follow the one in force")
	// ErrRolledBack stands beside ErrRefused or ErrConflict: older than what is,
	// or was, in force.
	ErrRolledBack = errors.New("older than what is in force")
	// ErrNotDurable: it is in force, and no disk holds it.
	ErrNotDurable = errors.New("could not be written")
)

// Apply verifies an update, writes it to both files, and puts it in force. Its
// version must be higher than any applied before. Unless it brings every bucket
// it must be made from the list in force; from a registry, which is the only one
// that makes lists, it is enough that all buckets are here or with it (Missing
// tells). One that takes from many tenancies (Losses) needs a second signature,
// else it is ErrSecondNeeded and the list in force stays. The list in force, applied again,
// changes nothing and is no error.
//
// A revocation does not wait for a disk that fails: with no file written the
// list is in force all the same, until the next start, and the answer is
// ErrNotDurable. One good file is enough for nil; Status tells of the other.
func (k *Keyring) Apply(u Update) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := checkLabels(u.Labels); err != nil {
		return fmt.Errorf("apply list: %w: %w", ErrRefused, err)
	}
	next, err := k.head(u.Manifest, k.issuers())
	if err != nil {
		return fmt.Errorf("apply list: %w: %w", ErrRefused, err)
	}
	if k.list != nil && k.list.hash == next.hash {
		return errors.Join(k.store(k.list), k.setLabels(u.Labels)) // a copy may have been bad
	}
	if err := k.follow(next, u.Buckets); err != nil {
		return fmt.Errorf("apply list version %d: %w", next.manifest.Version, err)
	}
	if err := k.limit(next, u.Second); err != nil {
		return fmt.Errorf("apply list version %d: %w", next.manifest.Version, err)
	}
	before := k.list
	k.hearList(next)
	if before != nil && k.registry.Load() != nil {
		k.remember(k.dropped(next))
	}
	stored := k.store(next)
	k.publish(next)
	k.sweep()
	return errors.Join(stored, k.dropLabels(before), k.setLabels(u.Labels))
}

// follow checks that next may come after the list in force, and fills it.
func (k *Keyring) follow(next *list, sent [][]byte) error {
	m := next.manifest
	restored := k.list == nil && k.marks.admit(next) // the very list that was lost
	if m.Version <= k.marks.Version && !restored {
		return fmt.Errorf("%w: %w: version %d was applied", ErrConflict, ErrRolledBack, k.marks.Version)
	}
	byHash := make(map[wire.Hash][]byte, len(sent))
	for _, b := range sent {
		byHash[sha256.Sum256(b)] = b
	}
	for i, hash := range m.Buckets {
		if byHash[hash] == nil && (!next.shares(k.list, i) || k.list.hash != m.Previous && k.registry.Load() == nil) {
			return fmt.Errorf("%w: it is made from another one, and bucket %d is not with it", ErrConflict, i)
		}
	}
	if err := next.fill(k.list, func(i int) []byte { return byHash[m.Buckets[i]] }); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	for _, hash := range m.Buckets {
		delete(byHash, hash)
	}
	if len(byHash) > 0 {
		return fmt.Errorf("%w: %d buckets are not those of the manifest", ErrRefused, len(byHash))
	}
	return nil
}

// Missing returns which buckets of a manifest Apply would need, by their hashes
// and each once. It verifies the manifest; one that Apply would refuse is the
// same error here.
func (k *Keyring) Missing(manifest []byte) ([]wire.Hash, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next, err := k.head(manifest, k.issuers())
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w: %w", ErrRefused, err)
	}
	if k.list != nil && k.list.hash == next.hash {
		return nil, nil
	}
	if next.manifest.Version <= k.marks.Version && !(k.list == nil && k.marks.admit(next)) {
		return nil, fmt.Errorf("read manifest: %w: %w: version %d was applied", ErrConflict, ErrRolledBack, k.marks.Version)
	}
	var missing []wire.Hash
	asked := make(map[wire.Hash]bool)
	for i, hash := range next.manifest.Buckets {
		if !next.shares(k.list, i) && !asked[hash] {
			asked[hash] = true
			missing = append(missing, hash)
		}
	}
	return missing, nil
}

// store writes a list to both files, and then the mark below which nothing is
// taken again. The mark comes last: a mark without its list would lock the
// house out.
func (k *Keyring) store(l *list) error {
	var failed []error
	for _, c := range k.copies {
		if !c.known {
			k.recover(c)
		}
		err := c.write(l)
		if errors.Is(err, durable.ErrDamaged) { // found while writing: make it anew
			k.putAside(c.path)
			err = c.write(l)
		}
		if err != nil {
			k.opts.Log.Error().Err(err).Msg("copy of the grants can't be written")
			failed = append(failed, err)
		}
	}
	k.durable = len(failed) < len(k.copies)
	if !k.durable {
		k.marks = k.marksAfter(l) // in memory: nothing older may follow
		return fmt.Errorf("%w: %w", ErrNotDurable, errors.Join(failed...))
	}
	k.saveMarks(k.marksAfter(l))
	return nil
}

// recover looks at a file whose last write failed, so that it need not be
// written whole.
func (k *Keyring) recover(c *copyFile) {
	content, err := c.read()
	switch {
	case err == nil:
		c.note(content)
	case errors.Is(err, durable.ErrDamaged):
		k.putAside(c.path)
	}
}

// dropLabels erases the labels of grants that the list in force has no more.
func (k *Keyring) dropLabels(before *list) error {
	if before == nil || len(k.labels) == 0 {
		return nil
	}
	left := make(map[access.ID]bool)
	for r := range k.view.grants.All() {
		left[r.Grant] = true
	}
	gone := make(map[wire.ID]string)
	for id := range k.labels {
		if !left[access.ID(id)] {
			gone[wire.ID(id)] = ""
		}
	}
	return k.setLabels(gone)
}
