package journaled

import (
	"bytes"
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
		g, ok := Glance(b)
		h, err := wire.DecodeHeader(b)
		if err == nil && (!ok || g != Glimpse{h.Kind, h.Boot, h.BootTime, h.Wall, h.Clock}) {
			t.Fatalf("%x: %+v, %v at a glance; it is %+v", b, g, ok, h)
		}
		if err == nil && !bytes.Equal(Detail(b), h.Detail) {
			t.Fatalf("%x: detail %x, it is %x", b, Detail(b), h.Detail)
		}
	})
}
