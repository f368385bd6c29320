package account

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/durable"
)

// InvitationLasts is how long an invitation is valid.
const InvitationLasts = 3 * 24 * time.Hour

// ErrInvitation means that a code is wrong, used or over.
var ErrInvitation = errors.New("the code invites nobody: it is wrong, was used, or is older than three days")

// ErrRole means an invitation of another role than helper or installer: a house has one owner.
var ErrRole = errors.New("helpers and installers are invited: a house has one owner")

// Invitation is an account that waits for its person, who has the code.
type Invitation struct {
	Name  string    `json:"name"`
	Role  Role      `json:"role"`
	Until time.Time `json:"until"`
	Code  []byte    `json:"code"` // SHA-256
}

func sumOf(code string) []byte {
	sum := sha256.Sum256([]byte(plainCode(code)))
	return sum[:]
}

// Invite invites a helper or an installer, and returns the code, which is not stored. again: there
// was an invitation of that name, whose code now is void. now is the clock of sessions.
func (s *Store) Invite(name string, role Role, now time.Time) (code string, again bool, err error) {
	if role != Helper && role != Installer {
		return "", false, ErrRole
	}
	name = oneLine(name)
	if !isName(name) {
		return "", false, ErrName
	}
	if _, taken := s.Named(name); taken {
		return "", false, ErrName
	}
	code = newCode() + newCode()[:2]
	s.inviting.Lock()
	defer s.inviting.Unlock()
	open, err := s.openInvitations(now)
	if err != nil {
		return "", false, err
	}
	others := slices.DeleteFunc(slices.Clone(open), func(i Invitation) bool { return strings.EqualFold(i.Name, name) })
	if len(others)+len(s.All()) >= mostAccounts {
		return "", false, ErrFull
	}
	return code, len(others) < len(open), s.saveInvitations(append(others, Invitation{name, role, now.Add(InvitationLasts), sumOf(code)}))
}

// Accept makes the account of an invitation, whose code then is void.
func (s *Store) Accept(code, password string, now time.Time) (Account, error) {
	s.inviting.Lock()
	defer s.inviting.Unlock()
	open, err := s.openInvitations(now)
	if err != nil {
		return Account{}, err
	}
	sum := sumOf(code)
	i := slices.IndexFunc(open, func(i Invitation) bool { return subtle.ConstantTimeCompare(i.Code, sum) == 1 })
	if i < 0 {
		return Account{}, ErrInvitation
	}
	if plainCode(password) == plainCode(code) {
		return Account{}, ErrPassword
	}
	a, err := s.Add(open[i].Name, open[i].Role, password)
	if err != nil {
		return Account{}, err
	}
	return a, s.saveInvitations(slices.Delete(open, i, i+1))
}

// Invitations returns the open invitations.
func (s *Store) Invitations(now time.Time) ([]Invitation, error) {
	s.inviting.Lock()
	defer s.inviting.Unlock()
	return s.openInvitations(now)
}

// Withdraw deletes the invitation of a name.
func (s *Store) Withdraw(name string, now time.Time) error {
	return s.dropInvitations(now, func(i Invitation) bool { return strings.EqualFold(i.Name, oneLine(name)) })
}

// HandOver deletes every installer's account and invitation: the house is set up.
func (s *Store) HandOver(now time.Time) error {
	if err := s.dropInvitations(now, func(i Invitation) bool { return i.Role == Installer }); err != nil {
		return err
	}
	for _, a := range s.All() {
		if a.Role != Installer {
			continue
		}
		if err := s.Remove(a.ID); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) dropInvitations(now time.Time, is func(Invitation) bool) error {
	s.inviting.Lock()
	defer s.inviting.Unlock()
	open, err := s.openInvitations(now)
	if err != nil {
		return err
	}
	return s.saveInvitations(slices.DeleteFunc(open, is))
}

func (s *Store) invitationsPath() string {
	return filepath.Join(filepath.Dir(s.path), "invitations.json")
}

// openInvitations reads the invitations that are not over. The caller holds inviting.
func (s *Store) openInvitations(now time.Time) ([]Invitation, error) {
	raw, err := os.ReadFile(s.invitationsPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the invitations: %w", err)
	}
	var all []Invitation
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, fmt.Errorf("the file of invitations %s is damaged (%w): remove it, and invite again", s.invitationsPath(), err)
	}
	return slices.DeleteFunc(all, func(i Invitation) bool { return !now.Before(i.Until) }), nil
}

// saveInvitations writes the file. The caller holds inviting.
func (s *Store) saveInvitations(all []Invitation) error {
	raw, err := json.MarshalIndent(all, "", "\t")
	if err == nil {
		err = durable.WriteForOwner(s.invitationsPath(), raw, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep the invitations: %w", err)
	}
	return nil
}
