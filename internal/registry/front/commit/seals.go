package commit

import (
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/whos"
)

// sealing is a stored context of a gateway's seals.
type sealing struct {
	id     wire.ID
	epoch  uint64
	number uint64 // in the store; 0: none
}

// Context returns the number in the store of the context that a batch of an epoch names, after it has
// stored the key that the batch brings; 0: the key is not here, so that nobody could ever open the
// seals. The context is the one that acks name from then on.
func (t *Txn) Context(l *Ledger, epoch uint64, context []byte) (number uint64, err error) {
	id, encapsulated := whos.Named(context)
	if c := l.sealing; c.id == id && c.epoch == epoch && c.number > 0 {
		return c.number, nil
	}
	number, err = t.Tx.Context(l.ID, epoch, id)
	if err == nil && number == 0 && encapsulated != nil {
		number, err = t.AddContext(l.ID, epoch, id, encapsulated, t.Now)
	}
	if err == nil && number > 0 {
		l.sealing = sealing{id, epoch, number}
	}
	return number, err
}
