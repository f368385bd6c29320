package keyring

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"gatehouse/internal/durable"
	"gatehouse/internal/grantlist"
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

// Apply verifies an update, puts it in force, and writes it to both files. Its
// rank (epoch of the issuer's role, then version) must be above any applied before.
// Unless it brings every bucket it must be made from the list in force; from a
// registry, which is the only one that makes lists, it is enough that all buckets
// are here or with it (Missing tells). One that takes from many tenancies (Losses)
// needs a second signature, else it is ErrSecondNeeded and the list in force stays.
// The list in force, applied again, changes nothing and is no error.
//
// A list that does not prove that it descends from the one in force is
// ErrUnproved the first time, nil then: what it takes is in force, also after a
// restart, and the list in force stays. What a list gives back of what is over
// stays shut (Status.Masked), and is no error.
//
// A revocation waits for no disk. A small file keeps what is taken until the list
// is written. With no file written the list is in force all the same, until the
// next start, and the answer is ErrNotDurable. One good file is enough for nil;
// Status tells of the other.
func (k *Keyring) Apply(u grantlist.Update) error {
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
	proved := k.descends(next, u.Proof)
	if !proved && k.limits.knows(next) {
		return nil // what it takes is in force already
	}
	took, err := k.judge(next, u, proved)
	if err != nil {
		if r := refusalOf(next, err); r != nil {
			k.refusal = r
		}
		return fmt.Errorf("apply list version %d: %w", next.manifest.Version, err)
	}
	if !proved {
		k.restrain(took)
		return fmt.Errorf("apply list version %d: %w: what it takes is in force, what it gives waits", next.manifest.Version, ErrUnproved)
	}
	return k.putInForce(next, took, u.Labels)
}

// judge checks that next may come now, fills it, and returns what it takes, if
// the limit allows that.
func (k *Keyring) judge(next *list, u grantlist.Update, proved bool) (restraint, error) {
	if err := k.newer(next); err != nil {
		return restraint{}, err
	}
	if err := k.fill(next, u.Buckets); err != nil {
		return restraint{}, err
	}
	if k.checkSecond(next, u.Second) == nil {
		next.second = bytes.Clone(u.Second)
	}
	took := restraintOf(k.view, next, k.over.index)
	if proved {
		for _, id := range dropped(k.list, next, k.opts.Sure()) {
			took.Gone = append(took.Gone, id)
		}
		took.Gives, took.More = nil, 0
	} else {
		took.Lists = []listName{next.name()}
	}
	return took, k.limit(next, took, u.Second, proved)
}

// restrain puts in force what a list takes that proves nothing, and keeps it on
// disk until one that does is there.
func (k *Keyring) restrain(took restraint) {
	k.over.add(took.Gone...)
	k.limits = k.limits.and(took)
	k.refresh()
	if err := k.keepRemovals(true); err != nil {
		k.opts.Log.Error().Err(err).Msg("what a list takes that proves nothing can't be written")
	}
	_ = k.store(k.list) // with its tombstones; logged there, tried again in a minute
}

// putInForce is the rest of Apply for a list whose every word counts. It is in
// force at once; a small file keeps what it takes until it is written.
func (k *Keyring) putInForce(next *list, took restraint, labels map[wire.ID]string) error {
	before := k.list
	k.over.add(took.Gone...)
	k.pending, k.storing = k.limits.and(took), next
	k.limits, k.refusal = restraint{}, nil
	k.publish(next)
	if err := k.keepRemovals(true); err != nil {
		k.opts.Log.Error().Err(err).Msg("what the list takes can't be written ahead of it")
	}
	stored := k.store(next)
	k.sweep()
	return errors.Join(stored, k.dropLabels(before), k.setLabels(labels))
}

// descends reports whether next follows the list in force.
func (k *Keyring) descends(next *list, p grantlist.Proof) bool {
	return descends(k.list, next, p, k.registry.Load() != nil, k.issuers())
}

