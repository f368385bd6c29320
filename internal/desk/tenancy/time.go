package tenancy

import "gatehouse/sync/wire"

// Time is what is known of it.
type Time struct {
	Now     int64 // unix s: the likeliest
	Sure    int64 // unix s: has certainly come
	Latest  int64 // unix s: it is not later; math.MaxInt64 where nobody can tell
	Trusted bool
	Quality wire.ClockQuality
}

// DaySeconds is the length of a day, s.
const DaySeconds = 24 * 60 * 60

// NotBefore is the time that it is not earlier than, unix s: records and ends are
// judged by it.
func (t Time) NotBefore() uint32 { return seconds(max(t.Now, t.Sure)) }

// Surely is the latest time that has certainly come, unix s; an end is over only by it.
func (t Time) Surely() uint32 { return seconds(t.Sure) }

// past is up to when no new term may end. A trusted clock judges by itself: what is
// sure can be years behind it. Another one judges only what is surely over.
func (t Time) past() uint32 {
	if t.Trusted {
		return t.NotBefore()
	}
	return t.Surely()
}

// seconds fits a time into a record: 1970 plus a second to the year 2106.
func seconds(s int64) uint32 { return uint32(min(max(s, 1), 1<<32-1)) }
