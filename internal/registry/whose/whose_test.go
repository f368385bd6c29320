package whose

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
	"gatehouse/sync/wire/whos"
)

// TestFind: entries of one tenancy are found in both ways of sealing, by gateway and epoch, and nobody else's; what
// another key has sealed, or was moved to another place, is counted.
func TestFind(t *testing.T) {
	private, public, err := sealing.GenerateKey()
	must(t, err)
	_, other, err := sealing.GenerateKey()
	must(t, err)
	mine, theirs := wire.ID{1}, wire.ID{2}
	parts := func(all ...wire.ID) (out []whos.Part) {
		for i, id := range all {
			b, err := wire.Who{Tenancy: &id, Method: wire.MethodPIN}.Encode()
			must(t, err)
			out = append(out, whos.Part{Index: uint16(2 * i), Who: b})
		}
		return out
	}
	f := New(private, mine.String())
	look := func(gateway string, epoch, first uint64, sealed, context []byte) {
		must(t, f.Look(api.Seals{Gateway: gateway, Epoch: epoch, First: first, Sealed: sealed, Context: context}))
	}
	c, err := whos.Begin(public, "b1/g2", 7)
	must(t, err)
	for _, first := range []uint64{10, 20} {
		sealed, err := c.Seal(first, parts(mine, theirs, mine))
		must(t, err)
		look("b1/g2", 7, first, sealed, c.Encapsulated())
		look("b1/g2", 7, first+1, sealed, c.Encapsulated())
	}
	for _, key := range [][]byte{public, other} {
		sealed, err := whos.Seal(key, "b1/g1", 8, 30, parts(theirs, mine))
		must(t, err)
		look("b1/g1", 8, 30, sealed, nil)
		look("b1/g1", 9, 30, sealed, nil)
	}
	if got := fmt.Sprint(f.Entries()); got != "[{b1/g1 8 [32] false} {b1/g2 7 [10 14 20 24] false}]" || f.Shut != 5 {
		t.Errorf("%s, %d shut", got, f.Shut)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestBefore: of several tenancies only entries are found that the registry stored before a time.
func TestBefore(t *testing.T) {
	private, public, err := sealing.GenerateKey()
	must(t, err)
	limit := time.Unix(1_790_000_000, 0)
	f := New(private, wire.ID{1}.String(), strings.ToUpper(wire.ID{2, 0xab}.String()))
	f.Before = limit
	for i, id := range []wire.ID{{1}, {2, 0xab}, {3}} {
		who, err := wire.Who{Tenancy: &id, Method: wire.MethodPIN}.Encode()
		must(t, err)
		for j, stored := range []time.Time{limit.Add(-time.Second), limit} {
			first := uint64(10*i + j)
			sealed, err := whos.Seal(public, "b1/g1", 1, first, []whos.Part{{Who: who}})
			must(t, err)
			must(t, f.Look(api.Seals{Gateway: "b1/g1", Epoch: 1, First: first, Stored: stored, Sealed: sealed}))
		}
	}
	if got := fmt.Sprint(f.Entries()); got != "[{b1/g1 1 [0 10] false}]" || f.Shut != 0 || f.Opened != 3 {
		t.Errorf("%s, %d shut, %d opened", got, f.Shut, f.Opened)
	}
}
