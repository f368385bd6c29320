package journaled

import (
	"strings"
	"testing"

	"gatehouse/sync/wire"
)

// TestBootDetail: a boot entry says which software ran, as far as it has room; one without a version, and one
// that has something else there, say nothing.
func TestBootDetail(t *testing.T) {
	id, long := wire.ID{1, 2}, strings.Repeat("v", 100)
	for version, want := range map[string]string{"v0.4.1-12-gabc1234": "v0.4.1-12-gabc1234", "": "", long: long[:48], "two words": "", "\x1b[2J": "", "版本": ""} {
		detail := BootDetail(id, version)
		if wire.ID(detail[:16]) != id || Software(detail) != want {
			t.Errorf("%q: %x says %q", version, detail, Software(detail))
		}
		if _, err := (wire.Header{Boot: 1, Kind: wire.KindBoot, Detail: detail}).Encode(); err != nil {
			t.Errorf("%q: %v", version, err)
		}
	}
	for _, short := range [][]byte{nil, {1}, id[:]} {
		if Software(short) != "" {
			t.Errorf("%x says %q", short, Software(short))
		}
	}
}
