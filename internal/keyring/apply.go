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
	// ErrRefused: not signed by a pinned issuer for this building, or not a
	// valid list. Sending it again does not help.
	ErrRefused = errors.New("grant list refused")
	// ErrConflict: made from another list than the one in force. Read the list
	// again, make the change again.
	ErrConflict = errors.New("grant list does not follow the one in force")
	// ErrNotDurable: the list is in force, and no disk holds it.
	ErrNotDurable = errors.New("grant list could not be written")
)

// Apply verifies an update, writes it to both files, and puts it in force. Its
// version must be higher than any applied before; unless it brings every bucket
// it must be made from the list in force. The list in force, applied again,
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
	next, err := k.head(u.Manifest)
	if err != nil {
		return fmt.Errorf("apply list: %w: %w", ErrRefused, err)
	}
	if k.list != nil && k.list.hash == next.hash {
		return errors.Join(k.store(k.list), k.setLabels(u.Labels)) // a copy may have been bad
	}
	if err := k.follow(next, u.Buckets); err != nil {
		return fmt.Errorf("apply list version %d: %w", next.manifest.Version, err)
	}
	before := k.list
	stored := k.store(next)
	k.publish(next)
	return errors.Join(stored, k.dropLabels(before), k.setLabels(u.Labels))
}

// follow checks that next may come after the list in force, and fills it.
func (k *Keyring) follow(next *list, sent [][]byte) error {
	m := next.manifest
	restored := k.list == nil && k.marks.admit(next) // the very list that was lost
	if m.Version <= k.marks.Version && !restored {
		return fmt.Errorf("%w: version %d was applied", ErrConflict, k.marks.Version)
	}
	byHash := make(map[wire.Hash][]byte, len(sent))
	for _, b := range sent {
		byHash[sha256.Sum256(b)] = b
	}
	for i, hash := range m.Buckets {
		if byHash[hash] == nil && (!next.shares(k.list, i) || k.list.hash != m.Previous) {
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
	if len(failed) == len(k.copies) {
		k.marks = k.marks.after(l) // in memory: nothing older may follow
		return fmt.Errorf("%w: %w", ErrNotDurable, errors.Join(failed...))
	}
	k.saveMarks(k.marks.after(l))
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
	for r := range k.list.grants.All() {
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
