package keyring

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/keyring/record"
	"gatehouse/internal/keyring/signedtime"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

func checkInAt(t testing.TB, k *Keyring, gateway string, grant byte, card int) record.Local {
	t.Helper()
	return local(t, k, gateway, 5, uint64(grant), grant, change(wire.OpCheckIn, grant, 10, card))
}

func recordsDir(k *Keyring) string { return fileOf(k, "records") }

func recordFile(k *Keyring, l record.Local) string {
	return filepath.Join(recordsDir(k), l.Gateway+"-"+l.Record.ID.String()+".record")
}

// seenBy is a list's word on one line of a gateway.
func seenBy(gateway string, number uint64) []wire.Seen {
	return []wire.Seen{{Gateway: gateway, Line: 5, Number: number}}
}

func TestRecordSurvivesRestart(t *testing.T) {
	k, _ := enrolled(t)
	l := checkInAt(t, k, "gate-a", 1, 1)
	l.Person = []byte("sealed")
	must(t, k.Records.Add(l))
	must(t, k.Records.Add(l)) // again: the same
	must(t, k.Records.Add(checkInAt(t, k, "gate-b", 2, 2)))
	k.Records.Entered(l.Record.ID)
	k = restarted(t, k)
	want(t, k, credential(1), wire.ReasonGranted)
	want(t, k, credential(2), wire.ReasonGranted)
	got := k.Records.All()
	if len(got) != 2 || got[0].Gateway != "gate-a" || !got[0].Entered || got[1].Entered || !bytes.Equal(got[0].Person, l.Person) ||
		!bytes.Equal(got[0].Envelope, l.Envelope) || got[0].Record.Number != 1 || got[0].Change.Flat != "3A" {
		t.Fatalf("records %+v", got)
	}
	must(t, k.Records.Stored(5, 1))
	if k.Records.All()[0].Person != nil || restarted(t, k).Records.All()[0].Person != nil {
		t.Fatal("the person is still there")
	}
}

// TestEnteredSurvivesAKill: a record whose entry is durable gets no other one from the next process, and one that was erased
// is not back, although nothing was synced for that. After a power cut both may be as before.
func TestEnteredSurvivesAKill(t *testing.T) {
	k, _ := enrolled(t)
	entered, settled := checkInAt(t, k, "gate-a", 1, 1), checkInAt(t, k, "gate-b", 2, 2)
	entered.Person = []byte("sealed")
	must(t, k.Records.Add(entered))
	must(t, k.Records.Add(settled))
	before := readFile(t, fileOf(k, "records.ahead"))
	k.Records.Entered(entered.Record.ID)
	must(t, k.Records.files.Remove(k.Records.active.state.Records.Find("gate-b", settled.Record.ID)))
	check := func(what string, k *Keyring, n int, isEntered bool) {
		t.Helper()
		got := k.Records.All()
		if len(got) != n || got[0].Entered != isEntered || !bytes.Equal(got[0].Person, entered.Person) {
			t.Errorf("%s: %d records, the first %+v", what, len(got), got[0])
		}
	}
	check("kill", powerCut(t, k, func(string) {}), 1, true)
	check("power cut", powerCut(t, k, func(dir string) {
		must(t, os.WriteFile(filepath.Join(dir, "records.ahead"), before, 0o600))
	}), 2, false)
	must(t, k.Records.Add(checkInAt(t, k, "gate-b", 3, 3)))
	check("kill after another record", powerCut(t, k, func(string) {}), 2, true)
}

// TestListSettles: what the list has settled is erased, with its person, and
// what comes again is not kept.
func TestListSettles(t *testing.T) {
	k, _ := enrolled(t)
	l := checkInAt(t, k, "gate-b", 1, 1)
	must(t, k.Records.Add(l))
	apply(t, k, listOf(t, 1, issuedAt, seenBy("gate-b", 1), 1, row(1, 1)))
	must(t, k.Records.Add(l))
	left, err := os.ReadDir(recordsDir(k))
	if err != nil || len(left) != 0 || len(k.Records.All()) != 0 {
		t.Fatalf("%d files, %d records are left: %v", len(left), len(k.Records.All()), err)
	}
	want(t, k, credential(1), wire.ReasonGranted)
	apply(t, k, listOf(t, 2, issuedAt, seenBy("gate-b", 1), 1, row(1, 1, inState(wire.GrantRevoked))))
	apply(t, k, listOf(t, 3, issuedAt, seenBy("gate-b", 1), 1))
	k = restarted(t, k)
	again := l
	again.Record.Line = 6 // from a disk that was rolled back
	must(t, k.Records.Add(again))
	want(t, k, credential(1), wire.ReasonRevoked)
}

