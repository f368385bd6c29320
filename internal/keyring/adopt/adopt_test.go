package adopt

import (
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
