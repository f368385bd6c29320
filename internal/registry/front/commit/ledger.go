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

// Ledger is what the next message of a gateway depends on.
type Ledger struct {
	ID    int64  // in the store; 0: never stored
	Epoch uint64 // that acks name where the message itself names none
	store.Numbering

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

// claim is the newest cosignature that a gateway says it holds. If it is newer than
// the store knows, the store was rolled back (or the gateway lies, to its own loss).
// That epoch is then not cosigned until the store has the same tree at that size, so
// that two trees of one size are never cosigned.
type claim struct {
	wire.Cosigned
	state claimState
}

type claimState uint8

const (
	claimUnheard claimState = iota // no hello in this run
	claimNone                      // nothing that the store does not know
	claimAhead                     // the store has not reached it
	claimTrue                      // it has, and the trees are the same: only its time must still be reached
	claimFalse                     // it has, and the cosignature is not over what is stored
)

// admits reports whether an epoch may be cosigned at this time (unix s). Before the
// first hello of a run nobody knows what the gateway holds.
func (c claim) admits(epoch uint64, unix int64) bool {
	switch c.state {
	case claimUnheard:
		return false
	case claimTrue:
		return c.Epoch != epoch || unix >= int64(c.Time)
	}
	return c.Epoch != epoch || c.state == claimNone
}

// Limits of what one gateway may have stored, so that none fills the disk for all. A
// sound one makes some 2 MiB of entries a day; a backlog arrives at most at this rate.
const (
	maxRecordBytes = 16 << 20 // of tenancy records and sealed persons, within quotaTime
	maxEpochs      = 1000     // that got entries within epochTime
	quotaTime      = 24 * time.Hour
	epochTime      = 30 * 24 * time.Hour
	maxHold        = time.Hour // that a gateway is asked to wait at a time
)

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

// renew begins another span where the one before is over.
func (b *budget) renew(now time.Time) {
	if now.Sub(b.since) >= quotaTime || now.Before(b.since) {
		*b = budget{since: now, handed: make(map[[2]uint64]bool)}
	}
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
	l.budget.handed[at] = true
	return true
}

// maxRanges is how many trees are kept in memory: some 20 MB.
const maxRanges = 1 << 14

// memory is what the next messages of all gateways depend on, as of the last commit.
// The methods on ledgers are safe for concurrent use; only the goroutine that commits
// uses ranges and keep.
type memory struct {
	ranges map[rangeKey]tree.Range

	mu      sync.RWMutex
	ledgers map[*roster.Gateway]*Ledger // each is replaced, never changed
}

type rangeKey struct {
	gateway int64
	epoch   uint64
}

func newMemory() *memory {
	return &memory{ranges: map[rangeKey]tree.Range{}, ledgers: map[*roster.Gateway]*Ledger{}}
}

// ledger returns what is known of a gateway, nothing maybe.
func (m *memory) ledger(g *roster.Gateway) (l Ledger) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if known := m.ledgers[g]; known != nil {
		l = *known
	}
	return l
}

func (m *memory) setLedger(g *roster.Gateway, l Ledger) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ledgers[g] = &l
}

// keep takes what a transaction has changed that is committed.
func (m *memory) keep(ranges map[rangeKey]tree.Range, ledgers map[*roster.Gateway]*Ledger) {
	for key, r := range ranges {
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
	maps.Copy(m.ledgers, ledgers)
}
