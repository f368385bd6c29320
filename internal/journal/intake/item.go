package intake

import (
	"crypto/rand"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// Item is an entry on its way to the disk.
type Item struct {
	Header wire.Header
	Ref    wire.Ref  // its boot number and counter; zero for an entry that was dropped
	Stored []byte    // its bytes in the file; a gap entry has none before Take, since it counts until then
	Leaf   tlog.Hash // of the tree

	salt [16]byte
	who  []byte
	low  bool
	done chan error // nil where nobody waits
}

// newItem takes the fields of an entry.
func newItem(h wire.Header, who wire.Who) (*Item, error) {
	it := &Item{Header: h, low: lowClass(h)}
	var err error
	if it.who, err = who.Encode(); err != nil {
		return it, fmt.Errorf("append to journal: %w", err)
	}
	if it.who != nil {
		rand.Read(it.salt[:]) // never fails: it ends the program instead
	}
	return it, nil
}

// seal makes the bytes that never change again.
func (it *Item) seal() error {
	header, err := it.Header.Encode()
	if err != nil {
		return err
	}
	s := journaled.New(header, it.salt, it.who)
	it.Stored, it.Leaf = s.Encode(), tlog.RecordHash(s.Leaf())
	return nil
}

// mustSeal seals an entry of the journal about itself.
func (it *Item) mustSeal() {
	if err := it.seal(); err != nil {
		panic(err) // every field is ours
	}
}

// finish tells whoever waits, once.
func (it *Item) finish(err error) {
	if it.done != nil {
		it.done <- err
		it.done = nil
	}
}

func finish(list []*Item, err error) {
	for _, it := range list {
		it.finish(err)
	}
}
