package keyring

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"gatehouse/internal/amount"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring/merge"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"
)

// refused stores why a list is refused, if that is one of a Refusal's reasons.
func (k *Keyring) refused(l *signedlist.List, err error) {
	for _, why := range [...]error{ErrRolledBack, ErrTooFar, ErrSecondNeeded, signedlist.ErrNewerFormat} {
		if errors.Is(err, why) {
			k.refusal = &Refusal{l.Signer.Epoch, l.Manifest.Version, why}
			return
		}
	}
}

// open verifies the signature of a list by one of the keys and reads its manifest.
// Callers hold mu.
func (k *Keyring) open(envelope []byte, issuers []wire.Key) (*signedlist.List, error) {
	l, err := signedlist.Open(envelope, k.opts.Building, k.opts.Formats, issuers)
	if err != nil {
		k.refused(l, err)
		return nil, err
	}
	return l, nil
}

// Apply verifies an update, makes it active, and writes it to both files. Its
// rank (epoch of the issuer's role, then version) must be above any applied before.
// Unless it brings every bucket it must be made from the active list; from a
// registry, which is the only one that makes lists, it is enough that all buckets
// are here or with it (Missing tells). One that takes from many tenancies (grantlist.Losses)
// needs a second signature, else it is ErrSecondNeeded and the active list stays.
// The active list, applied again, changes nothing and is no error.
//
// A list that does not prove that it descends from the active one is
// ErrUnproved the first time, nil then: what it takes is active, also after a
// restart, and the active list stays. What a list gives back of what is over
// stays shut (Status.Masked), and is no error.
//
// A revocation waits for no disk. Each of the two copies takes the list by one sync; where it
// takes more, a small file keeps what is taken until the list is written. With no file written the list is active all the same, until the
// next start, and the answer is ErrNotDurable. One good file is enough for nil;
// Status tells of the other.
func (k *Keyring) Apply(u grantlist.Update) error {
	a := k.active
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := checkLabels(u.Labels); err != nil {
		return fmt.Errorf("apply list: %w: %w", ErrRefused, err)
	}
	next, err := k.open(u.Manifest, k.Keys.Issuers())
	if err != nil {
		return fmt.Errorf("apply list: %w: %w", ErrRefused, err)
	}
	if l := a.state.List; l != nil && l.Hash == next.Hash {
		return errors.Join(a.store(l), k.Labels.set(u.Labels)) // a file may have been bad
	}
	proved := k.descends(next, u.Proof)
	if !proved && a.state.Limits.Knows(next) {
		return nil // what it takes is active already
	}
	took, err := k.judge(next, u, proved)
	if err != nil {
		k.refused(next, err)
		return fmt.Errorf("apply list version %d: %w", next.Manifest.Version, err)
	}
	if !proved {
		a.restrain(took)
		return fmt.Errorf("apply list version %d: %w: what it takes is active, what it gives waits", next.Manifest.Version, ErrUnproved)
	}
	return k.activate(next, took, u.Labels)
}

// activate is the rest of Apply for a list that counts entirely.
func (k *Keyring) activate(next *signedlist.List, took merge.Restraint, labels map[wire.ID]string) error {
	first := k.active.state.List == nil
	k.refusal = nil
	stored := k.active.activate(next, took)
	k.Records.sweep()
	if first {
		return errors.Join(stored, k.Labels.set(labels))
	}
	return errors.Join(stored, k.Labels.keep(k.active.state.View.Named), k.Labels.set(labels))
}

// judge checks that next may come now, fills it, and returns what it takes, within the limit.
func (k *Keyring) judge(next *signedlist.List, u grantlist.Update, proved bool) (merge.Restraint, error) {
	if err := k.active.newer(next); err != nil {
		return merge.Restraint{}, err
	}
	if err := k.fill(next, u.Buckets); err != nil {
		return merge.Restraint{}, err
	}
	if next.CheckSecond(u.Second, k.opts.Building, k.Keys.Issuers()) == nil {
		next.Second = bytes.Clone(u.Second)
	}
	took := k.active.state.Takes(next, k.opts.Sure(), proved)
	return took, k.limit(next, took, u.Second, proved)
}

func (k *Keyring) descends(next *signedlist.List, p grantlist.Proof) bool {
	return signedlist.Descends(k.active.state.List, next, p, k.Keys.Registry() != nil, k.Keys.Issuers())
}

// fill reads the buckets of a list that may come now: those that it shares with the active one, and
// those that were sent.
func (k *Keyring) fill(next *signedlist.List, sent [][]byte) error {
	m, l := next.Manifest, k.active.state.List
	byHash := make(map[wire.Hash][]byte, len(sent))
	for _, b := range sent {
		byHash[sha256.Sum256(b)] = b
	}
	for i, hash := range m.Buckets {
		if byHash[hash] == nil && (!next.Shares(l, i) || l.Hash != m.Previous && k.Keys.Registry() == nil) {
			return fmt.Errorf("%w: it is made from another one, and bucket %d is not with it", ErrConflict, i)
		}
	}
	if err := next.Fill(l, func(i int) []byte { return byHash[m.Buckets[i]] }); err != nil {
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

// Missing returns the hashes of the buckets that Apply would need for a manifest, each once. It
// verifies the manifest; one that Apply would refuse gets the same error here. None is missing
// where nothing of the list would be new.
func (k *Keyring) Missing(manifest []byte, p grantlist.Proof) ([]wire.Hash, error) {
	a := k.active
	a.mu.Lock()
	defer a.mu.Unlock()
	next, err := k.open(manifest, k.Keys.Issuers())
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w: %w", ErrRefused, err)
	}
	l := a.state.List
	if l != nil && l.Hash == next.Hash || a.state.Limits.Knows(next) && !k.descends(next, p) {
		return nil, nil
	}
	if err := a.newer(next); err != nil {
		k.refused(next, err)
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	var missing []wire.Hash
	asked := make(map[wire.Hash]bool)
	for i, hash := range next.Manifest.Buckets {
		if !next.Shares(l, i) && !asked[hash] {
			asked[hash] = true
			missing = append(missing, hash)
		}
	}
	return missing, nil
}

// limit counts the tenancies that lose something by next, together with those that lists of the
// last day took from, and asks for a second signature where they are too many: a thief of one
// issuer's key, or a slip at the registry, must not lock a house out. The day is by the machine's
// own clock, because a thief could sign that years have passed. A standalone house has one
// authority, the landlord, and no such limit.
func (k *Keyring) limit(next *signedlist.List, took merge.Restraint, second []byte, proved bool) error {
	a := k.active
	if k.Keys.Registry() == nil || a.state.List == nil {
		return nil
	}
	past, days := k.opts.Sure(), k.Time.Days()
	lost, recent := a.state.Losses(next, took, past, proved), a.marks.recent(k.Time.Own())
	for id := range recent {
		delete(lost, id) // counted today already
	}
	next.Removed = slices.Collect(maps.Keys(lost))
	sum := len(lost) + len(recent)
	if len(lost) == 0 || sum <= grantlist.MayLose(0) {
		return nil
	}
	open := a.state.View.Contents(nil).Open(past)
	maps.Copy(open, recent)
	if sum <= grantlist.MayLose(len(open))*days {
		return nil
	}
	if err := next.CheckSecond(second, k.opts.Building, k.Keys.Issuers()); err != nil {
		k.Time.Refuse()
		return fmt.Errorf("%w: it takes from %d of %s within %s: %w", ErrSecondNeeded, sum, amount.Of(len(open), "tenancy"), amount.Of(days, "day"), err)
	}
	next.Removed = nil // two issuers answer for them
	return nil
}
