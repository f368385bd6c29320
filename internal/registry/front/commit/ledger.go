package commit

import (
	"time"

	"gatehouse/internal/registry/store"
)

// Ledger is what the next message of a gateway depends on.
type Ledger struct {
	ID      int64  // in the store; 0: never stored
	Epoch   uint64 // that acks name where the message itself names none
	Line    uint64 // in which it numbers its tenancy records; 0: none
	Count   uint64 // stored of that line
	Renew   bool   // the line contradicts itself: acks name none, so that it begins another
	Pending bool   // persons of records that siblings brought may still be with it

	// short is since when its hellos have named entries that do not arrive; zero: all
	// are stored, or they arrive.
	short  time.Time
	claim  claim
	budget budget
}

// SetShort notes whether a hello names entries that are not stored. They follow the
// hello, unless a broker lets hellos pass and drops batches.
func (l *Ledger) SetShort(short bool, now time.Time) {
	switch {
	case !short:
		l.short = time.Time{}
	case l.short.IsZero():
		l.short = now
	}
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
