package keyring

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
)

// removalsFile is synced before a list is written to the two large files: after
// a power cut between them it says what the list had taken. It also says that the
// two may differ, so that this is no damage.
const removalsFile = "removals.json"

// removals is what is in it.
type removals struct {
	restraint
	Storing bool      `json:"storing,omitempty"` // the large files are being written
	Next    wire.Hash `json:"next"`              // of the manifest of the list that is in force instead, if any
}

// removalsPath is one line with the SHA-256 of the rest, which is JSON.
func (k *Keyring) removalsPath() string { return filepath.Join(k.opts.Dir, removalsFile) }

// readRemovals is for Open. A damaged file is set aside and counts as empty: the
// lists that it speaks of come again.
func (k *Keyring) readRemovals() (r removals) {
	body, err := readSummed(k.removalsPath())
	if err == nil {
		if err = json.Unmarshal(body, &r); err != nil {
			err = fmt.Errorf("%w: %w", durable.ErrDamaged, err)
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, durable.ErrDamaged):
		k.aside.put(k.removalsPath())
		r = removals{}
	case err != nil:
		k.opts.Log.Error().Err(err).Msg("file of removals can't be read")
		r = removals{}
	}
	k.removing = r.Storing || !r.empty()
	return r
}

// keepRemovals makes the file say what is laid over the list, and what the list
// takes that is not stored; with nothing to say there is none.
func (k *Keyring) keepRemovals(storing bool) error {
	defer k.didWrite()
	r := removals{restraint: k.limits.and(k.pending), Storing: storing}
	if k.storing != nil {
		r.Next = k.storing.hash
	}
	if !r.Storing && r.empty() {
		if !k.removing {
			return nil
		}
		err := durable.Remove(k.removalsPath())
		k.removing = err != nil
		return err
	}
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write %s: %w", removalsFile, err)
	}
	k.removing = true
	return durable.WriteFile(k.removalsPath(), withSum(body), 0o600)
}

func (k *Keyring) didWrite() {
	if k.wrote != nil {
		k.wrote()
	}
}

// overFile was the list of grants that are over before they stood with the list.
// It is read once more and then erased.
const overFile = "over.json"

type overRow struct {
	Grants []wire.ID `json:"grants"`
}

func (k *Keyring) readOver() {
	var old overRow
	k.read(overFile, &old)
	for _, id := range old.Grants {
		k.over.add([16]byte(id))
	}
}

// dropOver erases the old file: what is in it is in the list's files.
func (k *Keyring) dropOver() {
	path := filepath.Join(k.opts.Dir, overFile)
	if _, err := os.Stat(path); err == nil {
		if err := durable.Remove(path); err != nil {
			k.opts.Log.Error().Err(err).Msg("old file of grants that are over can't be erased")
		}
	}
}
