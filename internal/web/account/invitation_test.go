package account

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestInvitationEnds: an invitation is good for three days, once, over a restart, and its
// code is on no disk.
func TestInvitationEnds(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	code, _, err := s.Invite("Mei", Helper, now)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "invitations.json"))
	if err != nil || strings.Contains(string(raw), code) {
		t.Errorf("the file of invitations: %v\n%s", err, raw)
	}
	if s, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	const password = "zwei Birnen 7"
	if _, err := s.Accept(code, password, now.Add(InvitationLasts)); !errors.Is(err, ErrInvitation) {
		t.Errorf("after three days: %v", err)
	}
	if a, err := s.Accept(code[:4]+"-"+code[4:], password, now.Add(InvitationLasts-time.Second)); err != nil || a.Role != Helper || a.Name != "Mei" {
		t.Errorf("before: %+v, %v", a, err)
	}
	if _, err := s.Accept(code, password, now); !errors.Is(err, ErrInvitation) {
		t.Errorf("a second time: %v", err)
	}
	first, again, err := s.Invite("Lao Wang", Installer, now)
	if err != nil || again {
		t.Fatal(again, err)
	}
	if _, again, err := s.Invite("lao wang", Installer, now); err != nil || !again {
		t.Fatal(again, err)
	}
	if _, err := s.Accept(first, password, now); !errors.Is(err, ErrInvitation) {
		t.Errorf("a code that another took the place of: %v", err)
	}
}
