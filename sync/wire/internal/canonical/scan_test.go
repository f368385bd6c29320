package canonical

import (
	"strconv"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// FuzzItem: what is an item is what the library says.
func FuzzItem(f *testing.F) {
	header := []byte{0xab, 1, 7, 2, 0x19, 1, 0x2c, 3, 0x1b, 0, 0, 0x4e, 0x94, 0x91, 0x4f, 0, 0, 9, 0x65, 0x66, 0x72, 0x6f, 0x6e, 0x74}
	who := append([]byte{0xa1, 2, 0x50}, make([]byte, 16)...)
	for _, seed := range [][]byte{header, who, {0x9f, 0xff}, {0xc1, 0x00}, {0xf8, 0x20}, {0xf9, 0, 0}, {0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0},
		{0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0}, {0xbb, 0x80, 0, 0, 0, 0, 0, 0, 0}, {0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var item cbor.RawMessage
		_, err := modes.dec.UnmarshalFirst(b, &item)
		if strconv.IntSize == 32 && err == nil && ItemSize(b, 0) == 0 {
			return // there the library takes a count of 2^63 for none
		}
		if n := ItemSize(b, 0); (err == nil) != (n > 0) || n != len(item) {
			t.Fatalf("%x: %d bytes by hand, by the library %d, %v", b, n, len(item), err)
		}
	})
}