func TestListLost(t *testing.T) {
	k, _ := enrolled(t)
	apply(t, k, listOf(t, 1, issuedAt, nil, 1, row(1, 1)))
	must(t, k.Records.Add(checkInAt(t, k, "gate-a", 2, 2)))
	must(t, k.Close())
	for _, name := range []string{"grants-a.db", "grants-b.db"} {
		must(t, os.WriteFile(fileOf(k, name), []byte("garbage"), 0o600))
	}
	k = restarted(t, k)
	want(t, k, credential(2), wire.ReasonGranted)
	want(t, k, credential(1), wire.ReasonNotReady)
}

func TestDamagedRecord(t *testing.T) {
	for name, ruin := range ruins {
		if name == "flipped bit" || name == "no manifest" || name == "one page" {
			continue // of database files
		}
		t.Run(name, func(t *testing.T) {
			k, _ := enrolled(t)
			l := checkInAt(t, k, "gate-a", 1, 1)
			l.Person = []byte("sealed")
			must(t, k.Records.Add(l))
			must(t, k.Records.Add(checkInAt(t, k, "gate-a", 2, 2)))
			path := recordFile(k, l)
			writeFile(t, path, ruin(readFile(t, path)))
			k = restarted(t, k)
			want(t, k, credential(2), wire.ReasonGranted)
			if s := k.Status(); len(s.Files.Aside) != 1 || s.Files.Aside[0] != filepath.Base(path)+".bad-1" || s.Records.Unsettled != 1 {
				t.Fatalf("status %+v", s)
			}
			if _, err := os.Stat(strings.TrimSuffix(path, ".record") + ".person"); err != nil {
				t.Fatal("the person of a damaged record is gone")
			}
		})
	}
}

func TestLeftoversAreErased(t *testing.T) {
	k, _ := enrolled(t)
	must(t, k.Records.Add(checkInAt(t, k, "gate-a", 1, 1)))
	for _, name := range []string{"gate-a-" + strings.Repeat("0", 32) + ".person", "gate-a-x" + ".record" + ".new", "gate-a-y" + ".person" + ".new"} {
		writeFile(t, filepath.Join(recordsDir(k), name), []byte("half"))
	}
	k = restarted(t, k)
	files, err := os.ReadDir(recordsDir(k))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files: %v", len(files), err)
	}
}

