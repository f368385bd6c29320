package uplink

import (
	"cmp"
	"crypto/rand"
	"sync"
	"time"

	"gatehouse/sync/uplink/timing"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// helloFormat is the newest format of hellos. A gateway that reads newer ones names them there.
const helloFormat = 2

const (
	// greetFirst is the first wait after a hello: the registry's own link may come back a moment
	// after the gateway's.
	greetFirst = time.Second
	// nonceFirst is how long a nonce is repeated without an answer; each next one is repeated for
	// twice as long, up to nonceMost. A late hello makes the registry take an older nonce for the
	// newest, and the newest for a repeated one.
	nonceFirst = time.Minute
	nonceMost  = 8 * time.Minute
	// freshFor is how long after a nonce was first sent an answer to it is fresh. The broker may
	// hold an answer back for as long.
	freshFor = 30 * time.Second
	// apartEvery is the wait before the next hello after an answer whose time contradicts what the
	// gateway knows.
	apartEvery = 10 * time.Minute
)

// greeter decides when a hello is sent, with which nonce, and in which format, until it is
// answered.
type greeter struct {
	formats uint64                        // this gateway says hello in formats 1 to this one
	clock   func() journaled.Stamp        // only its boot time is used
	fresh   func(SignedTime) (apart bool) // takes times that can't be replays; nil: unused
	nonces  *nonces

	nonce    wire.Nonce
	begun    time.Duration // CLOCK_BOOTTIME when the nonce was first sent
	till     time.Time     // after it an unanswered nonce is replaced
	lasts    time.Duration // how long this nonce is repeated
	answered wire.Nonce    // the last answered nonce
	apart    bool          // the answer's time contradicted what the gateway knows
	due      time.Time     // the next hello
	wait     time.Duration // wait after it; 0: a new nonce is needed
	format   uint64        // of the next hello
	spoken   uint64        // format of the newest ack of this connection; 0: none, or the newest format is due again
	epoch    uint64        // the answer must be of this epoch
	list     wire.Hash     // named as active by the newest hello
}

// again starts the hellos anew. Acks for the hello before count no more.
func (g *greeter) again(now time.Time) {
	g.nonce = wire.Nonce{}
	g.format = cmp.Or(g.spoken, g.formats)
	g.due, g.wait, g.lasts = now, 0, 0
}

// late gives the answer to the next hello FirstWait: it follows an answer that came too late.
func (g *greeter) late(now time.Time) { g.wait, g.till = timing.FirstWait/2, now }

// newest makes the next hello try the newest format again.
func (g *greeter) newest() { g.spoken = 0 }

func (g *greeter) needsNonce(now time.Time) bool { return g.wait == 0 || !now.Before(g.till) }

// begin takes a new nonce.
func (g *greeter) begin(now time.Time) {
	g.nonce, g.begun = g.nonces.next(), g.bootTime()
	g.lasts = timing.Backoff(g.lasts, nonceFirst, nonceMost)
	g.till = now.Add(g.lasts)
}

// body returns a hello in the format that is due. The next one is in the format before it, because
// a registry that does not know a format stays silent.
func (g *greeter) body(h wire.Hello2) (body wire.Payload) {
	body = h
	if g.format == 1 {
		body = h.Hello
	}
	if g.format--; g.format == 0 {
		g.format = g.formats
	}
	return body
}

// said returns when the next hello follows an unanswered one.
func (g *greeter) said(now time.Time) time.Time {
	g.wait = timing.Backoff(g.wait, greetFirst, timing.LongWait)
	g.due = now.Add(g.wait)
	return g.due
}

func (g *greeter) isAnswered(k wire.Ack2) bool { return k.Nonce == g.nonce && g.nonce != wire.Nonce{} }

// heard stores the format of an ack to the newest hello, which may be newer than that of any hello.
func (g *greeter) heard(format uint64) {
	g.format = min(format, g.formats)
	g.spoken = g.format
}

// hearTime passes on the time of the first answer to a hello, if the answer was quick. A later
// answer only says that it is not earlier.
func (g *greeter) hearTime(k wire.Ack2, epoch uint64) {
	if g.fresh == nil || !g.isAnswered(k) || g.answered == g.nonce {
		return
	}
	g.answered = g.nonce
	if within := g.bootTime() - g.begun; within <= freshFor {
		g.apart = g.fresh(SignedTime{Unix: int64(k.Time), Epoch: epoch, Within: within})
	}
}

func (g *greeter) bootTime() time.Duration { return time.Duration(g.clock().BootTime) }

// settled schedules the hello after an answered one: at the next of the scheduled hours, which no
// passage moves.
func (g *greeter) settled(hours, now time.Time) {
	g.due, g.wait = hours, 0
	if next := now.Add(apartEvery); g.apart && next.Before(hours) {
		g.due = next
	}
}

func (g *greeter) rest(until time.Time) { g.due, g.wait = until, 0 }

// nonces makes nonces of two halves: one of the connection, which its last will has too, and one of
// the hello. The link begins connections, the actor hellos.
type nonces struct {
	mu         sync.Mutex
	connection [8]byte
}

// connect begins a connection, and returns the nonce of its last will.
func (c *nonces) connect() (n wire.Nonce) {
	rand.Read(n[:8]) // never fails: it ends the program instead
	c.mu.Lock()
	defer c.mu.Unlock()
	copy(c.connection[:], n[:8])
	return n
}

func (c *nonces) next() (n wire.Nonce) {
	rand.Read(n[8:])
	c.mu.Lock()
	defer c.mu.Unlock()
	copy(n[:8], c.connection[:])
	return n
}
