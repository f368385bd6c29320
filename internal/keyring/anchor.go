package keyring

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"gatehouse/internal/durable"

	bolt "go.etcd.io/bbolt"
)

// The files of the grants also keep where the journal was, beside the list and
// what is over, for the journal to find at its next start. What it means is the
// journal's business.
var (
	journalTable = []byte("journal")
	journalSlot  = []byte("anchor")
)

// copyNames are the two files of the list.
var copyNames = [2]string{"grants-a.db", "grants-b.db"}

// maxAnchor bounds the bytes of an anchor.
const maxAnchor = 256

// readAnchors reads what both files keep, whether their lists are good or not.
// Called by Open, before anything is set aside.
func (k *Keyring) readAnchors() {
	for _, c := range k.copies {
		b, err := c.readAnchor()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			k.opts.Log.Warn().Err(err).Msg("where the journal was can't be read from a copy of the grants")
		}
		if c.journal = b; len(b) > 0 {
			k.anchors = append(k.anchors, b)
		}
	}
	for _, c := range k.copies {
		if len(c.journal) == 0 && len(k.anchors) > 0 {
			c.journal = k.anchors[0] // for when it is made anew
		}
	}
}

// ReadAnchors reads what both files of a folder keep of the journal, for who
// verifies it; it changes nothing, and what can't be read is left out.
func ReadAnchors(dir string) (all [][]byte) {
	for _, name := range copyNames {
		c := copyFile{path: filepath.Join(dir, name)}
		if b, err := c.readAnchor(); err == nil && len(b) > 0 {
			all = append(all, b)
		}
	}
	return all
}

func (c *copyFile) readAnchor() (anchor []byte, err error) {
	db, err := durable.Open(c.path, &bolt.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	err = durable.Guard("read "+c.path, func() error {
		return db.View(func(tx *bolt.Tx) error {
			if table := tx.Bucket(journalTable); table != nil {
				anchor = append(anchor, table.Get(journalSlot)...)
			}
			return nil
		})
	})
	if errors.Is(err, durable.ErrDamaged) {
		return nil, err // a faulted file may never be closed again
	}
	return anchor, errors.Join(err, db.Close())
}

// Anchors returns what the files kept of the journal when they were opened, and
// what SetAnchor has put there since.
func (k *Keyring) Anchors() [][]byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([][]byte(nil), k.anchors...)
}

// SetAnchor keeps where the journal is in each file of the grants that is there,
// durably: one that can't be written is logged, and an error only if no other
// holds it. A house without a list has no such file, and keeps none.
func (k *Keyring) SetAnchor(anchor []byte) error {
	if len(anchor) == 0 || len(anchor) > maxAnchor {
		return fmt.Errorf("keep an anchor of the journal: %d bytes", len(anchor))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var failed []error
	kept := false
	anchor = append([]byte(nil), anchor...)
	for _, c := range k.copies {
		c.journal = anchor
		err := c.writeAnchor(anchor)
		switch {
		case err == nil:
			kept = true
		case !errors.Is(err, fs.ErrNotExist):
			failed = append(failed, err)
			k.opts.Log.Warn().Err(err).Msg("where the journal is can't be written to a copy of the grants")
		}
	}
	if !kept && len(failed) > 0 {
		return fmt.Errorf("keep an anchor of the journal: %w", errors.Join(failed...))
	}
	k.anchors = [][]byte{anchor}
	return nil
}

func (c *copyFile) writeAnchor(anchor []byte) error {
	db, err := durable.Open(c.path, nil)
	if err != nil {
		return err
	}
	err = durable.Guard("write "+c.path, func() error {
		return db.Update(func(tx *bolt.Tx) error {
			table, err := tx.CreateBucketIfNotExists(journalTable)
			if err != nil {
				return err
			}
			return table.Put(journalSlot, anchor)
		})
	})
	if errors.Is(err, durable.ErrDamaged) {
		c.known = false
		return err // a faulted file may never be closed again
	}
	return errors.Join(err, db.Close())
}

// putAnchor keeps the anchor in a file that is made anew.
func putAnchor(tx *bolt.Tx, anchor []byte) error {
	if len(anchor) == 0 {
		return nil
	}
	table, err := tx.CreateBucketIfNotExists(journalTable)
	if err != nil {
		return err
	}
	return table.Put(journalSlot, anchor)
}
