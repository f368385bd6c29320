package keyring

import (
	"context"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/internal/keyring/adopt"
	"gatehouse/internal/keys"

	"github.com/rs/zerolog"
)

func openAt(t *testing.T, dir string, now *time.Time) *Keyring {
	t.Helper()
	k, err := Open(Options{Dir: dir, Building: building, Keys: keys.Keys{Building: goldenKey(), Issuers: pinned(1)},
		Log: zerolog.Nop(), Now: func() time.Time { return *now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

func TestAdopt(t *testing.T) {
	now := issuedAt
	k := openAt(t, t.TempDir(), &now)
	one, two := device.CardOf(0x12005e298d, 40), h10301(t, 1, 2)
	k.Adopt.Notice(one, "front", "front-in")
	if until, cards := k.Adopt.All(); !until.IsZero() || len(cards) > 0 {
		t.Fatal("a card was kept with adopt mode off")
	}
	if err := k.Adopt.Set(7); err != nil {
		t.Fatal(err)
	}
	k.Adopt.Notice(one, "front", "front-in")
	now = now.Add(time.Hour)
	k.Adopt.Notice(two, "back", "back-in")
	now = now.Add(time.Hour)
	k.Adopt.Notice(one, "back", "back-in")
	k.Close()
	k = openAt(t, k.opts.Dir, &now)
	until, cards := k.Adopt.All()
	if !until.Equal(issuedAt.Add(7*24*time.Hour)) || len(cards) != 2 {
		t.Fatalf("until %v, %d cards", until, len(cards))
	}
	first := cards[0]
	if first.Count != 2 || first.Door != "back" || first.Bits != 40 || len(first.Credentials) != 3 ||
		first.First != issuedAt.Unix() || first.Last != issuedAt.Add(2*time.Hour).Unix() {
		t.Fatalf("kept %+v", first)
	}

	e := edit(t, k)
	add(t, e, first.Credentials[0])
	apply(t, k, sign(t, e))
	k.Adopt.Notice(one, "front", "front-in") // known now
	if _, cards := k.Adopt.All(); len(cards) != 1 || cards[0].Bits != 26 {
		t.Fatal("a bound card is still there")
	}
	if strings.Contains(adoptText(t, k), first.Credentials[0].String()) {
		t.Fatal("a bound card is still in the file")
	}

	now = now.Add(7 * 24 * time.Hour)
	if until, cards := k.Adopt.All(); !until.IsZero() || len(cards) > 0 {
		t.Fatal("kept after its days")
	}
	k.Close()
	if text := adoptText(t, k); strings.Contains(text, "count") {
		t.Fatal("still in the file after its days")
	}
}

func adoptText(t *testing.T, k *Keyring) string {
	t.Helper()
	return string(readFile(t, fileOf(k, adopt.Name)))
}

// TestRun writes the adopt list once a minute while there is news, and nothing
// in an idle house.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		now := issuedAt
		k := openAt(t, dir, &now)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- k.Run(ctx) }()
		if err := k.Adopt.Set(1); err != nil {
			t.Fatal(err)
		}
		k.Adopt.Notice(h10301(t, 1, 2), "front", "front-in")
		if strings.Contains(adoptText(t, k), "count") {
			t.Fatal("a swipe was written at once")
		}
		time.Sleep(runEvery + time.Second)
		synctest.Wait()
		if !strings.Contains(adoptText(t, k), "count") {
			t.Fatal("not written after a minute")
		}
		if err := os.Remove(fileOf(k, adopt.Name)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		if _, err := os.Stat(fileOf(k, adopt.Name)); err == nil {
			t.Fatal("written with nothing new")
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

// TestNoticeWaitsForNoDisk: a door may notice a card while a list is being
// written, however long that takes.
func TestNoticeWaitsForNoDisk(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		now := issuedAt
		k := openAt(t, dir, &now)
		if err := k.Adopt.Set(1); err != nil {
			t.Fatal(err)
		}
		k.active.mu.Lock() // as Apply holds it while it writes
		noticed := false
		go func() { k.Adopt.Notice(h10301(t, 1, 2), "front", "front-in"); noticed = true }()
		synctest.Wait()
		k.active.mu.Unlock()
		if !noticed {
			t.Fatal("it waited")
		}
	})
}
