package web

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gatehouse/internal/web/account"
)

// onFullDisk is a page whose own files are on a disk of which nothing is left once claim has run.
func onFullDisk(t *testing.T, claim func(*account.Store)) *site {
	t.Helper()
	s, dir := newSite(t), t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		if strings.Contains(os.Getenv("GATEHOUSE_REQUIRE"), "mount") {
			t.Fatal(err)
		}
		t.Skip("SKIP (needs mount): root only: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	accounts, err := account.OpenAtCost(dir, cheap)
	if err != nil {
		t.Fatal(err)
	}
	s.accounts, s.page.base.Accounts = accounts, accounts
	claim(accounts)
	ballast, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer ballast.Close()
	for err == nil {
		_, err = ballast.Write(bytes.Repeat([]byte("b"), 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return s
}

// TestFullDiskOfAccounts: with a full disk nobody becomes the owner, nobody is invited, and the old
// password stays good; the page says so in its own words.
func TestFullDiskOfAccounts(t *testing.T) {
	refused := func(what string, a answer) {
		t.Helper()
		if a.status != http.StatusInsufficientStorage || !strings.Contains(a.body, "存储卡满了，什么也没有改") || !strings.Contains(a.body, "腾出空间") || strings.Contains(a.body, "no space") {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	var code string
	s := onFullDisk(t, func(all *account.Store) {
		var err error
		if code, err = all.Code(); err != nil {
			t.Fatal(err)
		}
	})
	refused("the first owner", s.post(t, browser(t), "/welcome", "code", code, "name", "owner", "password", secret))
	if s.accounts.Claimed() {
		t.Error("the house has half an owner")
	}
	s = onFullDisk(t, func(all *account.Store) {
		code, err := all.Code()
		if err == nil {
			_, err = all.Claim(code, string(account.Owner), secret)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	c := s.as(t, "owner")
	refused("an invitation", s.post(t, c, "/access/invite", "name", "caretaker", "role", "helper"))
	refused("a password", s.post(t, c, "/password", "old", secret, "password", "drei Birnen 8"))
	if _, err := s.accounts.Login("owner", secret); err != nil {
		t.Errorf("the old password: %v", err)
	}
	if a := s.get(t, c, "/access"); strings.Contains(a.body, "caretaker") {
		t.Error("half an invitation")
	}
}
