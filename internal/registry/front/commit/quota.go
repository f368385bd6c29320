package commit

import (
	"time"

	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// Limits of what one gateway may have stored, so that none fills the disk for all. A
// sound one makes some 2 MiB of entries a day; a backlog arrives at most at this rate.
const (
	maxRecordBytes = 16 << 20 // of tenancy records and sealed persons, within quotaTime
	maxEpochs      = 1000     // that got entries within epochTime
	quotaTime      = 24 * time.Hour
	epochTime      = 30 * 24 * time.Hour
	maxHold        = time.Hour // that a gateway is asked to wait at a time
)

// MaxAlarms is how many of a gateway's alarms may wait for their entries.
const MaxAlarms = 256

// budget is what a gateway had stored within its newest quotaTime, in this run of the
// front.
type budget struct {
	since   time.Time
	bytes   int64
	records int
	told    [3]bool   // the alarm is raised, by cause
	hold    time.Time // until when acks ask it to send no batches
	// handed are its records, by line and number, that siblings brought again and that
	// were handed to the issuer again.
	handed map[[2]uint64]bool
}

// cause is why something is not stored.
type cause int

const (
	tooManyBytes cause = iota
	tooManyRecords
	tooManyEpochs
)

// sources names in an alarm what there was too much of.
var sources = [...]string{tooManyBytes: wire.TypeBatch, tooManyRecords: wire.TypeDelivery, tooManyEpochs: "epoch"}

// renew begins another span where the one before is over.
func (b *budget) renew(now time.Time) {
	if now.Sub(b.since) >= quotaTime || now.Before(b.since) {
		*b = budget{since: now}
	}
}

// RoomForBatch reports whether so many bytes of entries may be stored; fresh: of an
// epoch that has none yet.
func (t *Txn) RoomForBatch(g *roster.Gateway, l *Ledger, fresh bool, size int) (bool, error) {
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
	if b.bytes+int64(size) > t.committer.o.PerDay {
		b.hold = t.Now.Add(min(maxHold, quotaTime-t.Now.Sub(b.since)))
		return false, t.tooMuch(g, l, tooManyBytes)
	}
	b.bytes += int64(size)
	return true, nil
}

// RoomForRecord reports whether a gateway may have so many bytes of tenancy
// records stored: apart from entries, so that a backlog of these delays no
// check-in.
func (t *Txn) RoomForRecord(g *roster.Gateway, size int) (bool, error) {
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

// tooMuch raises an alarm, once a span. It is the registry's own and is stored under
// epoch 0, which no gateway has.
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
	return t.AddAlarm(store.Alarm{Gateway: l.ID, Sequence: uint64(t.Now.UnixMilli())<<2 | uint64(why), Header: header, Stored: true, Heard: t.Now}, MaxAlarms)
}

// held is the number of seconds for which acks ask the gateway to send no batches.
func (l *Ledger) held(now time.Time) uint16 {
	left := min(l.budget.hold.Sub(now), maxHold)
	if left <= 0 {
		return 0
	}
	return uint16(max(1, left/time.Second))
}

// Again reports whether a record that comes again may be handed to the issuer again:
// at most once a day.
func (l *Ledger) Again(line, record uint64, now time.Time) bool {
	l.budget.renew(now)
	at := [2]uint64{line, record}
	if l.budget.handed[at] {
		return false
	}
	if l.budget.handed == nil {
		l.budget.handed = make(map[[2]uint64]bool)
	}
	l.budget.handed[at] = true
	return true
}
