package intake

import (
	"encoding/hex"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"testing"
)

// One entry, from its fields to the bytes in the file, its leaf and the root.
func TestGoldenEntry(t *testing.T) {
	header := wire.Header{
		Boot: 7, Counter: 300, BootTime: 86_400_000_000_000, Wall: 1_795_392_000_000, Clock: wire.ClockNTP,
		Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted,
		Door: "front", Source: "street", Direction: wire.DirectionIn,
	}
	it := &Item{Header: header}
	for i := range it.salt {
		it.salt[i] = byte(i)
	}
	who := wire.Who{Credential: &wire.CredentialID{0x01, 0x9d, 0x23, 0x47}, Grant: &wire.ID{0xaa}, Tenancy: &wire.ID{0xbb}}
	var err error
	if it.who, err = who.Encode(); err != nil {
		t.Fatal(err)
	}
	if err := it.seal(); err != nil {
		t.Fatal(err)
	}
	const stored = "83ab01070219012c031b00004e94914f0000041b000001a205b3d0000503060407010801096566726f6e740a667374726565740b01" +
		"50000102030405060708090a0b0c0d0e0f" +
		"a30151019d234700000000000000000000000000" + "0250aa000000000000000000000000000000" + "0350bb000000000000000000000000000000"
	const leaf = "feb55204221b2b6c64abb636cb49b082bab42e123b25c1e900c0ec0f683a0854"
	if got := hex.EncodeToString(it.Stored); got != stored {
		t.Errorf("stored entry is %s, want %s", got, stored)
	}
	if got := hex.EncodeToString(it.Leaf[:]); got != leaf {
		t.Errorf("leaf hash is %s, want %s", got, leaf)
	}
	if (tree.Range{}).Add(it.Leaf).Root() != it.Leaf {
		t.Error("the root of one leaf is not the leaf")
	}
}
