package commit

import (
	"maps"
	"sync"

	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/tree"
)

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
