package uplink

import (
	"cmp"
	"time"

	"gatehouse/sync/uplink/timing"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

const (
	// greetFirst is the first wait after a hello: the registry's own link may come back
	// a moment after the gateway's.
	greetFirst = time.Second
	// A nonce is said for nonceFirst, and where no answer came then, another one for
	// twice as long, up to nonceMost: a hello that was late makes the registry take an
	// older nonce for the newest, and the newest for one that is said again.
	nonceFirst = time.Minute
	nonceMost  = 8 * time.Minute
	// freshFor is how long after a nonce was first sent an answer to it is fresh.
	// The broker may keep an answer back for as long.
	freshFor = 30 * time.Second
	// apartEvery is how soon a hello follows one whose time is against what the
	// gateway knows: the wrong one may be right again.
	apartEvery = 10 * time.Minute
)

// greeter says hello until it is answered: when, with which nonce, in which format.
type greeter struct {
	formats uint64                        // that this gateway speaks, 1 to this one
	clock   func() journaled.Stamp        // only what it says of the boot is used
	fresh   func(SignedTime) (apart bool) // hears times that can't be old; nil: nobody does
	nonces  *nonces

	nonce    wire.Nonce
	begun    time.Duration // CLOCK_BOOTTIME when it was first sent
	till     time.Time     // without an answer until then there will be another one
	lasts    time.Duration // how long that was
	answered wire.Nonce    // the last one that was
	apart    bool          // the answer's time was against what the gateway knows
	due      time.Time     // the next hello
	wait     time.Duration // after it; 0: it needs a new nonce
	format   uint64        // of the next hello
	spoken   uint64        // format of the newest ack of this connection; 0: none, or the newest is tried again
	epoch    uint64        // that the answer must be of
	list     wire.Hash     // that the newest hello named as active
}

// again asks anew where the registry stands. Acks for the hello before count no more.
func (g *greeter) again(now time.Time) {
	g.nonce = wire.Nonce{}
	g.format = cmp.Or(g.spoken, g.formats)
	g.due, g.wait, g.lasts = now, 0, 0
}

// newest has the newest format tried again.
func (g *greeter) newest() { g.spoken = 0 }

// needsNonce reports whether the hello that is due begins with a new nonce.
func (g *greeter) needsNonce(now time.Time) bool { return g.wait == 0 || !now.Before(g.till) }

// begin begins with one.
func (g *greeter) begin(now time.Time) {
	g.nonce, g.begun = g.nonces.next(), g.bootTime()
	g.lasts = timing.Backoff(g.lasts, nonceFirst, nonceMost)
	g.till = now.Add(g.lasts)
}

// body puts a hello into the format that it is due in. The next one is in the format
// before: a registry that does not know a format says nothing.
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

// said returns when the next hello follows one that is not answered.
func (g *greeter) said(now time.Time) time.Time {
	g.wait = timing.Backoff(g.wait, greetFirst, timing.LongWait)
	g.due = now.Add(g.wait)
	return g.due
}

// isAnswered reports whether an ack is to the newest hello.
func (g *greeter) isAnswered(k wire.Ack2) bool { return k.Nonce == g.nonce && g.nonce != wire.Nonce{} }

// heard takes the format of an ack to the newest hello.
func (g *greeter) heard(format uint64) { g.format, g.spoken = format, format }

// hearTime hands on the time of the first answer to a hello, where it came soon. Any
// other one says only that it is not earlier.
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

// settled plans the hello after one that was answered: at the hours that no passage
// moves, hours being the next of them.
func (g *greeter) settled(hours, now time.Time) {
	g.due, g.wait = hours, 0
	if next := now.Add(apartEvery); g.apart && next.Before(hours) {
		g.due = next
	}
}

// rest puts the next hello off.
func (g *greeter) rest(until time.Time) { g.due, g.wait = until, 0 }
