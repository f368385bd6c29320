package commit

import (
	"gatehouse/internal/registry/front/roster"
	"gatehouse/sync/wire"
)

// cause is the exceeded quota.
type cause int

const (
	tooManyBytes cause = iota
	tooManyRecords
	tooManyEpochs
)

// sources are the names of the quotas in alarms.
var sources = [...]string{tooManyBytes: wire.TypeBatch, tooManyRecords: wire.TypeDelivery, tooManyEpochs: "epoch"}

// AdmitBatch reports whether a gateway's quota admits size bytes of entries. fresh: the epoch has
// none yet.
func (t *Txn) AdmitBatch(g *roster.Gateway, l *Ledger, fresh bool, size int) (bool, error) {
	b := &l.budget
	b.renew(t.Now)
	if fresh {
		n, err := t.Epochs(l.ID, t.Now.Add(-epochTime))
		if err != nil {
			return false, err
		}
		if n >= maxEpochs {
			b.hold = t.Now.Add(maxHold)
			return false, t.tooMuch(g, l, tooManyEpochs)
		}
	}
	if b.bytes+int64(size) > t.o.PerDay {
		b.hold = t.Now.Add(min(maxHold, quotaTime-t.Now.Sub(b.since)))
		return false, t.tooMuch(g, l, tooManyBytes)
	}
	b.bytes += int64(size)
	return true, nil
}

// AdmitRecord reports whether a gateway's quota admits size bytes of tenancy records. It is
// separate from that of entries, so that a backlog of those delays no check-in.
func (t *Txn) AdmitRecord(g *roster.Gateway, size int) (bool, error) {
	l, err := t.Ledger(g)
	if err != nil {
		return false, err
	}
	l.budget.renew(t.Now)
	if l.budget.records+size > maxRecordBytes {
		return false, t.tooMuch(g, l, tooManyRecords)
	}
	l.budget.records += size
	return true, nil
}

// tooMuch raises an alarm, once in a quotaTime. It is the registry's own alarm, stored under epoch
// 0, which no gateway has.
func (t *Txn) tooMuch(g *roster.Gateway, l *Ledger, why cause) error {
	if l.budget.told[why] {
		return nil
	}
	l.budget.told[why] = true
	header, err := wire.Header{Wall: t.Now.UnixMilli(), Kind: wire.KindRefused, Reason: wire.ReasonTooMuch, Source: sources[why]}.Encode()
	if err != nil {
		return err
	}
	t.Log.Error().Str("gateway", g.Address()).Str("of", sources[why]).Msg("a gateway sends more than one may: the rest waits there")
	return t.Alarm(l, 0, uint64(t.Now.UnixMilli())<<2|uint64(why), header, true)
}