// TestRecordOnSickDisk: a check-in that can't be kept is refused; an end and a
// suspension hold, and are written when the disk can again.
func TestRecordOnSickDisk(t *testing.T) {
	k, _ := enrolled(t)
	apply(t, k, listOf(t, 1, issuedAt, nil, 1, row(1, 1), row(2, 2), row(4, 4)))
	writeFile(t, recordsDir(k), []byte("a file where the directory should be"))
	for op, grant := range map[wire.Op]byte{wire.OpEnd: 1, wire.OpSuspend: 2} {
		c := change(op, grant, 20)
		if op == wire.OpSuspend {
			c = change(op, grant, 20, 2)
		}
		if err := k.Records.Add(local(t, k, "gate-a", 5, uint64(grant), grant, c)); !errors.Is(err, ErrNotDurable) {
			t.Fatalf("%s: %v", op, err)
		}
	}
	for op := wire.OpCheckIn; op <= wire.OpWithdraw; op++ {
		c := change(op, 3, 20, 3)
		if op == wire.OpNotice || op == wire.OpDispute || op == wire.OpWithdraw {
			c = change(op, 4, 20)
		}
		if op == wire.OpEnd || op == wire.OpSuspend {
			continue
		}
		if err := k.Records.Add(local(t, k, "gate-a", 5, 10+uint64(op), 10+byte(op), c)); err == nil || errors.Is(err, ErrNotDurable) {
			t.Fatalf("%s: %v", op, err)
		}
	}
	for n, r := range map[int]wire.Reason{1: wire.ReasonRevoked, 2: wire.ReasonSuspended, 3: wire.ReasonUnknown, 4: wire.ReasonGranted} {
		want(t, k, credential(n), r)
	}
	if s := k.Status(); s.Records.Unwritten != 2 || s.Records.Unsettled != 2 {
		t.Fatalf("status %+v", s)
	}
	must(t, os.Remove(recordsDir(k)))
	k.active.mu.Lock()
	k.Records.tend() // what Run does every minute
	k.active.mu.Unlock()
	k = restarted(t, k)
	want(t, k, credential(1), wire.ReasonRevoked)
	want(t, k, credential(2), wire.ReasonSuspended)

	must(t, os.Rename(recordsDir(k), recordsDir(k)+".kept"))
	writeFile(t, recordsDir(k), []byte("a file where the directory should be"))
	if err := k.Records.Add(local(t, k, "gate-a", 5, 100, 100, change(wire.OpEnd, 4, 20))); !errors.Is(err, ErrNotDurable) {
		t.Fatal(err)
	}
	must(t, os.Remove(recordsDir(k)))
	must(t, os.Rename(recordsDir(k)+".kept", recordsDir(k)))
	k = restarted(t, k) // an orderly stop writes it
	want(t, k, credential(4), wire.ReasonRevoked)
}

// TestRecordsAfterAPowerCut: a record is there with its person by what stands ahead of their files, which may be
// torn, lost or empty then; and what was erased is nowhere within a minute.
func TestRecordsAfterAPowerCut(t *testing.T) {
	k, _ := enrolled(t)
	l := checkInAt(t, k, "gate-a", 1, 1)
	l.Person = []byte("sealed to the registry")
	must(t, k.Records.Add(l))
	ahead := filepath.Join("grants", "records.ahead")
	for name, harm := range map[string]func(dir string){
		"nothing written": func(dir string) { must(t, os.RemoveAll(filepath.Join(dir, "grants", "records"))) },
		"emptied": func(dir string) {
			for _, path := range glob(t, filepath.Join(dir, "grants", "records", "*")) {
				writeFile(t, path, nil)
			}
		},
		"all written": func(string) {},
		"the next is torn": func(dir string) {
			b := readFile(t, filepath.Join(dir, ahead))
			copy(b[len(bytes.TrimRight(b, "\x00"))+16:], "GHf1 and so on")
			writeFile(t, filepath.Join(dir, ahead), b)
		},
	} {
		k := powerCut(t, k, func(dir string) { harm(filepath.Dir(dir)) })
		got := k.Records.All()
		if len(got) != 1 || !bytes.Equal(got[0].Person, l.Person) || len(k.Status().Files.Aside) > 0 {
			t.Fatalf("%s: %+v, %+v", name, got, k.Status().Files)
		}
		want(t, k, credential(1), wire.ReasonGranted)
	}
	must(t, k.Records.Stored(5, 1))
	if b := readFile(t, filepath.Join(filepath.Dir(k.opts.Dir), ahead)); bytes.Count(b, []byte{0}) == len(b) {
		t.Fatal("nothing stands ahead of the files")
	}
	k.tend()
	must(t, filepath.WalkDir(filepath.Dir(k.opts.Dir), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && !strings.Contains(path, "kept") && bytes.Contains(readFile(t, path), l.Person) {
			t.Errorf("the person is in %s", path)
		}
		return err
	}))
	if b := readFile(t, filepath.Join(filepath.Dir(k.opts.Dir), ahead)); bytes.Count(b, []byte{0}) != len(b) {
		t.Error("something is left ahead of the files")
	}
	k = powerCut(t, k, func(string) {})
	if got := k.Records.All(); len(got) != 1 || len(got[0].Person) > 0 {
		t.Fatalf("%+v", got)
	}
	writeFile(t, filepath.Join(filepath.Dir(k.opts.Dir), "grants", "records.ahead"), bytes.Repeat([]byte("GHf1"), 32<<10))
	k = powerCut(t, k, func(string) {})
	want(t, k, credential(1), wire.ReasonGranted)
	must(t, k.Records.Add(checkInAt(t, k, "gate-b", 2, 2)))
	want(t, restarted(t, k), credential(2), wire.ReasonGranted)
}

