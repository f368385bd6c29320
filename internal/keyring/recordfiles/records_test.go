package recordfiles

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"

	"gatehouse/internal/durable/frames"
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

// pending is a directory of records with one of them, in the file ahead and with a person.
func pending(t *testing.T) (p *Pending, h *record.Held) {
	t.Helper()
	b, err := keys.GenerateBuildingKey(1)
	must(t, err)
	p = NewPending(&files.Dir{Path: t.TempDir(), Log: zerolog.Nop()}, keys.NewStore(keys.Keys{Building: b}, "house-1"))
	h = heldRecord(t, p, 1)
	must(t, p.Write(h))
	return p, h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func heldRecord(t *testing.T, p *Pending, number uint64) *record.Held {
	t.Helper()
	sealed, err := p.keys.Building().SealRecord(wire.Change{Op: wire.OpEnd, At: 5, Proof: wire.ProofLandlord, Grant: wire.ID{1}, Tenancy: wire.ID{2}, Cause: wire.CauseMovedOut})
	must(t, err)
	return &record.Held{Local: record.Local{Gateway: "gate-a", Envelope: []byte{1, 2, 3}, Person: bytes.Repeat([]byte("sealed"), 200),
		Record: wire.Record{Line: 5, Number: number, ID: wire.ID{1, byte(number)}, House: sealed, Desk: []byte{1}}}}
}

// next is the directory for the next process.
func (p *Pending) next() *Pending { return NewPending(p.dir.side, p.keys) }

// sicken makes all writes to the file ahead fail; full also gives it no space.
func sicken(t *testing.T, p *Pending, full bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gone")
	must(t, frames.Create(path, 4096))
	l, _, err := frames.Read(path, frames.NewLap())
	must(t, err)
	if must(t, l.Append(nil)); full {
		must(t, l.Append(make([]byte, 3900)))
	}
	must(t, os.Remove(path))
	p.ahead.log = l
}

// TestSickFileAhead: where the file ahead can't be written, or not be erased when it is full, it brings nothing back that
// was replaced or erased since; where it can't be removed either, that is refused.
func TestSickFileAhead(t *testing.T) {
	for name, full := range map[string]bool{"can't be written": false, "is full and can't be erased": true} {
		for _, stuck := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, stuck %t", name, stuck), func(t *testing.T) { sickFileAhead(t, full, stuck) })
		}
	}
}

func sickFileAhead(t *testing.T, full, stuck bool) {
	p, h := pending(t)
	gone := heldRecord(t, p, 2)
	must(t, p.Write(gone))
	sicken(t, p, full)
	real := p.ahead.path()
	if stuck { // a directory that is not empty can't be removed
		must(t, os.Rename(real, real+".kept"))
		must(t, os.MkdirAll(filepath.Join(real, "x"), 0o700))
	}
	h.Entered, h.Envelope = true, []byte{9}
	for what, err := range map[string]error{"a write": p.Write(h), "an erasure": p.Remove(gone), "another": p.Remove(gone)} {
		if (err != nil) != stuck {
			t.Errorf("%s: %v", what, err)
		}
	}
	if stuck {
		must(t, os.RemoveAll(real))
		must(t, os.Rename(real+".kept", real))
		must(t, p.Write(h))
		must(t, p.Remove(gone))
	}
	for range 2 {
		p = p.next()
		if all := p.Read(); len(all) != 1 || !all[0].Entered || !bytes.Equal(all[0].Envelope, h.Envelope) || !bytes.Equal(all[0].Person, h.Person) {
			t.Fatalf("at the next start: %+v", all)
		}
	}
	must(t, p.Write(gone))
	if _, err := os.Stat(real); err != nil {
		t.Errorf("the next process makes the file again: %v", err)
	}
}

// TestReplayThatFails: what the file ahead has of an earlier run is not given up, and nothing newer goes by it.
func TestReplayThatFails(t *testing.T) {
	p, h := pending(t)
	must(t, os.RemoveAll(p.dir.path))
	must(t, os.WriteFile(p.dir.path, nil, 0o600)) // in the place of the directory
	p = p.next()
	if all := p.Read(); len(all) > 0 {
		t.Fatalf("%+v", all)
	}
	must(t, os.Remove(p.dir.path))
	must(t, p.Write(heldRecord(t, p, 2)))
	if all := p.next().Read(); len(all) != 2 || !bytes.Equal(all[0].Person, h.Person) {
		t.Fatalf("%+v", all)
	}
}

// TestFileThatCantBeSynced: a file whose sync fails is written again by the frame, before that is erased.
func TestFileThatCantBeSynced(t *testing.T) {
	p, h := pending(t)
	must(t, os.Remove(p.file(h)))
	must(t, os.Symlink(p.file(h), p.file(h))) // can't be opened
	p.Settle()
	if data, err := os.ReadFile(p.ahead.path()); err != nil || len(bytes.TrimRight(data, "\x00")) > 0 {
		t.Fatalf("the file ahead is not empty, %v", err)
	}
	if all := p.next().Read(); len(all) != 1 || !bytes.Equal(all[0].Person, h.Person) {
		t.Fatalf("%+v", all)
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
