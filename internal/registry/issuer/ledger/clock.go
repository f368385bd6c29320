package ledger

import (
	"time"

	"gatehouse/internal/registry/agreed"
)

// Clock is the agreed time: in doubt it stands still. It is never before 1970 nor after
// 2106, as wire has it.
type Clock struct{ *agreed.Clock }

// maxAhead is how far ahead of the agreed time, in s, a gateway's clock is believed: a
// record is never from further ahead, or it would win for ever.
const maxAhead = 24 * 60 * 60

// Unix is that time in unix seconds.
func (c Clock) Unix() uint32 {
	at, _ := c.Now()
	return uint32(max(1, min(at.Unix(), 1<<32-1)))
}

// Agreed is that time in unix seconds, and whether nothing speaks against it.
func (c Clock) Agreed() (now uint32, sure bool) {
	_, doubt := c.Now()
	return c.Unix(), doubt == agreed.None
}

// At is that time as others take it.
func (c Clock) At() time.Time { return time.Unix(int64(c.Unix()), 0).UTC() }

// Ahead is the latest time (unix s) that a gateway's clock is believed to show.
func (c Clock) Ahead() uint32 { return uint32(min(uint64(c.Unix())+maxAhead, 1<<32-1)) }
