package commit

import (
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// Txn is one transaction with what it changes in memory, so that nothing of it
// remains when it fails. It is valid only within the Store method of a Work.
type Txn struct {
	*store.Tx
	Outcome Outcome
	Now     time.Time // as far as it is known: what things are stored with
	Roster  *roster.Roster
	Log     *zerolog.Logger

	committer *Committer
	agreed    time.Time                   // what is signed
	unsure    bool                        // the clock is in doubt
	ranges    map[rangeKey]tree.Range     // changed
	ledgers   map[*roster.Gateway]*Ledger // changed, maybe
	acks      []ackKey
	acked     map[ackKey]bool
}

// ackKey names an ack: where a gateway stands in an epoch.
type ackKey struct {
	g     *roster.Gateway
	epoch uint64
}

// begin makes a transaction that has no Tx yet.
func (c *Committer) begin() *Txn {
	at, doubt := c.o.Clock.Now()
	now := c.o.Now()
	return &Txn{Outcome: Outcome{At: now}, Now: now, Roster: c.o.Roster, Log: &c.o.Log, committer: c, agreed: at, unsure: doubt != agreed.None,
		ranges: map[rangeKey]tree.Range{}, ledgers: map[*roster.Gateway]*Ledger{}, acked: map[ackKey]bool{}}
}

// Ledger returns what is known of a gateway, to be changed in place.
func (t *Txn) Ledger(g *roster.Gateway) (*Ledger, error) {
	if l := t.ledgers[g]; l != nil {
		return l, nil
	}
	var l Ledger
	t.committer.mu.RLock()
	if known := t.committer.ledgers[g]; known != nil {
		l = *known
	}
	t.committer.mu.RUnlock()
	if l.ID == 0 {
		var err error
		if l.ID, err = t.Gateway(t.Roster.Look(g).Place); err != nil {
			return nil, err
		}
	}
	t.ledgers[g] = &l
	return &l, nil
}

// Stored returns the tree of what is stored of a gateway's epoch.
func (t *Txn) Stored(gateway int64, epoch uint64) (tree.Range, error) {
	key := rangeKey{gateway, epoch}
	if r, ok := t.ranges[key]; ok {
		return r, nil
	}
	if r, ok := t.committer.ranges[key]; ok {
		return r, nil
	}
	return t.Range(gateway, epoch)
}

// SetStored notes the tree of what is stored of a gateway's epoch with this
// transaction.
func (t *Txn) SetStored(gateway int64, epoch uint64, r tree.Range) {
	t.ranges[rangeKey{gateway, epoch}] = r
}

func (t *Txn) saveRanges() error {
	for key, r := range t.ranges {
		if err := t.SetRange(key.gateway, key.epoch, r, t.Now); err != nil {
			return err
		}
	}
	return nil
}

// Heard notes that something new came of a gateway.
func (t *Txn) Heard(g *roster.Gateway) { t.Outcome.Heard = append(t.Outcome.Heard, g) }

// Send sends a message after the commit.
func (t *Txn) Send(topic string, payload []byte) {
	t.Outcome.Messages = append(t.Outcome.Messages, Message{topic, payload})
}

// Ack asks for one ack after the commit, however many messages it answers.
func (t *Txn) Ack(g *roster.Gateway, epoch uint64) {
	key := ackKey{g, epoch}
	if !t.acked[key] {
		t.acked[key] = true
		t.acks = append(t.acks, key)
	}
}

// reply makes the acks that were asked for.
func (t *Txn) reply() error {
	safety := t.committer.o.Safety
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
		ack.Safe, ack.SafeRecords = safety.Of(l.ID, store.MarkEntries, key.epoch, ack.Next), safety.Of(l.ID, store.MarkRecords, ack.Line, ack.Records)
		cosign, err := t.cosign(l, key.epoch, at)
		if err != nil {
			return err
		}
		t.Outcome.Replies = append(t.Outcome.Replies, Reply{key.g, ack, l.held(t.Now), cosign})
	}
	return nil
}
