package inquiry

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/evidence"
	"gatehouse/internal/mandate"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealed"
)

// named are the numbers of the entries that a file says who they name.
func named(r evidence.Report) (all []uint64) {
	for _, e := range r.Entries {
		if e.State == evidence.Named {
			all = append(all, e.Sequence)
		}
	}
	return all
}

// TestScope: who parts are told of the mandate's doors, time and people alone, and entries that are in no
// file at all are outside its time.
func TestScope(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(*scene)
		want   []uint64
	}{
		{"everybody at the front", func(*scene) {}, []uint64{2, 3, 5}},
		{"a flat", func(s *scene) { s.mandate.Request.Flats = []string{"3B"} }, []uint64{3}},
		{"a flat that nobody has", func(s *scene) { s.mandate.Request.Flats = []string{"9Z"} }, nil},
		{"a tenancy", func(s *scene) { s.mandate.Request.Tenancies = []wire.ID{{3, 3}} }, []uint64{5}},
		{"a card", func(s *scene) { s.mandate.Request.Cards = []wire.CredentialID{{1, 1}} }, []uint64{2}},
		{"the card in hand", func(s *scene) { s.mandate.Request.InHand, s.card = true, []wire.CredentialID{{8}, {1, 3}} }, []uint64{5}},
		{"two doors", func(s *scene) { s.mandate.Request.Gateways[0].Doors = []string{"back", "front"} }, []uint64{2, 3, 4, 5}},
		{"half the time", func(s *scene) { s.mandate.Request.Until = noon - 250 }, []uint64{2}},
		{"to the second, exclusive", func(s *scene) { s.mandate.Request.From, s.mandate.Request.Until = noon-200, noon-100 }, []uint64{3}},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := newScene(t)
			s.flats["3B"] = []wire.ID{{3, 2}}
			s.log.add(at(9000, wire.Header{Kind: wire.KindBoot}), wire.Who{})
			s.log.add(at(8000, access("front")), tenant(1)) // before the mandate's time
			s.log.add(at(300, access("front")), tenant(1))
			s.log.add(at(200, access("front")), tenant(2))
			s.log.add(at(150, access("back")), tenant(2))
			s.log.add(at(100, access("front")), tenant(3))
			s.log.add(at(0, access("front")), tenant(2)) // after it
			s.log.add(at(0, access("front")), tenant(2)) // and not its neighbour
			c.change(s)
			all, _ := s.files(s.ask(0))
			if len(all) != 1 || !slices.Equal(named(all[0]), c.want) {
				t.Fatalf("%d files, of %v it tells who they name, want %v", len(all), named(all[0]), c.want)
			}
			if first, end := all[0].Manifest.First, all[0].Manifest.End(); first == 0 || end > 7 {
				t.Errorf("entries %d to %d", first, end)
			}
		})
	}
}

// TestEntryFirst: the entry of a use is written before anything is collected, says what the answer is made
// from, and without it there is no answer. One that comes late is the use all the same.
func TestEntryFirst(t *testing.T) {
	s := newScene(t)
	s.log.add(at(200, access("front")), tenant(1))
	s.log.sick = errors.New("the disk takes nothing")
	if a, err := s.ask(0); !errors.Is(err, ErrNotDurable) || len(a.Files) != 0 {
		t.Fatalf("answered with a sick disk: %d files, %v", len(a.Files), err)
	}
	if i := slices.Index(s.log.order, "append"); i < 0 || slices.Contains(s.log.order[i:], "read") {
		t.Errorf("read after the entry failed: %v", s.log.order)
	}
	s.log.late = true
	if _, err := s.ask(0); !errors.Is(err, ErrNotDurable) {
		t.Fatal(err)
	}
	s.log.sick = nil
	s.log.add(at(0, access("front")), tenant(1))
	again, _ := s.files(s.ask(1))
	if len(again) != 1 || again[0].Size != 1 || len(s.said()) != 1 {
		t.Errorf("%d files, of a log of %d entries, which says %d of queries", len(again), again[0].Size, len(s.said()))
	}
	next, err := s.ask(0)
	if must(t, next, err); next.Use != 2 {
		t.Errorf("then use %d is counted", next.Use)
	}
}