// TestErasedRecordStaysGone: what was erased does not come back from what stands ahead of the records, at a start
// after a kill or from a copy of the disk; what was written since is there, the same record too.
func TestErasedRecordStaysGone(t *testing.T) {
	k, _ := enrolled(t)
	first, second := checkInAt(t, k, "gate-a", 1, 1), checkInAt(t, k, "gate-a", 2, 2)
	first.Person = []byte("sealed to the registry")
	must(t, k.Records.Add(first))
	must(t, k.Records.Add(second))
	must(t, k.Records.Stored(5, 1))
	must(t, k.Apply(listOf(t, 1, issuedAt, seenBy("gate-a", 1), 1, row(1, 1))))
	numbers := func(k *Keyring) (all []uint64) {
		for _, l := range append(k.Records.All(), k.Records.Undelivered()...) {
			all = append(all, l.Record.Number)
		}
		return all
	}
	copied := powerCut(t, k, func(string) {})
	if got := numbers(copied); !slices.Equal(got, []uint64{2}) {
		t.Fatalf("records %d are there", got)
	}
	want(t, copied, credential(1), wire.ReasonGranted)
	want(t, copied, credential(2), wire.ReasonGranted)

	k.active.mu.Lock() // as when a record comes again whose file was erased
	again := k.active.state.Records.Find("gate-a", second.Record.ID)
	must(t, errors.Join(k.Records.files.Remove(again), k.Records.files.Write(again)))
	k.active.mu.Unlock()
	if got := numbers(powerCut(t, k, func(dir string) { must(t, os.RemoveAll(filepath.Join(dir, "records"))) })); !slices.Equal(got, []uint64{2}) {
		t.Fatalf("records %d are there after one was written again", got)
	}
}

// TestSettledOnSickDisk: what the list has settled goes when the list is on disk.
func TestSettledOnSickDisk(t *testing.T) {
	k, _ := enrolled(t)
	must(t, k.Records.Add(checkInAt(t, k, "gate-a", 1, 1)))
	sicken(t, k, "grants-a.db")
	sicken(t, k, "grants-b.db")
	if err := k.Apply(listOf(t, 1, issuedAt, seenBy("gate-a", 1), 1, row(1, 1))); !errors.Is(err, ErrNotDurable) {
		t.Fatal(err)
	}
	if files, err := os.ReadDir(recordsDir(k)); err != nil || len(files) != 1 || len(k.Records.All()) != 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	k = restarted(t, k)
	want(t, k, credential(1), wire.ReasonGranted)
}