// fill reads the buckets of a list that may come now: those that it shares with
// the one in force, and those that were sent.
func (k *Keyring) fill(next *list, sent [][]byte) error {
	m := next.manifest
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

// ErrNewerFormat means a list, validly signed, of a format that this program does not
// read.
var ErrNewerFormat = errors.New("of a format that this program does not read")

// Refusal is a list, validly signed, that was not taken, and why: ErrRolledBack,
// ErrTooFar, ErrSecondNeeded or ErrNewerFormat.
type Refusal struct {
	Epoch   uint64
	Version uint64
	Why     error
}

func refusalOf(l *list, err error) *Refusal {
	for _, why := range [...]error{ErrRolledBack, ErrTooFar, ErrSecondNeeded} {
		if errors.Is(err, why) {
			return &Refusal{l.signer.Epoch, l.manifest.Version, why}
		}
	}
	return nil
}

// Missing returns which buckets of a manifest Apply would need, by their hashes
// and each once. It verifies the manifest; one that Apply would refuse is the
// same error here. None is missing where nothing of the list would be new.
func (k *Keyring) Missing(manifest []byte, p grantlist.Proof) ([]wire.Hash, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next, err := k.head(manifest, k.issuers())
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w: %w", ErrRefused, err)
	}
	if k.list != nil && k.list.hash == next.hash || k.limits.knows(next) && !k.descends(next, p) {
		return nil, nil
	}
	if err := k.newer(next); err != nil {
		k.refusal = refusalOf(next, err) // the cause is one of these
		return nil, fmt.Errorf("read manifest: %w", err)
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

// store writes a list, with the grants that are over, to both files, and then the
// mark below which nothing is taken again. The mark comes last: a mark without its
// list would lock the house out. While the two may differ a small file says so.
func (k *Keyring) store(l *list) error {
	if k.copies[0].holds(l, &k.over) && k.copies[1].holds(l, &k.over) {
		return k.settled(l)
	}
	if !k.removing {
		if err := k.keepRemovals(true); err != nil {
			k.opts.Log.Error().Err(err).Msg("that the grants are being written can't be written")
		}
	}
	var failed []error
	for _, c := range k.copies {
		if !c.known {
			k.recover(c)
		}
		err := c.write(l, &k.over)
		k.didWrite()
		if errors.Is(err, durable.ErrDamaged) { // found while writing: make it anew
			k.aside.put(c.path)
			err = c.write(l, &k.over)
		}
		if err != nil {
			k.opts.Log.Error().Err(err).Msg("copy of the grants can't be written")
			failed = append(failed, err)
		}
	}
	if len(failed) == len(k.copies) {
		k.marks = k.marksAfter(l) // in memory: nothing older may follow
		return fmt.Errorf("%w: %w", ErrNotDurable, errors.Join(failed...))
	}
	if len(failed) > 0 {
		k.stored = l
		k.saveMarks(k.marksAfter(l))
		return nil // the small file stays: the two differ
	}
	return k.settled(l)
}

// settled is after both files hold what is in force: the small file says only what
// still has to be laid over it.
func (k *Keyring) settled(l *list) error {
	k.stored = l
	k.saveMarks(k.marksAfter(l))
	k.limits.Gone, k.pending, k.storing = nil, restraint{}, nil
	k.dropOver()
	if err := k.keepRemovals(false); err != nil {
		k.opts.Log.Error().Err(err).Msg("what the list has taken can't be erased from its small file")
	}
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
		k.aside.put(c.path)
	}
}

// dropLabels erases the labels of grants that the list in force has no more.
func (k *Keyring) dropLabels(before *list) error {
	if before == nil || len(k.labels) == 0 {
		return nil
	}
	left := make(map[wire.ID]bool)
	for r := range k.view.grants.All() {
		left[r.ID] = true
	}
	gone := make(map[wire.ID]string)
	for id := range k.labels {
		if !left[id] {
			gone[id] = ""
		}
	}
	return k.setLabels(gone)
}
