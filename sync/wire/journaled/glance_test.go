package journaled

import (
	"testing"

	"gatehouse/sync/wire"
)

// FuzzGlance: of a header that is good, the same is seen at a glance.
func FuzzGlance(f *testing.F) {
	header, _, _ := goldenParts(f)
	f.Add(header)
	early, err := wire.Header{Wall: -1 << 63, Clock: wire.ClockNTP, Kind: wire.KindAccess, Ref: &wire.Ref{Boot: 1}, Detail: []byte("x")}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(early)
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, wall, clock, ok := Glance(b)
		h, err := wire.DecodeHeader(b)
		if err == nil && (!ok || kind != h.Kind || wall != h.Wall || clock != h.Clock) {
			t.Fatalf("%x: kind %d at %d by clock %d, %v at a glance; it is kind %d at %d by %d", b, kind, wall, clock, ok, h.Kind, h.Wall, h.Clock)
		}
	})
}
