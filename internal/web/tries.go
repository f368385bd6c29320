package web

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// tries bounds how often passwords and codes are tried: by address, and over all. Safe
// for concurrent use.
type tries struct {
	mu  sync.Mutex
	all *rate.Limiter
	by  map[netip.Addr]*rate.Limiter
}

// Bounds of tries. Who guesses a code of eight digits from one address has one chance in
// twenty in a year of trying.
const (
	tryEvery    = 10 * time.Second
	tryBurst    = 5
	allEvery    = time.Second
	allBurst    = 20
	mostTriers  = 1024
	nobodysAddr = "0.0.0.0"
)

func newTries() *tries {
	return &tries{all: rate.NewLimiter(rate.Every(allEvery), allBurst), by: map[netip.Addr]*rate.Limiter{}}
}

// allow takes one try of whoever is at the other end of a connection. The limit of an
// address comes first: who is over it takes nothing from the others.
func (t *tries) allow(remote string) bool {
	addr := netip.MustParseAddr(nobodysAddr)
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		addr = ap.Addr().Unmap()
		if addr.Is6() { // one machine has 2^64 addresses
			p, _ := addr.WithZone("").Prefix(64)
			addr = p.Addr()
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l, ok := t.by[addr]
	if !ok {
		if len(t.by) >= mostTriers {
			clear(t.by)
		}
		l = rate.NewLimiter(rate.Every(tryEvery), tryBurst)
		t.by[addr] = l
	}
	return l.Allow() && t.all.Allow()
}
