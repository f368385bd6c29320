// Package tries bounds how often secrets are tried at the page: by address, and on a device that its owner has used
// before apart from all addresses. Nobody's tries take somebody else's.
package tries

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Tries are those of passwords and codes. Make them with New. Safe for concurrent use.
type Tries struct {
	mu      sync.Mutex
	every   time.Duration // of one address
	by      map[string]*rate.Limiter
	devices map[string]*rate.Limiter
	others  *rate.Limiter // of all addresses that come while by is full
	swept   time.Time
}

// Bounds of tries. Who guesses a code of eight digits from one address has one chance in two hundred in a year of trying;
// from a thousand addresses, one in seventy in a day.
const (
	Every       = time.Minute
	Burst       = 5
	mostTriers  = 4096
	mostDevices = 256
	nobodysAddr = "0.0.0.0"

	// ResidentEvery is of residents' PINs, which the daemon bounds by flat, too: one phone
	// uses up what the house has for nobody else.
	ResidentEvery = 10 * time.Minute

	// PassEvery is of guest codes, which the daemon bounds with those at the doors, to one a
	// minute: likewise.
	PassEvery = 5 * time.Minute

	// deviceEvery is of a device that somebody has signed in on before.
	deviceEvery = 10 * time.Second
)

// New allows Burst tries of an address, and one more after each pause.
func New(every time.Duration) *Tries {
	return &Tries{every: every, by: map[string]*rate.Limiter{}, devices: map[string]*rate.Limiter{}, others: rate.NewLimiter(rate.Every(time.Second), 4*Burst)}
}

// Allow takes one try of whoever is at the other end of a connection, or of a device that is known (empty: it is not).
func (t *Tries) Allow(remote, device string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.of(remote, device).Allow()
}

// Back gives a try back that Allow took: it was right.
func (t *Tries) Back(remote, device string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.of(remote, device).AllowN(time.Now(), -1)
}

// of is the limit of an address or of a known device. The caller holds mu. No limit is begun anew to make room: the
// addresses that find none share one.
func (t *Tries) of(remote, device string) *rate.Limiter {
	all, key, every, most := t.by, triedFrom(remote), t.every, mostTriers
	if device != "" {
		all, key, every, most = t.devices, device, deviceEvery, mostDevices
	}
	l, ok := all[key]
	if ok {
		return l
	}
	if len(all) >= most {
		t.sweep(all)
	}
	if len(all) >= most {
		return t.others
	}
	l = rate.NewLimiter(rate.Every(every), Burst)
	all[key] = l
	return l
}

// sweep forgets whom nothing is held against any more, at most once a second.
func (t *Tries) sweep(all map[string]*rate.Limiter) {
	if time.Since(t.swept) < time.Second {
		return
	}
	t.swept = time.Now()
	for key, l := range all {
		if l.Tokens() >= Burst {
			delete(all, key)
		}
	}
}

// triedFrom is the address of whoever is at the other end of a connection.
func triedFrom(remote string) string {
	addr := netip.MustParseAddr(nobodysAddr)
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		addr = ap.Addr().Unmap()
		if addr.Is6() { // one machine has 2^64 addresses
			p, _ := addr.WithZone("").Prefix(64)
			addr = p.Addr()
		}
	}
	return addr.String()
}

// Queue is where strangers wait for what takes the processor long: one at work, a few behind it. Whoever is known passes
// it by. Make it with NewQueue. Safe for concurrent use.
type Queue struct{ places, turn chan struct{} }

// Bounds of a queue.
const (
	queued   = 8
	waitMost = 5 * time.Second
)

// NewQueue makes an empty one.
func NewQueue() *Queue {
	return &Queue{make(chan struct{}, queued), make(chan struct{}, 1)}
}

// Enter waits for a turn; false: too many wait already, or it took too long. Who got one ends it by Leave.
func (q *Queue) Enter(ctx context.Context) bool {
	select {
	case q.places <- struct{}{}:
		defer func() { <-q.places }()
	default:
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, waitMost)
	defer cancel()
	select {
	case q.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// Leave ends a turn.
func (q *Queue) Leave() { <-q.turn }