// TestAgain: an answer that is asked for again is the same to the byte, whatever came into the log since,
// and counts nothing. Uses are counted by the mandate's reference, whoever signed it anew.
func TestAgain(t *testing.T) {
	s := newScene(t)
	s.flats["3B"] = []wire.ID{{3, 1}}
	s.mandate.Request.Flats = []string{"3B"}
	for n := range 9 {
		s.log.add(at(int64(900-n), access("front")), tenant(byte(n%3)))
	}
	s.log.cosign(5)
	_, first := s.files(s.ask(0))
	s.log.add(at(0, access("front")), tenant(1))
	s.log.cosign(11)
	s.flats["3B"] = []wire.ID{{3, 2}} // who lived there is forgotten
	s.now.Wall, s.now.BootTime = s.now.Wall.Add(time.Minute), s.now.BootTime+time.Minute
	_, second := s.files(s.ask(0))
	if string(first[0]) == string(second[0]) {
		t.Error("two uses give the same file")
	}
	for use, want := range map[uint64][]byte{1: first[0], 2: second[0]} {
		a, err := s.ask(use)
		if _, got := s.files(a, err); string(got[0]) != string(want) || !a.Again || a.Use != use {
			t.Errorf("use %d again: another file, or use %d, again %v", use, a.Use, a.Again)
		}
	}
	s.mandate.Answers = 3
	if a, err := s.ask(0); err != nil || a.Use != 3 {
		t.Errorf("signed anew for three answers: use %d, %v", a.Use, err)
	}
	if _, err := s.ask(0); codeOf(err) != "used_up" {
		t.Error(err)
	}
	if _, err := s.ask(4); !errors.Is(err, ErrNoUse) {
		t.Error(err)
	}
	var uses []uint64
	for _, r := range s.said() {
		uses = append(uses, r.Use)
	}
	if want := []uint64{1, 2, 3, 0}; !slices.Equal(uses, want) {
		t.Errorf("the log says uses %v, want %v", uses, want)
	}
}

// TestNotOpen: who asks before the log is open, as just after a start, is answered when it is; no use counts twice by that. If it does not
// open there is no answer, and no entry.
func TestNotOpen(t *testing.T) {
	s := newScene(t)
	s.log.add(at(200, access("front")), tenant(1))
	must(t, 0, second(s.ask(0)))
	synctest.Test(t, func(t *testing.T) {
		s.log.shut = make(chan struct{})
		begun := time.Now()
		if a, err := s.desk.Ask(t.Context(), s.signed(), 0); !errors.Is(err, ErrNotDurable) || len(a.Files) != 0 || time.Since(begun) != durableWithin {
			t.Errorf("a log that does not open: %d files, %v", len(a.Files), err)
		}
		time.AfterFunc(time.Second, func() { close(s.log.shut) })
		if a, err := s.desk.Ask(t.Context(), s.signed(), 0); err != nil || a.Use != 2 {
			t.Errorf("a log that opens: use %d, %v", a.Use, err)
		}
	})
}

func codeOf(err error) string {
	if r := new(mandate.Refusal); errors.As(err, &r) {
		return r.Name
	}
	return ""
}

// TestRefused: each refusal is given with its code and is an entry that the office reads, of a mandate for this house one
// for each reason. More than a dozen papers within the hour that are no mandate for this house are not even looked into,
// and keep no mandate out that is.
func TestRefused(t *testing.T) {
	s := newScene(t)
	s.log.add(at(200, access("front")), tenant(1))
	bad := s.signed()
	bad[len(bad)-1] ^= 1
	if _, err := s.desk.Ask(t.Context(), bad, 0); codeOf(err) != "unsigned" {
		t.Error(err)
	}
	s.mandate.Request.Building = "house-2"
	if _, err := s.ask(0); codeOf(err) != "wrong_building" {
		t.Error(err)
	}
	s.mandate.Request.Building, s.mandate.Expires = "house-1", noon-1
	s.mandate.Issued, s.mandate.Request.Until, s.mandate.Request.From = noon-3600, noon-3600, noon-7200
	if _, err := s.ask(0); codeOf(err) != "expired" {
		t.Error(err)
	}
	all := s.said()
	if len(all) != 3 || all[0].Refusal != "unsigned" || all[0].Reference != nil || all[2].Refusal != "expired" || wire.ID(all[2].Reference) != s.mandate.Reference || all[1].What != sealed.Refusal {
		t.Errorf("the office reads %+v", all)
	}
	for range mostRefusals { // two were shown
		_, _ = s.desk.Ask(t.Context(), bad, 0)
		if _, err := s.ask(0); codeOf(err) != "expired" {
			t.Errorf("shown again: %v", err)
		}
	}
	if _, err := s.desk.Ask(t.Context(), bad, 0); !errors.Is(err, ErrBusy) || len(s.said()) != mostRefusals+1 {
		t.Errorf("%v, and %d entries", err, len(s.said()))
	}
	s.mandate.Reference, s.mandate.Expires = wire.ID{8}, noon+3600
	if _, err := s.ask(0); err != nil {
		t.Errorf("an officer who comes then: %v", err)
	}
	foreign := s.signed()
	s.house.Trust.Approvers[0].Town = "lao" // who signed is an approver of another town
	if _, err := s.desk.Ask(t.Context(), foreign, 0); !errors.Is(err, ErrBusy) {
		t.Errorf("signed by another town's approver: %v", err)
	}
	s.now.BootTime += time.Hour
	if _, err := s.desk.Ask(t.Context(), foreign, 0); codeOf(err) != "not_held" {
		t.Errorf("an hour later: %v", err)
	}
	s.house.Trust = wire.Trust{}
	if _, err := s.ask(0); !errors.Is(err, ErrNoAuthority) {
		t.Errorf("a house without a registry: %v", err)
	}
}

