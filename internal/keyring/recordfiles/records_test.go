package recordfiles

import (
	"bytes"
	"os"
	"testing"

	"github.com/rs/zerolog"

	"gatehouse/internal/keyring/files"
	"gatehouse/internal/keyring/record"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// TestEveryFlippedBit: no single wrong bit in a record's file is believed.
func TestEveryFlippedBit(t *testing.T) {
	b, err := keys.GenerateBuildingKey(1)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := b.SealRecord(wire.Change{Op: wire.OpEnd, At: 5, Proof: wire.ProofLandlord, Grant: wire.ID{1}, Tenancy: wire.ID{2}, Cause: wire.CauseMovedOut})
	if err != nil {
		t.Fatal(err)
	}
	p := NewPending(&files.Dir{Path: t.TempDir(), Log: zerolog.Nop()}, keys.NewStore(keys.Keys{Building: b}, "house-1"))
	h := &record.Held{Local: record.Local{Gateway: "gate-a", Envelope: []byte{1, 2, 3},
		Record: wire.Record{Line: 5, Number: 1, ID: wire.ID{1, 7}, House: sealed, Desk: []byte{1}}}}
	if err := p.Write(h); err != nil {
		t.Fatal(err)
	}
	path := p.file(h)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		for what, b := range map[string][]byte{"changed": bad, "cut": good[:i]} {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if h, err := p.read(path); err == nil {
				t.Fatalf("byte %d %s, and read as %+v", i, what, h.Record)
			}
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if all := p.Read(); len(all) != 1 || all[0].Record.Number != 1 {
		t.Fatalf("as it was written: %+v", all)
	}
}
