package uplink

import "time"

// phase is how far the exchange with the registry has come on a connection.
type phase uint8

const (
	greeting phase = iota // no hello of this connection is answered yet
	renewing              // one was answered, and the newest is not
	agreed                // the newest is answered, and both ends agree on what is stored
)

// connection is the state of the link, and of the exchange on it.
type connection struct {
	up       bool
	changed  <-chan struct{} // closed when up changes
	since    time.Time       // when it came up
	phase    phase
	agreedAt time.Time // when both ends agreed last, on this connection or one before
	lastAck  time.Time // likewise
	before   before
}

// is updates the link's state, and reports whether the connection is another one. A different
// changed channel shows that a connection came and went unseen.
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

// agrees reports whether both ends agree. A late ack of an earlier connection may bring it about
// too.
func (c *connection) agrees() bool { return c.phase == agreed }

func (c *connection) open() bool { return c.up && c.phase == agreed }

func (c *connection) agree(now time.Time) { c.phase, c.agreedAt = agreed, now }

// renew invalidates what the registry answered before.
func (c *connection) renew() {
	if c.phase == agreed {
		c.phase = renewing
	}
}

const (
	// greetEvery is the period of hellos that only check that the other end is there.
	greetEvery = 4 * time.Hour
	// noAnswerAfter is when a missing answer counts as overdue.
	noAnswerAfter = 30 * time.Second
)

// hours returns the next scheduled hello. The schedule counts from the connect alone, so that no
// passage moves it.
func (c *connection) hours(now time.Time) time.Time {
	passed := now.Sub(c.since) / greetEvery * greetEvery
	return c.since.Add(passed + greetEvery)
}

// hoursMissed reports whether the last scheduled hello was not answered in time.
func (c *connection) hoursMissed(now time.Time) bool {
	last := c.hours(now).Add(-greetEvery)
	return c.agreedAt.Before(last) && now.Sub(last) >= noAnswerAfter
}
