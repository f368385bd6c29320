// Package tries bounds how often secrets are tried at the page: by address, and over all.
package tries

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Tries are those of passwords and codes. Make them with New. Safe for concurrent use.
type Tries struct {
	mu    sync.Mutex
	every time.Duration // of one address
	all   *rate.Limiter
	by    map[netip.Addr]*rate.Limiter
}

// Bounds of tries. Who guesses a code of eight digits from one address has one chance in
// twenty in a year of trying.
const (
	Every       = 10 * time.Second
	Burst       = 5
	allEvery    = time.Second
	allBurst    = 20
	mostTriers  = 1024
	nobodysAddr = "0.0.0.0"

	// ResidentEvery is of residents' PINs, which the daemon bounds by flat, too: one phone
	// uses up what the house has for nobody else.
	ResidentEvery = 10 * time.Minute

	// PassEvery is of guest codes, which the daemon bounds with those at the doors, to one a
	// minute: likewise.
	PassEvery = 5 * time.Minute
)

// New allows Burst tries of an address, and one more after each pause.
func New(every time.Duration) *Tries {
	return &Tries{every: every, all: rate.NewLimiter(rate.Every(allEvery), allBurst), by: map[netip.Addr]*rate.Limiter{}}
}

// Allow takes one try of whoever is at the other end of a connection. The limit of an
// address comes first: who is over it takes nothing from the others.
func (t *Tries) Allow(remote string) bool {
	addr := triedFrom(remote)
	t.mu.Lock()
	defer t.mu.Unlock()
	l, ok := t.by[addr]
	if !ok {
		if len(t.by) >= mostTriers {
			clear(t.by)
		}
		l = rate.NewLimiter(rate.Every(t.every), Burst)
		t.by[addr] = l
	}
	return l.Allow() && t.all.Allow()
}

// Back gives a try back that Allow took: it was right.
func (t *Tries) Back(remote string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.by[triedFrom(remote)]; l != nil {
		l.AllowN(time.Now(), -1)
	}
	t.all.AllowN(time.Now(), -1)
}

// triedFrom is the address of whoever is at the other end of a connection.
func triedFrom(remote string) netip.Addr {
	addr := netip.MustParseAddr(nobodysAddr)
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		addr = ap.Addr().Unmap()
		if addr.Is6() { // one machine has 2^64 addresses
			p, _ := addr.WithZone("").Prefix(64)
			addr = p.Addr()
		}
	}
	return addr
}
