package recordfiles

import (
	"bytes"
	"os"
	"path/filepath"
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

// TestKeptOnASickDisk: a kept record that can't be read now stays where it is; a damaged
// one is put aside.
func TestKeptOnASickDisk(t *testing.T) {
	side := &files.Dir{Path: t.TempDir(), Log: zerolog.Nop()}
	k := NewKept(side, func() int64 { return 1 }, keys.NewStore(keys.Keys{Registry: &keys.Registry{Place: wire.Place{Gateway: "gate-a"}}}, "house-1"))
	sick, damaged := k.file(wire.Record{ID: wire.ID{1}}), k.file(wire.Record{ID: wire.ID{2}})
	if err := os.MkdirAll(sick, 0o700); err != nil { // what reading it gives is an error of the disk
		t.Fatal(err)
	}
	if err := os.WriteFile(damaged, []byte("not what was written"), 0o600); err != nil {
		t.Fatal(err)
	}
	if all := k.All(); len(all) != 0 {
		t.Fatalf("read: %+v", all)
	}
	if _, err := os.Stat(sick); err != nil {
		t.Errorf("what could not be read: %v", err)
	}
	if aside := side.Aside(); len(aside) != 1 || aside[0] != filepath.Base(damaged)+".bad-1" {
		t.Errorf("put aside: %v", aside)
	}
}

// TestContents: what is encoded comes back, and no part of it, and nothing else, is taken for it.
func TestContents(t *testing.T) {
	all := []content{{"a.person", []byte("sealed")}, {"a.record", nil}, {"", bytes.Repeat([]byte{1}, 300)}}
	b := encode(all)
	got, ok := decode(b)
	if !ok || len(got) != len(all) {
		t.Fatalf("%d contents", len(got))
	}
	for i := range all {
		if got[i].Name != all[i].Name || !bytes.Equal(got[i].Data, all[i].Data) {
			t.Errorf("%d: %+v", i, got[i])
		}
	}
	whole := map[int]bool{0: true, len(encode(all[:1])): true, len(encode(all[:2])): true}
	for n := range b {
		if _, ok := decode(b[:n]); ok != whole[n] {
			t.Errorf("the first %d bytes: %v", n, ok)
		}
	}
	if _, ok := decode(bytes.Repeat([]byte{0xff}, 20)); ok {
		t.Error("nonsense is taken")
	}
}
