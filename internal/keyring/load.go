package keyring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"gatehouse/internal/durable"
	"gatehouse/internal/keyring/copies"
	"gatehouse/internal/keyring/files"
	"gatehouse/internal/keyring/merge"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"
)

// load uses the newest good file and makes the other one equal to it. Bad files are put aside. next
// is the result of active.read. Called once, by Open.
func (k *Keyring) load(next wire.Hash) {
	a := k.active
	if len(k.Keys.Issuers()) == 0 && a.marks.Signer == nil { // nothing can be verified
		a.publishNone(false)
		return
	}
	found, bad := k.Copies.Read(k.openStored)
	k.compareCopies(found)
	for _, f := range found {
		if !k.Copies.Use(f, &a.state.Over, func(path string) error { return k.use(f, path, next) }) {
			bad = true
		}
	}
	if a.state.List == nil {
		a.publishNone(bad)
		return
	}
	a.publish(a.state.List)
	if err := a.store(a.state.List); err != nil {
		k.opts.Log.Error().Err(err).Msg("grants can't be written")
	}
}

// openStored verifies the manifest of a copy, and takes the marks in it where they are later than those of
// their file. The active list stays until the next one comes even if the root has taken back its issuer since,
// at a restart too: by the marks of their file, which SetTrust writes first.
func (k *Keyring) openStored(c copies.Content) (*signedlist.List, error) {
	a := k.active
	l, err := k.open(c.Manifest, k.Keys.Issuers())
	if by := a.marks.Signer; errors.Is(err, wire.ErrUnknownKey) && by != nil && k.Keys.Registry() != nil {
		was, failed := k.open(c.Manifest, []wire.Key{by.key()})
		if failed != nil || a.marks.are(was) {
			return was, failed
		}
	}
	if err != nil {
		return nil, err
	}
	var m marks
	if !files.Unend(c.Marks, &m) || m.Authority != a.marks.Authority || !m.are(l) {
		return l, nil
	}
	count := max(m.Changes, a.marks.Changes) // a program from before them begins anew
	if m.laterThan(a.marks) {
		a.setMarks(m)
	}
	a.marks.Changes = count
	return l, nil
}

// compareCopies takes the grants that are over from both files, and reports where the files differ,
// or one is missing, without a power cut that explains it.
func (k *Keyring) compareCopies(found []copies.Found) {
	a := k.active
	for _, f := range found {
		a.state.Over.Add(f.Over...)
	}
	if a.ahead.there { // they were being written
		return
	}
	if (len(found) > 0 || a.marks.Version > 0) && len(a.dir.Aside()) == 0 {
		for _, name := range k.Copies.Missing() {
			k.damaged(name, "missing")
		}
	}
	if len(found) == 1 || len(found) == 2 && found[0].Anchored {
		if _, err := os.Stat(a.dir.Join(marksFile)); errors.Is(err, fs.ErrNotExist) {
			k.damaged(marksFile, "missing")
		}
	}
	if name := copies.Behind(found); name != "" {
		k.damaged(name, "behind")
	}
}

// damaged reports a file that is not as it was left.
func (k *Keyring) damaged(name, how string) {
	k.damage = append(k.damage, name+" "+how)
	k.opts.Log.Error().Str("file", name).Msg("file of the grants is " + how)
}

// use makes the first good file's list the active one. Of the second file only the bytes must match
// its manifest: it may be older, after a power cut between the two.
func (k *Keyring) use(f copies.Found, path string, next wire.Hash) error {
	a := k.active
	if a.state.List != nil {
		return nil
	}
	if !a.marks.admit(f.List) {
		return fmt.Errorf("read %s: %w: version %d is older than, or not the same as, the one last applied (%d)",
			path, durable.ErrDamaged, f.List.Manifest.Version, a.marks.Version)
	}
	if f.Lost {
		return fmt.Errorf("read %s: the changes ahead of it are lost, so that another list may have been active", path)
	}
	if err := f.List.Fill(nil, func(i int) []byte { return f.Buckets[i] }); err != nil {
		return fmt.Errorf("read %s: %w: %w", path, durable.ErrDamaged, err)
	}
	f.List.Second = f.Second
	a.state.List, a.stored = f.List, f.List
	if f.List.Hash == next {
		a.state.Limits = merge.Restraint{} // the list itself says it now
	}
	return nil
}