// TestWithdrawn: once a withdrawal was shown the mandate gets nothing more, no answer of before either, by a new desk on
// the same log too; another mandate is answered. A disk that does not take the withdrawal is told of.
func TestWithdrawn(t *testing.T) {
	s := newScene(t)
	s.log.add(at(200, access("front")), tenant(1))
	must(t, 0, second(s.ask(0)))
	paper := s.signed()
	s.mandate.Status, s.mandate.StatusReason = mandates.Withdrawn, "案件撤销"
	s.log.sick = errors.New("the disk takes nothing")
	if _, err := s.ask(0); !errors.Is(err, ErrNotDurable) {
		t.Errorf("a withdrawal that is not on the disk: %v", err)
	}
	if s.log.sick = nil; codeOf(second(s.desk.Ask(t.Context(), paper, 1))) != "" {
		t.Error("it is taken back by what is not in the log")
	}
	if _, err := s.ask(0); codeOf(err) != "withdrawn" || !strings.Contains(err.Error(), "案件撤销") {
		t.Error(err)
	}
	s.desk = New(s.desk.o)
	for use := range uint64(2) {
		if _, err := s.desk.Ask(t.Context(), paper, use); codeOf(err) != "withdrawn" || !strings.Contains(err.Error(), "the withdrawal was shown before") {
			t.Errorf("use %d: %v", use, err)
		}
	}
	s.mandate.Reference, s.mandate.Status, s.mandate.StatusReason = wire.ID{8}, mandates.Active, ""
	must(t, 0, second(s.ask(0)))
}

func second(_ Answer, err error) error { return err }

// TestTooMany: what one entry can't name is refused before it is counted, and as much as it can is not.
func TestTooMany(t *testing.T) {
	s := newScene(t)
	s.log.add(at(200, access("front")), tenant(1))
	s.log.cosign(1)
	s.mandate.Request.Flats = []string{"3B"}
	for n := range sealed.MaxSubjects + 1 {
		s.flats["3B"] = append(s.flats["3B"], wire.ID{3, byte(n), 0xff})
	}
	if _, err := s.ask(0); !errors.Is(err, ErrTooMany) || len(s.said()) != 0 {
		t.Errorf("%v, %d entries", err, len(s.said()))
	}
	s.flats["3B"] = s.flats["3B"][:sealed.MaxSubjects]
	if _, err := s.ask(0); err != nil {
		t.Error(err)
	}
}

// TestNothing: where nothing happened in the mandate's time the file has the entries beside it.
func TestNothing(t *testing.T) {
	s := newScene(t)
	s.log.add(at(9000, access("front")), tenant(1))
	s.log.add(at(8000, access("front")), tenant(1))
	s.log.add(at(-1, access("front")), tenant(1))
	s.log.add(at(-2, access("front")), tenant(1))
	all, _ := s.files(s.ask(0))
	if len(all) != 1 || all[0].Manifest.First != 1 || all[0].Manifest.End() != 3 || len(named(all[0])) != 0 {
		t.Errorf("%+v", all[0].Manifest)
	}
}

