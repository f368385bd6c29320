package keyring

import (
	"errors"
	"io/fs"

	"gatehouse/internal/durable"
	"gatehouse/internal/keyring/files"
	"gatehouse/internal/keyring/merge"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"
)

// removalsFile is synced before a list is written to the two large files: after
// a power cut between them it says what the list had taken. It also says that the
// two may differ, so that this is no damage.
const removalsFile = "removals.json"

// removals is what is in it (files.WriteRow).
type removals struct {
	merge.Restraint
	Storing bool      `json:"storing,omitempty"` // the large files are being written
	Next    wire.Hash `json:"next"`              // of the manifest of the list that is active instead, if any
}

// ahead is that file, and what the active list takes until it is stored.
type ahead struct {
	dir     *files.Dir
	there   bool
	pending merge.Restraint  // with what was laid over the list before
	storing *signedlist.List // that list; nil: none
}

// read is for Open. A damaged file is put aside and counts as empty: the
// lists that it speaks of come again.
func (a *ahead) read() (r removals) {
	path := a.dir.Join(removalsFile)
	err := files.ReadRow(path, &r)
	switch {
	case err == nil:
		a.there = r.Storing || !r.Empty()
		return r
	case errors.Is(err, durable.ErrDamaged):
		a.dir.PutAside(path)
	case !errors.Is(err, fs.ErrNotExist):
		a.dir.Log.Error().Err(err).Msg("file of removals can't be read")
	}
	return removals{}
}

// keep makes the file say what is laid over the list, and what the list
// takes that is not stored; with nothing to say there is none.
func (a *ahead) keep(limits merge.Restraint, storing bool) error {
	defer a.dir.DidWrite()
	path := a.dir.Join(removalsFile)
	r := removals{Restraint: limits.And(a.pending), Storing: storing}
	if a.storing != nil {
		r.Next = a.storing.Hash
	}
	if !r.Storing && r.Empty() {
		if !a.there {
			return nil
		}
		err := durable.Remove(path)
		a.there = err != nil
		return err
	}
	a.there = true
	return files.WriteRow(path, r)
}
