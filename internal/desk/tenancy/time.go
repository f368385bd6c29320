package tenancy

import "gatehouse/sync/wire"

// Time is what is known of the time.
type Time struct {
	Now     int64 // unix s: the likeliest
	Sure    int64 // unix s: has certainly come
	Latest  int64 // unix s: it is not later; math.MaxInt64 where nobody can tell
	Trusted bool
	Quality wire.ClockQuality
}

// DaySeconds is the length of a day, s.
const DaySeconds = 24 * 60 * 60

// NotBefore returns the time that it is at least, unix s; records and ends are judged by it.
func (t Time) NotBefore() uint32 { return seconds(max(t.Now, t.Sure)) }

// Surely returns the latest time that has certainly come, unix s; only it ends anything.
func (t Time) Surely() uint32 { return seconds(t.Sure) }

// Past returns the time before which no new term may end, unix s. A trusted clock judges by itself,
// because the certain time can be years behind it; another one judges only by the certain time.
func (t Time) Past() uint32 {
	if t.Trusted {
		return t.NotBefore()
	}
	return t.Surely()
}

// seconds limits a time to the range of a record: a second after 1970 to the year 2106.
func seconds(s int64) uint32 { return uint32(min(max(s, 1), 1<<32-1)) }
