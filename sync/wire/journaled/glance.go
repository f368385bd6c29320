package journaled

import (
	"math"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
)

// Glimpse is what Glance sees: what an entry is of, and when it was made.
type Glimpse struct {
	Kind     wire.Kind
	Boot     uint64
	BootTime uint64 // CLOCK_BOOTTIME, ns
	Wall     int64  // ms since 1970
	Clock    wire.ClockQuality
}

// Glance reads the first fields of a header, and judges nothing else of it: for those who pass most
// entries on. ok is false where there are none.
func Glance(header []byte) (g Glimpse, ok bool) {
	r := canonical.Reader{B: header}
	for n := r.Head(canonical.Map, 23); n > 0 && len(r.B) > 0; n-- {
		key := r.B[0] // a small number is its own head
		r.B = r.B[1:]
		switch key {
		case 1:
			g.Boot = r.Head(canonical.Uint, math.MaxUint64)
		case 2:
			r.Head(canonical.Uint, math.MaxUint64)
		case 3:
			g.BootTime = r.Head(canonical.Uint, math.MaxUint64)
		case 4:
			if len(r.B) > 0 && r.B[0]&0xe0 == canonical.Negint {
				g.Wall = -1 - int64(r.Head(canonical.Negint, math.MaxInt64))
			} else {
				g.Wall = int64(r.Head(canonical.Uint, math.MaxInt64))
			}
		case 5:
			g.Clock = wire.ClockQuality(r.Head(canonical.Uint, math.MaxUint8))
		case 6: // keys stand in order: nothing after it is needed
			g.Kind = wire.Kind(r.Head(canonical.Uint, math.MaxUint8))
			if r.Bad || g.Kind == 0 {
				return Glimpse{}, false
			}
			return g, true
		default:
			r.Skip()
		}
	}
	return Glimpse{}, false
}

// Detail returns the detail of a header, which shares its bytes, and judges nothing else of it; nil: there
// is none.
func Detail(header []byte) []byte {
	r := canonical.Reader{B: header}
	for n := r.Head(canonical.Map, 23); n > 0 && !r.Bad; n-- {
		if r.Head(canonical.Uint, 23) == 14 {
			return r.Slice()
		}
		r.Skip()
	}
	return nil
}
