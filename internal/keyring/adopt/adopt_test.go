package adopt

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/keyring/files"
	"gatehouse/sync/wire"
)

// read makes a list in which nobody is known.
func read(dir string, now time.Time) *List {
	return Read(Options{Dir: &files.Dir{Path: dir, Log: zerolog.Nop()}, Now: func() time.Time { return now }, Knows: func(wire.CredentialID) bool { return false },
		Identify: func(cards []device.Card) (ids []wire.CredentialID, err error) {
			for _, c := range cards {
				id := wire.CredentialID{byte(c.Len())}
				copy(id[1:], c.Bytes())
				ids = append(ids, id)
			}
			return ids, nil
		}})
}

func TestLimits(t *testing.T) {
	now, dir := time.Unix(1_790_000_000, 0), t.TempDir()
	l := read(dir, now)
	for _, days := range []int{-1, maxDays + 1} {
		if err := l.Set(days); err == nil {
			t.Errorf("%d days taken", days)
		}
	}
	if err := l.Set(1); err != nil {
		t.Fatal(err)
	}
	for n := range maxCards + 10 {
		l.Notice(device.CardOf(uint64(n), 26), "front", "front-in")
	}
	l.Tend()
	if until, cards := read(dir, now).All(); len(cards) != maxCards || !until.Equal(now.Add(24*time.Hour)) {
		t.Fatalf("%d cards until %v", len(cards), until)
	}
	if err := l.Set(0); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(l.o.Dir.Join(Name))
	if _, cards := l.All(); err != nil || len(cards) != 0 || strings.Contains(string(text), "count") {
		t.Fatalf("switched off and not erased: %v", err)
	}
}

// TestHeard: of a card is kept on how many days it was seen, up to three, and it is told
// once the day is over; no time, no door and no reader is in memory or in the file.
func TestHeard(t *testing.T) {
	now, dir := time.Date(2026, 12, 1, 23, 0, 0, 0, time.UTC), t.TempDir()
	l := read(dir, now)
	l.o.Now = func() time.Time { return now }
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(l.Settle(now.Add(7 * 24 * time.Hour)))
	often, once := device.CardOf(1, 26), device.CardOf(2, 26)
	l.Notice(often, "front", "in") // as a door that decides
	l.Hear(once)
	told := func() (days []int) {
		_, cards := l.Heard()
		for _, c := range cards {
			days = append(days, c.Days)
			if c.Door != "" || c.Source != "" || c.First != 0 || c.Last != 0 || c.Count != 0 || c.Today {
				t.Fatalf("told %+v", c)
			}
		}
		return days
	}
	if len(told()) != 0 {
		t.Fatal("told on the day itself")
	}
	for day := range 5 {
		for range 3 {
			l.Hear(often)
			now = now.Add(20 * time.Minute)
		}
		if got := told(); len(got) != 2 || got[0] != min(day+1, 3) || got[1] != 1 {
			t.Fatalf("day %d: %v", day, got)
		}
		now = now.Add(23 * time.Hour)
		l.Tend()
		l = read(dir, now) // a start
		l.o.Now = func() time.Time { return now }
	}
	if got := told(); len(got) != 2 || got[0] != MostSeen {
		t.Fatalf("after five days: %v", got)
	}
	before := fmt.Sprint(l.rows.Cards)
	l.Hear(often)
	if fmt.Sprint(l.rows.Cards) != before {
		t.Error("more than three days are kept of a card")
	}
	if _, cards := l.All(); len(cards) > 0 {
		t.Error("told as cards that asked")
	}
	now = now.Add(20 * 24 * time.Hour) // the two weeks are over, too
	l.Tend()
	if text, err := os.ReadFile(l.o.Dir.Join(Name)); err != nil || len(told()) > 0 || strings.Contains(string(text), "bits") {
		t.Fatalf("kept for ever: %v %s", err, text)
	}
}

// TestSettle: who decides alone says which list it is; what was kept for the other is
// forgotten, and a longer time forgets nothing.
func TestSettle(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	l := read(t.TempDir(), now)
	count := func() int { l.mu.Lock(); defer l.mu.Unlock(); return len(l.rows.Cards) }
	step := func(until time.Time, want int) {
		t.Helper()
		if err := l.Settle(until); err != nil || count() != want {
			t.Errorf("%v: %d cards, want %d; %v", until, count(), want, err)
		}
	}
	if err := l.Set(7); err != nil {
		t.Fatal(err)
	}
	l.Notice(device.CardOf(1, 26), "front", "in")
	step(time.Time{}, 1)
	step(now.Add(time.Hour), 0)
	l.Hear(device.CardOf(1, 26))
	step(now.Add(48*time.Hour), 1)
	step(time.Time{}, 0)
	l.Hear(device.CardOf(1, 26))
	step(time.Time{}, 0)
}
