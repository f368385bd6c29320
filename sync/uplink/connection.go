package uplink

import "time"

// phase is how far the talk with the registry has come on a connection.
type phase uint8

const (
	greeting phase = iota // no hello of this connection is answered yet
	renewing              // one was, and the newest is not
	agreed                // the newest is, and both ends agree on what is stored
)

// connection is the link as it stands, and the talk on it.
type connection struct {
	up       bool
	changed  <-chan struct{} // closed when up changes
	since    time.Time       // when it came up
	phase    phase
	agreedAt time.Time // when both ends agreed last, on this connection or one before
	lastAck  time.Time // likewise
}

// is takes the link's state, and reports whether it is another one. A changed
// channel that is not the same tells of a connection that went by unseen.
func (c *connection) is(up bool, changed <-chan struct{}, now time.Time) (another bool) {
	if changed == c.changed {
		return false
	}
	c.up, c.changed, c.phase = up, changed, greeting
	if up {
		c.since = now
	}
	return true
}

// agrees reports whether both ends agree. What is on its way from a connection that
// is gone may bring it about too.
func (c *connection) agrees() bool { return c.phase == agreed }

// open reports whether entries and records may be sent.
func (c *connection) open() bool { return c.up && c.phase == agreed }

// agree notes that the newest hello was answered.
func (c *connection) agree(now time.Time) { c.phase, c.agreedAt = agreed, now }

// renew asks the registry anew: what it answered before counts no more.
func (c *connection) renew() {
	if c.phase == agreed {
		c.phase = renewing
	}
}

const (
	// greetEvery shows that the other end is there, with nothing else to say.
	greetEvery = 4 * time.Hour
	// noAnswerAfter is when an answer that has not come is missed.
	noAnswerAfter = 30 * time.Second
)

// hours is the next time at which a hello is said in any case, whoever walked: they
// stand still from the connect on.
func (c *connection) hours(now time.Time) time.Time {
	passed := now.Sub(c.since) / greetEvery * greetEvery
	return c.since.Add(passed + greetEvery)
}

// hoursMissed reports whether the last of these was not answered in time.
func (c *connection) hoursMissed(now time.Time) bool {
	last := c.hours(now).Add(-greetEvery)
	return c.agreedAt.Before(last) && now.Sub(last) >= noAnswerAfter
}
