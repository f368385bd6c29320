package commit

import (
	"slices"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// Txn is a transaction with its changes in memory, so that nothing remains when it fails. It is
// valid only within the Store method of a Work.
type Txn struct {
	*store.Tx
	Outcome Outcome
	Now     time.Time // the likely time, for what is stored
	Roster  *roster.Roster
	Log     *zerolog.Logger

	o       *Options
	memory  *memory
	agreed  time.Time                   // the agreed time, for what is signed
	unsure  bool                        // the clock is in doubt
	ranges  map[rangeKey]tree.Range     // changed
	ledgers map[*roster.Gateway]*Ledger // may be changed
	acks    []answer
	cosigns map[ackKey]cosigning // changed
}

// ackKey identifies an ack: the state of a gateway's epoch.
type ackKey struct {
	g     *roster.Gateway
	epoch uint64
}

// answer is a requested ack.
type answer struct {
	ackKey
	cosigned bool // now, if it may be; else its cosignature may follow
}

// Ledger returns the state of a gateway, to be changed in place.
func (t *Txn) Ledger(g *roster.Gateway) (*Ledger, error) {
	if l := t.ledgers[g]; l != nil {
		return l, nil
	}
	l := t.memory.ledger(g)
	if l.ID == 0 {
		s := t.Roster.Look(g)
		var err error
		if l.ID, l.Numbering, err = t.Gateway(s.Place); err != nil {
			return nil, err
		}
		if asked := roster.AnswerEpoch(s.View.Hello); asked != 0 {
			l.Epoch = asked
		}
	}
	t.ledgers[g] = &l
	return &l, nil
}

// Stored returns the tree of the stored entries of a gateway's epoch.
func (t *Txn) Stored(gateway int64, epoch uint64) (tree.Range, error) {
	key := rangeKey{gateway, epoch}
	if r, ok := t.ranges[key]; ok {
		return r, nil
	}
	if r, ok := t.memory.ranges[key]; ok {
		return r, nil
	}
	return t.Range(gateway, epoch)
}

// SetStored sets the tree of the stored entries of a gateway's epoch.
func (t *Txn) SetStored(gateway int64, epoch uint64, r tree.Range) {
	t.ranges[rangeKey{gateway, epoch}] = r
}

// Heard notes that new data of a gateway was stored.
func (t *Txn) Heard(g *roster.Gateway) { t.Outcome.Heard = append(t.Outcome.Heard, g) }

// Ack requests one ack after the commit, however many messages it answers. Its cosignature may come by
// another ack a few seconds later.
func (t *Txn) Ack(g *roster.Gateway, epoch uint64) { t.answer(answer{ackKey{g, epoch}, false}) }

// AckCosigned is Ack with the cosignature at once, if there may be one.
func (t *Txn) AckCosigned(g *roster.Gateway, epoch uint64) { t.answer(answer{ackKey{g, epoch}, true}) }

func (t *Txn) answer(a answer) {
	i := slices.IndexFunc(t.acks, func(other answer) bool { return other.ackKey == a.ackKey })
	if i < 0 {
		t.acks = append(t.acks, a)
		return
	}
	t.acks[i].cosigned = t.acks[i].cosigned || a.cosigned
}

// maxAlarms is the most alarms of a gateway that may wait for their entries.
const maxAlarms = 256

// Alarm stores an alarm of a gateway under an epoch and sequence number. stored: its entry is
// stored too, not only a notice.
func (t *Txn) Alarm(l *Ledger, epoch, sequence uint64, header []byte, stored bool) error {
	if !stored {
		l.alone = noticesSome
	}
	return t.AddAlarm(store.Alarm{Gateway: l.ID, Epoch: epoch, Sequence: sequence, Header: header, Stored: stored, Heard: t.Now}, maxAlarms)
}

// Noticed returns the sequence numbers in [from, to) of an epoch of which only a notice has arrived.
// Most gateways have none for days, and are not looked up.
func (t *Txn) Noticed(l *Ledger, epoch, from, to uint64) (all []uint64, err error) {
	if l.alone == noticesUnknown {
		some, err := t.AnyWaiting(l.ID)
		if err != nil {
			return nil, err
		}
		if l.alone = noticesNone; some {
			l.alone = noticesSome
		}
	}
	if l.alone == noticesNone {
		return nil, nil
	}
	if all, err = t.Waiting(l.ID, epoch, from, to); len(all) > 0 {
		l.alone = noticesUnknown
	}
	return all, err
}

// makeReplies makes the requested acks.
func (t *Txn) makeReplies() error {
	safety := t.o.Safety
	for _, a := range t.acks {
		l, key := t.ledgers[a.g], a.ackKey
		at, err := t.Stored(l.ID, key.epoch)
		if err != nil {
			return err
		}
		ack := wire.Ack2{Ack: wire.Ack{Time: uint32(t.agreed.Unix()), Epoch: key.epoch, Next: at.Size(), Root: wire.Hash(at.Root())}, NoTime: t.unsure}
		if ack.Line, ack.Records, err = l.numbering(t.Tx); err != nil {
			return err
		}
		context := l.sealing.id
		ack.Context = &context
		ack.Safe = safety.Of(store.Stream{Gateway: l.ID, Kind: store.MarkEntries, Number: key.epoch}, ack.Next)
		ack.SafeRecords = safety.Of(store.Stream{Gateway: l.ID, Kind: store.MarkRecords, Number: ack.Line}, ack.Records)
		cosign, err := t.cosign(l, a, at)
		if err != nil {
			return err
		}
		t.Outcome.Replies = append(t.Outcome.Replies, Reply{key.g, ack, l.held(t.Now), cosign})
	}
	return nil
}

// numbering returns the fields of an ack about a gateway's records: the line in which it numbers
// them, and how many of it need not be delivered again.
func (l *Ledger) numbering(tx *store.Tx) (line, count uint64, err error) {
	if l.Renew {
		return 0, 0, nil
	}
	if !l.Pending {
		return l.Line, l.Records, nil
	}
	pending, err := tx.Pending(l.ID, l.Line)
	if err != nil || pending == 0 {
		return l.Line, l.Records, err
	}
	return l.Line, pending - 1, nil
}
