package journaled

import (
	"math"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
)

// Glance reads kind, wall clock (ms since 1970) and how good that was of a
// header, and judges nothing else of it: for those who pass most entries on. ok
// is false where there are none.
func Glance(header []byte) (kind wire.Kind, wall int64, clock wire.ClockQuality, ok bool) {
	r := canonical.Reader{B: header}
	for n := r.Head(canonical.Map, 23); n > 0; n-- {
		switch r.Head(canonical.Uint, 23) {
		case 4:
			if len(r.B) > 0 && r.B[0]&0xe0 == canonical.Negint {
				wall = -1 - int64(r.Head(canonical.Negint, math.MaxInt64))
			} else {
				wall = int64(r.Head(canonical.Uint, math.MaxInt64))
			}
		case 5:
			clock = wire.ClockQuality(r.Head(canonical.Uint, math.MaxUint8))
		case 6: // keys stand in order: nothing after it is needed
			kind = wire.Kind(r.Head(canonical.Uint, math.MaxUint8))
			return kind, wall, clock, !r.Bad && kind != 0
		default:
			r.Skip()
		}
	}
	return 0, 0, 0, false
}
