package commit

import (
	"gatehouse/internal/registry/store"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// makeReplies makes the acks that were asked for.
func (t *Txn) makeReplies() error {
	safety := t.o.Safety
	for _, key := range t.acks {
		l := t.ledgers[key.g]
		at, err := t.Stored(l.ID, key.epoch)
		if err != nil {
			return err
		}
		ack := wire.Ack2{Ack: wire.Ack{Time: uint32(t.agreed.Unix()), Epoch: key.epoch, Next: at.Size(), Root: wire.Hash(at.Root())}, NoTime: t.unsure}
		if ack.Line, ack.Records, err = l.numbering(t.Tx); err != nil {
			return err
		}
		ack.Safe = safety.Of(store.Stream{Gateway: l.ID, Kind: store.MarkEntries, Number: key.epoch}, ack.Next)
		ack.SafeRecords = safety.Of(store.Stream{Gateway: l.ID, Kind: store.MarkRecords, Number: ack.Line}, ack.Records)
		cosign, err := t.cosign(l, key.epoch, at)
		if err != nil {
			return err
		}
		t.Outcome.Replies = append(t.Outcome.Replies, Reply{key.g, ack, l.held(t.Now), cosign})
	}
	return nil
}

// numbering is what an ack says of a gateway's records: the line that it numbers
// in, and how many of it need not be delivered any more.
func (l *Ledger) numbering(tx *store.Tx) (line, count uint64, err error) {
	if l.Renew {
		return 0, 0, nil
	}
	if !l.Pending {
		return l.Line, l.Count, nil
	}
	pending, err := tx.Pending(l.ID, l.Line)
	if err != nil || pending == 0 {
		return l.Line, l.Count, err
	}
	return l.Line, pending - 1, nil
}

// cosign reports whether the witness may cosign an epoch as it is stored now, and
// stores that it does, before anybody sees it. An empty tree is not cosigned, nor
// anything while the clock is in doubt: a cosignature states a time.
func (t *Txn) cosign(l *Ledger, epoch uint64, r tree.Range) (bool, error) {
	now := t.agreed.Unix()
	if r.Size() == 0 || t.unsure || !l.claim.admits(epoch, now) {
		return false, nil
	}
	return t.Cosign(l.ID, epoch, r.Size(), wire.Hash(r.Root()), now)
}
