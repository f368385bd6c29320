package commit

import (
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/tree"
)

// Txn is one transaction with what it changes in memory, so that nothing of it
// remains when it fails. It is valid only within the Store method of a Work.
type Txn struct {
	*store.Tx
	Outcome Outcome
	Now     time.Time // as far as it is known: what things are stored with
	Roster  *roster.Roster
	Log     *zerolog.Logger

	o       *Options
	memory  *memory
	agreed  time.Time                   // what is signed
	unsure  bool                        // the clock is in doubt
	ranges  map[rangeKey]tree.Range     // changed
	ledgers map[*roster.Gateway]*Ledger // changed, maybe
	acks    []ackKey
	acked   map[ackKey]bool
}

// ackKey names an ack: where a gateway stands in an epoch.
type ackKey struct {
	g     *roster.Gateway
	epoch uint64
}

// Ledger returns what is known of a gateway, to be changed in place.
func (t *Txn) Ledger(g *roster.Gateway) (*Ledger, error) {
	if l := t.ledgers[g]; l != nil {
		return l, nil
	}
	l := t.memory.ledger(g)
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
	if r, ok := t.memory.ranges[key]; ok {
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