// TestUnsureTimes: an entry whose clock was not set is in the answer if it may have been made in the
// mandate's time, by another one of its run, by its neighbours, or by the query.
func TestUnsureTimes(t *testing.T) {
	unset := func(h wire.Header, boot uint64, since time.Duration) wire.Header {
		h.Boot, h.BootTime, h.Wall, h.Clock = boot, uint64(since), int64(since/time.Millisecond), wire.ClockUnset
		return h
	}
	set := func(before int64, boot uint64, since time.Duration) wire.Header {
		h := at(before, wire.Header{Kind: wire.KindClock})
		h.Boot, h.BootTime = boot, uint64(since)
		return h
	}
	for _, c := range []struct {
		what   string
		script []wire.Header
		want   []uint64
		pins   int
	}{
		{"pinned by what comes later", []wire.Header{unset(access("front"), 3, time.Hour), unset(access("front"), 3, 2*time.Hour), set(300, 3, 3*time.Hour)}, nil, 1},
		{"pinned into the time", []wire.Header{unset(access("front"), 3, time.Hour), unset(access("front"), 3, 3*time.Hour), set(300, 3, 3*time.Hour+time.Minute)}, []uint64{1}, 1},
		{"pinned by what came before", []wire.Header{set(3700, 3, time.Hour), unset(access("front"), 3, 2*time.Hour), set(-9000, 4, time.Hour)}, []uint64{1}, 1},
		{"between neighbours", []wire.Header{set(5000, 2, time.Hour), unset(access("front"), 3, time.Hour), set(4000, 4, time.Hour), unset(access("front"), 5, time.Hour), set(300, 6, time.Hour)}, []uint64{3}, 0},
		{"before the query", []wire.Header{set(300, 2, time.Hour), unset(access("front"), 9, time.Hour)}, []uint64{1}, 0},
		{"nobody ever knew", []wire.Header{unset(access("front"), 1, time.Hour), unset(access("front"), 2, time.Hour)}, []uint64{0, 1}, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := newScene(t)
			for _, h := range c.script {
				who := wire.Who{}
				if h.Kind == wire.KindAccess {
					who = tenant(1)
				}
				s.log.add(h, who)
			}
			all, raw := s.files(s.ask(0))
			if len(all) != 1 || !slices.Equal(named(all[0]), c.want) {
				t.Fatalf("of %v it tells who they name, want %v", named(all[0]), c.want)
			}
			if n := strings.Count(string(raw[0]), `"boottime_ns"`); n != c.pins {
				t.Errorf("%d pins, want %d", n, c.pins)
			}
		})
	}
}

// TestUncertainClock: a gateway that does not know the time answers once, and says so.
func TestUncertainClock(t *testing.T) {
	s := newScene(t)
	s.log.add(at(200, access("front")), tenant(1))
	s.now.Quality, s.now.Interval = wire.ClockFloor, trueclock.Interval{Lo: noon - 9000, Hi: trueclock.Unknown}
	all, _ := s.files(s.ask(0))
	if c := all[0].Manifest.Clock; c.Quality != "floor" || !c.Latest.After(time.Unix(noon+86400, 0)) {
		t.Errorf("the file says %+v", c)
	}
	if _, err := s.ask(0); codeOf(err) != "uncertain_clock" {
		t.Error(err)
	}
}

// TestHoles: what is missing from the log parts an answer, epochs too; each part is proved, and says
// whether something of it was erased.
func TestHoles(t *testing.T) {
	s := newScene(t)
	for n := range 12 {
		s.log.add(at(int64(900-n), access("front")), tenant(byte(n)))
	}
	s.log.all[1].Stored = s.log.all[1].Erase()
	for i := range s.log.all[6:] {
		s.log.all[6+i].Position.Epoch, s.log.all[6+i].Position.Sequence = 8, uint64(i)
	}
	all, _ := s.files(s.ask(0))
	if len(all) != 2 || all[0].Manifest.Epoch != 7 || all[0].Manifest.Counts != (evidence.Counts{Entries: 6, Named: 5, Withheld: 1}) || !all[0].Manifest.Erased || all[1].Manifest.Erased ||
		all[1].Manifest.Epoch != 8 || all[1].Manifest.Counts.Named != 6 || len(all[0].Manifest.Epochs) != 2 {
		t.Errorf("%d files: %+v", len(all), all)
	}
}

