package segment

import (
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

func TestTileRefusesFlips(t *testing.T) {
	leaves := make([]tlog.Hash, TileLeaves)
	for i := range leaves {
		leaves[i] = tlog.RecordHash([]byte{byte(i)})
	}
	tile, root := makeTile(leaves)
	got, gotRoot, err := readTile(tile)
	if err != nil || gotRoot != root || got[255] != leaves[255] {
		t.Fatalf("read a tile: %v", err)
	}
	for i := 0; i < len(tile); i += 97 {
		tile[i] ^= 0x10
		if _, _, err := readTile(tile); err == nil {
			t.Errorf("a flip in byte %d went unseen", i)
		}
		tile[i] ^= 0x10
	}
	if _, _, err := readTile(tile[:100]); err == nil {
		t.Error("a short tile was accepted")
	}
}
