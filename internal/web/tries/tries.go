// Package tries limits the rate of tries of secrets at the page: by address, and in all.
package tries

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Tries limits tries of passwords and codes. It is made by New and safe for concurrent use.
type Tries struct {
	mu    sync.Mutex
	every time.Duration // from one address
	all   *rate.Limiter
	by    map[netip.Addr]*rate.Limiter
}

// Rate limits of tries. Guessing a code of eight digits from one address has one chance in
// twenty in a year of trying.
const (
	Every       = 10 * time.Second
	Burst       = 5
	allEvery    = time.Second
	allBurst    = 20
	mostTriers  = 1024
	nobodysAddr = "0.0.0.0"

	// ResidentEvery is for residents' PINs, which the daemon also limits by flat: one phone
	// exhausts the house's tries for nobody else.
	ResidentEvery = 10 * time.Minute

	// PassEvery is of guest codes, which the daemon bounds with those at the doors, to one a
	// minute: likewise.
	PassEvery = 5 * time.Minute
)

// New allows Burst tries from an address, and one more every so often.
func New(every time.Duration) *Tries {
	return &Tries{every: every, all: rate.NewLimiter(rate.Every(allEvery), allBurst), by: map[netip.Addr]*rate.Limiter{}}
}

// Allow uses one try of the remote address of a connection, and reports whether it had one. The
// limit of an address comes first: an address above it uses none of the others' tries.
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

// Back gives a try of Allow back, since it was right.
func (t *Tries) Back(remote string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.by[triedFrom(remote)]; l != nil {
		l.AllowN(time.Now(), -1)
	}
	t.all.AllowN(time.Now(), -1)
}

// triedFrom returns the address, or of IPv6 the /64 network, of a connection.
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
