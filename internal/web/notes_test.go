package web

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/control"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/page"
)

// TestOwnerBeforeTheHouse: the first owner is made while the gateway serves no house yet; its log
// has the entry once it does, also when the page was started anew in between.
func TestOwnerBeforeTheHouse(t *testing.T) {
	dir := t.TempDir()
	accounts, err := account.OpenAtCost(dir, cheap)
	if err != nil {
		t.Fatal(err)
	}
	before, err := New(Options{Daemon: control.NewClient(filepath.Join(dir, "no.sock")), Accounts: accounts, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Server: httptest.NewServer(before.Handler())}
	defer s.Close()
	code, err := accounts.Code()
	if err != nil {
		t.Fatal(err)
	}
	if a := s.post(t, browser(t), "/welcome", "code", code, "name", "房东", "password", secret); a.location != "/" {
		t.Fatal(a.status, a.body)
	}
	owner := accounts.All()[0].Caller().String()

	if accounts, err = account.OpenAtCost(dir, cheap); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "sock")
	after, err := page.New(page.Options{Daemon: control.NewClient(socket), Accounts: accounts, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); after.TellNotes(ctx, 10*time.Millisecond) }()
	defer func() { cancel(); <-done }()
	time.Sleep(50 * time.Millisecond)
	house := newDaemon(t)
	if err := os.Symlink(house.path, socket); err != nil {
		t.Fatal(err)
	}
	want := []string{owner + " ended false by " + owner}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		house.mu.Lock()
		noted := slices.Clone(house.noted)
		house.mu.Unlock()
		if slices.Equal(noted, want) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("noted %q, want %q", noted, want)
		}
	}
}