// TestCosigned: what a witness has signed of the log is in the file.
func TestCosigned(t *testing.T) {
	for size, want := range map[uint64]uint64{6: 6, 9: 9, 3: 3} {
		s := newScene(t)
		for n := range 9 {
			s.log.add(at(int64(900-n), access("front")), tenant(byte(n)))
		}
		s.log.cosign(size)
		all, _ := s.files(s.ask(0))
		if len(all) != 1 || all[0].Cosigned != want || all[0].Size != 9 {
			t.Errorf("a witness has signed %d entries: the file proves %d of %d", size, all[0].Cosigned, all[0].Size)
		}
	}
}

// TestForgotten: once somebody was erased, nothing in a file tells an entry of theirs from those of other people
// whom the mandate does not ask for; that something was erased is said where the mandate may have asked for it.
func TestForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		gone   int // the entry whose who part is erased; it is of tenant 2
		change func(*scene)
		named  []uint64
		says   bool
	}{
		"nobody was forgotten":       {-1, func(*scene) {}, []uint64{0, 3}, false},
		"somebody whom nobody wants": {1, func(*scene) {}, []uint64{0, 3}, true},
		"at another door":            {2, func(*scene) {}, []uint64{0, 3}, false},
		"at another time":            {4, func(*scene) {}, []uint64{0, 3}, false},
		"whom the mandate asks for":  {1, func(s *scene) { s.mandate.Request.Tenancies = []wire.ID{{3, 2}} }, nil, true},
		"everybody is asked for":     {1, func(s *scene) { s.mandate.Request.Tenancies = nil }, []uint64{0, 3}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.mandate.Request.Tenancies = []wire.ID{{3, 1}}
			s.log.add(at(900, access("front")), tenant(1))
			s.log.add(at(800, access("front")), tenant(2))
			s.log.add(at(700, access("back")), tenant(2))
			s.log.add(at(600, access("front")), tenant(1))
			s.log.add(at(-100, access("front")), tenant(2))
			if c.change(s); c.gone >= 0 {
				s.log.all[c.gone].Stored = s.log.all[c.gone].Erase()
			}
			all, raw := s.files(s.ask(0))
			if !slices.Equal(named(all[0]), c.named) || all[0].Manifest.Erased != c.says {
				t.Errorf("named are %v, something erased %t; want %v, %t", named(all[0]), all[0].Manifest.Erased, c.named, c.says)
			}
			for _, e := range all[0].Entries {
				if want := !slices.Contains(c.named, e.Sequence); (e.State == evidence.Withheld) != want {
					t.Errorf("entry %d: %d", e.Sequence, e.State)
				}
			}
			if again, err := s.ask(1); err != nil || string(must(t, again, err).Files[0]) == "" {
				t.Error(err)
			} else if _, same := s.files(again, err); string(same[0]) != string(raw[0]) {
				t.Error("asked for again it is another file")
			}
		})
	}
}

// TestBoots: a file says which software ran, of each run that has entries in it and whose boot entry is still here,
// also after an update.
func TestBoots(t *testing.T) {
	s := newScene(t)
	boot := func(n uint64, detail []byte) {
		h := at(int64(950-100*n), wire.Header{Kind: wire.KindBoot, Detail: detail})
		h.Boot = n
		s.log.add(h, wire.Who{})
		h = at(int64(940-100*n), access("front"))
		h.Boot = n
		s.log.add(h, tenant(1))
	}
	id := wire.ID{1}
	boot(1, id[:]) // as versions before wrote it
	boot(2, journaled.BootDetail(id, "v1.0"))
	boot(3, journaled.BootDetail(id, "v1.1"))
	all, raw := s.files(s.ask(0))
	if want := []evidence.Boot{{Number: 1}, {Number: 2, Software: "v1.0"}, {Number: 3, Software: "v1.1"}}; !slices.Equal(all[0].Manifest.Boots, want) {
		t.Errorf("%+v, want %+v", all[0].Manifest.Boots, want)
	}
	boot(4, journaled.BootDetail(id, "v1.2"))
	if _, again := s.files(s.ask(1)); string(again[0]) != string(raw[0]) {
		t.Error("asked for again it is another file")
	}
	s.log.gone = map[journaled.Position]bool{{Epoch: 7}: true, {Epoch: 7, Sequence: 1}: true, {Epoch: 7, Sequence: 2}: true}
	all, _ = s.files(s.ask(0))
	if all[0].Manifest.Boots[0] != (evidence.Boot{Number: 2}) {
		t.Errorf("a boot whose entry is gone: %+v", all[0].Manifest.Boots)
	}
}
