package journaled

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/sync/wire"
)

// TestTakers: each has what Split finds in the bytes that it was given, also once these have changed, and
// nothing of what was before Begin; bytes that are no entry are refused.
func TestTakers(outer *testing.T) {
	plain, _, who := goldenParts(outer)
	sealed, err := wire.Header{Boot: 2, Kind: wire.KindSealed, Detail: make([]byte, wire.SealedSize)}.Encode()
	if err != nil {
		outer.Fatal(err)
	}
	boot, err := wire.Header{Boot: 2, Kind: wire.KindBoot, Detail: BootDetail(wire.ID{3}, "v1")}.Encode()
	if err != nil {
		outer.Fatal(err)
	}
	rapid.Check(outer, func(t *rapid.T) {
		var copies Copies
		var batch Batch
		var headers Headers
		for range rapid.IntRange(1, 3).Draw(t, "batches") {
			var want []Entry
			var heads []Headed
			for _, to := range []Taker{&copies, &batch, &headers} {
				to.Begin(2)
			}
			for n := range rapid.IntRange(0, 6).Draw(t, "entries") {
				header := rapid.SampledFrom([][]byte{plain, sealed, boot}).Draw(t, "header")
				glimpse, _ := Glance(header)
				var detail []byte
				if glimpse.Kind != wire.KindAccess {
					detail = Detail(header)
				}
				s := New(header, [16]byte{byte(n)}, rapid.SampledFrom([][]byte{who, nil}).Draw(t, "who"))
				if rapid.Bool().Draw(t, "erased") {
					s = s.Erase()
				}
				at, stored := Position{1, uint64(n)}, s.Encode()
				for _, to := range []Taker{&copies, &batch, &headers} {
					b := bytes.Clone(stored)
					if err := to.Take(at, b); err != nil {
						t.Fatal(err)
					}
					clear(b)
				}
				want, heads = append(want, Entry{at, s}), append(heads, Headed{at, glimpse, detail})
			}
			if len(copies) != len(want) || len(batch.List) != len(want) || len(headers.List) != len(want) {
				t.Fatalf("%d, %d, %d entries; want %d", len(copies), len(batch.List), len(headers.List), len(want))
			}
			for i := range want {
				if !reflect.DeepEqual(copies[i], want[i]) || !reflect.DeepEqual(batch.List[i], want[i]) || !reflect.DeepEqual(headers.List[i], heads[i]) {
					t.Fatalf("entry %d: %+v, %+v, %+v; want %+v", i, copies[i], batch.List[i], headers.List[i], want[i])
				}
			}
		}
	})
	for _, bad := range [][]byte{nil, {0x81}, {0x84, 0xa0}, {0x81, 0xa1}} {
		if (&Batch{}).Take(Position{}, bad) == nil || new(Copies).Take(Position{}, bad) == nil {
			outer.Errorf("%x is taken for an entry", bad)
		}
		var headers Headers
		if err := headers.Take(Position{}, bad); err != nil || headers.List[0].Kind != 0 {
			outer.Errorf("%x has a header: %+v, %v", bad, headers.List, err)
		}
	}
}