func TestRecordsRefused(t *testing.T) {
	k, _ := enrolled(t)
	good := checkInAt(t, k, "gate-a", 1, 1)
	for name, f := range map[string]func(*record.Local){
		"no gateway":  func(l *record.Local) { l.Gateway = "" },
		"path":        func(l *record.Local) { l.Gateway = "../x" },
		"no envelope": func(l *record.Local) { l.Envelope = nil },
		"no number":   func(l *record.Local) { l.Record.Number = 0 },
		"no op":       func(l *record.Local) { l.Change.Op = 0 },
	} {
		l := good
		f(&l)
		if err := k.Records.Add(l); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := k.Records.Replace([]record.Local{checkInAt(t, k, "gate-b", 1, 1)}); !errors.Is(err, ErrRefused) {
		t.Errorf("a sibling's as own: %v", err)
	}
	alone := open(t, t.TempDir())
	if err := alone.Records.Add(good); !errors.Is(err, ErrRefused) || alone.Records.All() != nil {
		t.Errorf("a standalone house: %v", err)
	}
	for _, err := range []error{alone.Authority.SetTrust(nil), alone.Authority.SetHouse(nil), alone.Authority.TakeBuildingKey(nil)} {
		if !errors.Is(err, ErrRefused) {
			t.Errorf("a standalone house: %v", err)
		}
	}
}

// TestSiblingFlood: a sibling gone mad fills no disk.
func TestSiblingFlood(t *testing.T) {
	k, _ := enrolled(t)
	for n := range maxHeld {
		l := record.Local{Gateway: "gate-b", Record: wire.Record{Number: uint64(n)}}
		k.active.state.Records = append(k.active.state.Records, &record.Held{Local: l})
	}
	if err := k.Records.Add(local(t, k, "gate-b", 5, 1, 1, change(wire.OpEnd, 1, 5))); err == nil {
		t.Fatal("taken")
	}
	k.active.state.Records = nil
}

func TestSetLocals(t *testing.T) {
	k, _ := enrolled(t)
	first := checkInAt(t, k, "gate-a", 1, 1)
	first.Person = []byte("sealed")
	must(t, k.Records.Add(first))
	must(t, k.Records.Add(checkInAt(t, k, "gate-a", 2, 2)))
	must(t, k.Records.Add(checkInAt(t, k, "gate-b", 3, 3)))
	renumbered := first
	renumbered.Record.Line, renumbered.Record.Number, renumbered.Person = 9, 1, nil
	must(t, k.Records.Replace([]record.Local{renumbered}))
	for range 2 {
		got := k.Records.All()
		if len(got) != 2 || got[0].Record.Line != 9 || string(got[0].Person) != "sealed" || got[1].Gateway != "gate-b" {
			t.Fatalf("records %+v", got)
		}
		want(t, k, credential(2), wire.ReasonUnknown)
		k = restarted(t, k)
	}
}

// TestBuildingKeyComesLater: a gateway that waits for a sibling's key opens
// nothing, and goes on without a restart when it comes.
func TestBuildingKeyComesLater(t *testing.T) {
	source, _ := enrolled(t)
	dir := t.TempDir()
	enrol(t, dir, "gate-b", false)
	k := openEnrolled(t, dir)
	if k.Grants() != nil || k.Status().HasKey {
		t.Fatal("grants without a key")
	}
	if _, err := k.Keys.Building().SealRecord(change(wire.OpEnd, 1, 5)); err == nil {
		t.Fatal("sealed without a key")
	}
	if _, err := k.Keys.Building().Seal(nil, "house-1/gate-a"); err == nil {
		t.Fatal("shared without a key")
	}
	_, public := sealPair(t)
	for _, address := range []string{"house-1/gate-a", "house-1/gate-b"} {
		sealed, err := source.Keys.Building().Seal(public, address)
		must(t, err)
		if err := k.Authority.TakeBuildingKey(sealed); (err == nil) != (address == "house-1/gate-b") {
			t.Fatalf("%s: %v", address, err)
		}
	}
	want(t, k, credential(1), wire.ReasonUnknown)
	must(t, k.Records.Add(checkInAt(t, k, "gate-a", 1, 1)))
	k = restarted(t, k)
	want(t, k, credential(1), wire.ReasonGranted)
	other, err := keys.GenerateBuildingKey(2)
	must(t, err)
	if err := k.Authority.SetBuildingKey(other); err == nil || k.Authority.SetBuildingKey(goldenKey()) != nil || k.Authority.SetBuildingKey(nil) == nil {
		t.Fatalf("another key: %v", err)
	}
}

// TestRecordsWaitForTheKey: records stay where they are while their key is away.
func TestRecordsWaitForTheKey(t *testing.T) {
	k, dir := enrolled(t)
	must(t, k.Records.Add(checkInAt(t, k, "gate-a", 1, 1)))
	must(t, k.Close())
	must(t, os.Remove(filepath.Join(dir, "keys", keys.BuildingKeyFile)))
	k = openEnrolled(t, dir)
	if s := k.Status(); len(k.Records.All()) != 0 || len(s.Files.Aside) != 0 {
		t.Fatalf("status %+v", s)
	}
	must(t, k.Authority.SetBuildingKey(goldenKey()))
	want(t, k, credential(1), wire.ReasonGranted)
}

func TestSealRecord(t *testing.T) {
	k, _ := enrolled(t)
	c := change(wire.OpCheckIn, 1, 10, 1, 2)
	sealed, err := k.Keys.Building().SealRecord(c)
	must(t, err)
	again, err := k.Keys.Building().SealRecord(c)
	must(t, err)
	if bytes.Equal(sealed, again) || sealed[0] != 1 {
		t.Fatal("the same nonce twice, or another key number")
	}
	got, err := k.Keys.Building().OpenRecord(sealed)
	must(t, err)
	if got.Flat != c.Flat || len(got.Credentials) != 2 || got.Credentials[1] != c.Credentials[1] {
		t.Fatalf("opened %+v", got)
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := k.Keys.Building().OpenRecord(bad); err == nil {
			t.Fatalf("byte %d changed, and opened", i)
		}
		if _, err := k.Keys.Building().OpenRecord(sealed[:i]); err == nil {
			t.Fatalf("cut to %d bytes, and opened", i)
		}
	}
	if _, err := k.Keys.Building().SealRecord(wire.Change{}); err == nil {
		t.Fatal("sealed nothing")
	}
}

// FuzzOpenRecord: whatever a sibling sends, nothing panics.
func FuzzOpenRecord(f *testing.F) {
	k := goldenKey()
	sealed, err := k.SealRecord(change(wire.OpCheckIn, 1, 10, 1))
	must(f, err)
	f.Add(sealed)
	f.Add([]byte{})
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := k.OpenRecord(b); err == nil && c.Op == 0 {
			t.Fatal("opened nothing")
		}
	})
}

