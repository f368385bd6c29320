package commit

import (
	"maps"
	"sync"
	"time"

	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// Ledger is the state on which the next message of a gateway depends. It is read from the store with
// the first message of a run.
type Ledger struct {
	ID              int64 // in the store; 0: not read yet
	store.Numbering       // Epoch: for acks to messages without an epoch

	// short is since when its hellos have named entries that do not arrive; zero: all are stored,
	// or they arrive.
	short  time.Time
	claim  claim
	budget budget
	alone  notices

	sealing sealing // the one that a batch last named or brought in this run
}

// notices is whether alarms of a gateway wait for their entries.
type notices uint8

const (
	noticesUnknown notices = iota // not looked up in this run, or since the last entry of one came
	noticesNone
	noticesSome
)

// SetShort notes whether a hello names entries that are not stored. They follow the hello, unless a
// broker passes hellos and drops batches.
func (l *Ledger) SetShort(short bool, now time.Time) {
	switch {
	case !short:
		l.short = time.Time{}
	case l.short.IsZero():
		l.short = now
	}
}

// claim is the newest cosignature that a gateway claims to have. If it is newer than the store has,
// the store was rolled back (or the gateway lies, to its own loss). That epoch is then not cosigned
// until the store has the same tree at that size, so that two trees of one size are never cosigned.
type claim struct {
	wire.Cosigned
	state claimState
}

type claimState uint8

const (
	claimUnheard claimState = iota // no hello in this run
	claimNone                      // no cosignature that the store does not know
	claimAhead                     // the store has not reached it
	claimTrue                      // it has, with the same tree: only its time must still be reached
	claimFalse                     // it has, with another tree
)

// admits reports whether an epoch may be cosigned at this time (Unix s). Before the first hello of
// a run the gateway's cosignature is unknown.
func (c claim) admits(epoch uint64, unix int64) bool {
	switch c.state {
	case claimUnheard:
		return false
	case claimTrue:
		return c.Epoch != epoch || unix >= int64(c.Time)
	}
	return c.Epoch != epoch || c.state == claimNone
}

// Quotas of one gateway, so that none fills the disk for all. A
// sound one makes about 2 MiB of entries a day; a backlog arrives at most at this rate.
const (
	maxRecordBytes = 16 << 20 // of tenancy records and sealed persons, within quotaTime
	maxEpochs      = 1000     // that got entries within epochTime
	quotaTime      = 24 * time.Hour
	epochTime      = 30 * 24 * time.Hour
	maxHold        = time.Hour // most time that a gateway is asked to wait
)

// budget is what a gateway has stored in the present quotaTime of this run.
type budget struct {
	since   time.Time
	bytes   int64
	records int
	told    [3]bool   // whether the alarm was raised, by cause
	hold    time.Time // end of the time in which acks ask it to send no batches
	// handed has its records, by line and number, that siblings brought again and that the issuer
	// got again.
	handed map[[2]uint64]bool
}

// renew begins a new quotaTime when the present one is over.
func (b *budget) renew(now time.Time) {
	if now.Sub(b.since) >= quotaTime || now.Before(b.since) {
		*b = budget{since: now, handed: make(map[[2]uint64]bool)}
	}
}

// held returns the seconds for which acks ask the gateway to send no batches.
func (l *Ledger) held(now time.Time) uint16 {
	left := min(l.budget.hold.Sub(now), maxHold)
	if left <= 0 {
		return 0
	}
	return uint16(max(1, left/time.Second))
}

// Again reports whether the issuer may get a repeated record again: at most once a day.
func (l *Ledger) Again(line, record uint64, now time.Time) bool {
	l.budget.renew(now)
	at := [2]uint64{line, record}
	if l.budget.handed[at] {
		return false
	}
	l.budget.handed[at] = true
	return true
}

// maxRanges is the most trees in memory: about 20 MB.
const maxRanges = 1 << 14

// memory is the state on which the next messages of all gateways depend, as of the last commit. The
// methods for ledgers are safe for concurrent use; ranges, cosigns and keep are for the committing
// goroutine.
type memory struct {
	ranges  map[rangeKey]tree.Range
	cosigns map[ackKey]cosigning // those of a moment ago, and those that are owed

	mu      sync.RWMutex
	ledgers map[*roster.Gateway]*Ledger // each is replaced, never changed
}

type rangeKey struct {
	gateway int64
	epoch   uint64
}

func newMemory() *memory {
	return &memory{ranges: map[rangeKey]tree.Range{}, cosigns: map[ackKey]cosigning{}, ledgers: map[*roster.Gateway]*Ledger{}}
}

// ledger returns the state of a gateway, which may be empty.
func (m *memory) ledger(g *roster.Gateway) (l Ledger) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if known := m.ledgers[g]; known != nil {
		l = *known
	}
	return l
}

// keep stores the changes of a committed transaction.
func (m *memory) keep(t *Txn) {
	maps.Copy(m.cosigns, t.cosigns)
	for key, r := range t.ranges {
		if len(m.ranges) >= maxRanges {
			for other := range m.ranges { // any: it can be read again
				delete(m.ranges, other)
				break
			}
		}
		m.ranges[key] = r
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.Copy(m.ledgers, t.ledgers)
}