// TestKept: what the registry has stored is kept with its person when a list has
// settled it, until it is safe there or 30 days are over, and opens nothing.
func TestKept(t *testing.T) {
	k, _ := enrolled(t)
	for i := range 3 {
		l := local(t, k, "gate-a", 5, uint64(i)+1, byte(i)+1, change(wire.OpCheckIn, byte(i)+1, 20, i+1))
		l.Person = []byte{9, byte(i)}
		must(t, k.Records.Add(l))
	}
	k.Time.RaiseFloor(issuedAt.Unix(), 0)
	must(t, k.Kept.Safe(5, 1))
	must(t, k.Records.Stored(5, 3))
	apply(t, k, listOf(t, 1, issuedAt, seenBy("gate-a", 3), 1, row(1, 1), row(2, 2), row(3, 3, revoke)))
	apply(t, k, listOf(t, 2, issuedAt, seenBy("gate-a", 3), 1, row(1, 1), row(3, 3, revoke)))
	for range 2 {
		if s := k.Status(); s.Records.Unsettled != 0 || len(k.Records.Undelivered()) > 0 {
			t.Fatalf("%d records count still", s.Records.Unsettled)
		}
		kept := k.Kept.All()
		if len(kept) != 2 || kept[0].Record.Number != 2 || !bytes.Equal(kept[1].Person, []byte{9, 2}) || len(kept[0].Envelope) == 0 || kept[0].Gateway != "gate-a" {
			t.Fatalf("kept %+v", kept)
		}
		want(t, k, credential(2), wire.ReasonUnknown)
		want(t, k, credential(3), wire.ReasonRevoked)
		k = restarted(t, k)
	}
	must(t, k.Kept.Safe(6, 9)) // of another line
	must(t, k.Kept.Safe(5, 2))
	if kept := k.Kept.All(); len(kept) != 1 || kept[0].Record.Number != 3 {
		t.Fatalf("kept %+v", kept)
	}
	const keptFor = 30 * signedtime.Day
	for _, after := range []int64{keptFor - 1, keptFor} {
		k.Time.RaiseFloor(issuedAt.Unix()+after, 0)
		k = restarted(t, k) // it looks once a day
		k.Kept.ForgetOld()
		if kept := k.Kept.All(); (len(kept) == 0) != (after == keptFor) {
			t.Fatalf("%d kept after %d s", len(kept), after)
		}
	}
	left, err := os.ReadDir(fileOf(k, "kept"))
	if err != nil || len(left) > 0 {
		t.Fatalf("%d files are left: %v", len(left), err)
	}
}
