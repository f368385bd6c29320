// Package account stores who may use a house's page, and authenticates them: accounts with a role
// and the argon2id hash of a password, in one file that only the page's user reads.
//
// It refuses passwords that are guessed first, a second owner by the code of the label or without
// it, and to tell whether a name or a password was wrong.
package account

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"gatehouse/internal/caller"
	"gatehouse/internal/durable"
	"gatehouse/internal/naming"
)

// Role is what a person may do on the page.
type Role = caller.Role

// Roles of the page. The routes of package web have their permissions.
const (
	Owner     = caller.Owner
	Helper    = caller.Helper
	Installer = caller.Installer
)

// Bounds of what people choose, in characters.
const (
	LeastPassword = 8
	mostPassword  = 128
	mostName      = 40
	mostAccounts  = 20
)

// Errors that people can do something about.
var (
	ErrCode     = errors.New("this is not the code of the label")
	ErrClaimed  = errors.New("the house has an owner already")
	ErrPassword = errors.New("the password is too short, too long or among the first that are guessed")
	ErrName     = errors.New("the name is empty, too long or taken")
	ErrFull     = fmt.Errorf("there are %d accounts already", mostAccounts)
	ErrUnknown  = errors.New("name and password do not belong together")
)

// Account is one person who may use the page.
type Account struct {
	ID   string `json:"id"` // random; sessions refer to it
	Name string `json:"name"`
	Role Role   `json:"role"`
	Hash string `json:"hash"` // argon2id, PHC string
	// Since is the number of changes of the password: sessions from before a change are over.
	Since int `json:"since,omitempty"`
}

// Number is the account's name in the gateway's journal: six digits that do not reveal the person.
func (a Account) Number() uint32 {
	sum := sha256.Sum256([]byte(a.ID))
	return 100_000 + binary.BigEndian.Uint32(sum[:])%900_000
}

// Caller returns the account as the gateway knows it.
func (a Account) Caller() caller.Caller { return caller.Caller{Role: a.Role, Account: a.Number()} }

// Store is the file of accounts. It is safe for concurrent use.
type Store struct {
	path, codePath string
	params         argon2id.Params
	decoy          string // hash that is compared for an unknown name, so that it takes as long

	hashing  sync.Mutex // one hash at a time: each takes 19 MiB
	inviting sync.Mutex // guards the file of invitations; locked before mu
	mu       sync.Mutex
	read     os.FileInfo // of the file that was read; nil: there was none
	all      []Account

	Notes *Notes
}

// params cost 19 MiB and two passes, the least that OWASP recommends; a second on a small board
// would lock out fast typists.
var params = argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// Open reads the accounts in a directory, which must exist; without a file there are none, and the
// house waits for its owner. An unreadable file is an error: it must not open the first run to
// whoever comes next.
func Open(directory string) (*Store, error) { return OpenAtCost(directory, params) }

// OpenAtCost is Open with another cost of a hash, for tests, which make hundreds.
func OpenAtCost(directory string, params argon2id.Params) (*Store, error) {
	s := &Store{path: filepath.Join(directory, "accounts.json"), codePath: filepath.Join(directory, "first-run-code"), params: params}
	err := s.load()
	if err != nil {
		return nil, err
	}
	if s.Notes, err = OpenNotes(directory); err != nil {
		return nil, err
	}
	if s.decoy, err = argon2id.CreateHash(rand.Text(), &s.params); err != nil {
		return nil, fmt.Errorf("try the hash of passwords: %w", err)
	}
	s.handBack()
	return s, nil
}

// load reads the file if it has changed: `gatehouse-page password` and a restore change it while
// the page runs.
func (s *Store) load() error {
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.read == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the file of accounts %s is gone: put it back from a backup, or restart the page; then the code of the label makes a new owner", s.path)
	case err != nil:
		return fmt.Errorf("read the accounts: %w", err)
	case s.read != nil && os.SameFile(info, s.read) && info.ModTime().Equal(s.read.ModTime()):
		return nil
	}
	raw, err := os.ReadFile(s.path)
	if err != nil {
		return fmt.Errorf("read the accounts: %w", err)
	}
	var all []Account
	if err := json.Unmarshal(raw, &all); err != nil || len(all) == 0 {
		return fmt.Errorf("the file of accounts %s is damaged (%v): put it back from a backup; or remove it and all accounts with it, restart the page, and `gatehouse-page code` prints a new code", s.path, err)
	}
	s.all, s.read = all, info
	return nil
}

// Claimed reports whether the house has an owner.
func (s *Store) Claimed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.load() // an unreadable file makes nobody an owner: Claim fails too
	return len(s.all) > 0
}

// Code returns the code that makes the first owner, and makes it if there is none: eight digits,
// for a label. The error is ErrClaimed once the house has an owner.
func (s *Store) Code() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); len(s.all) > 0 {
		return "", ErrClaimed
	} else if err != nil {
		return "", err
	}
	raw, err := os.ReadFile(s.codePath)
	if err == nil && len(plainCode(string(raw))) == codeDigits {
		return plainCode(string(raw)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the code of the label: %w", err)
	}
	code := newCode()
	if err := durable.WriteForOwner(s.codePath, []byte(code+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the code of the label: %w", err)
	}
	return code, nil
}

const codeDigits = 8

// newCode returns eight uniformly random digits.
func newCode() string {
	code := make([]byte, 0, codeDigits)
	for b := [1]byte{}; len(code) < codeDigits; {
		rand.Read(b[:])
		if b[0] < 250 {
			code = append(code, '0'+b[0]%10)
		}
	}
	return string(code)
}

// plainCode returns a code in its compared form: people type it in groups, and with full-width
// digits.
func plainCode(typed string) string {
	return strings.Map(func(r rune) rune {
		switch r = naming.ASCII(r); {
		case r >= '0' && r <= '9':
			return r
		case r == ' ' || r == '-' || r == '\n' || r == '\r' || r == '　':
			return -1
		}
		return 'x'
	}, typed)
}

// Claim makes the first owner with the code of the label, which then is void.
func (s *Store) Claim(code, name, password string) (Account, error) {
	want, err := s.Code()
	if err != nil {
		return Account{}, err
	}
	if subtle.ConstantTimeCompare([]byte(want), []byte(plainCode(code))) != 1 {
		return Account{}, ErrCode
	}
	return s.ClaimAtHand(name, password)
}

// ClaimAtHand makes the first owner without the code, which is over then, too: for somebody who has shown
// otherwise to be at the gateway.
func (s *Store) ClaimAtHand(name, password string) (Account, error) {
	code, err := s.Code()
	if err != nil {
		return Account{}, err
	}
	if plainCode(password) == code {
		return Account{}, ErrPassword
	}
	a, err := s.add(name, Owner, password, true)
	if err != nil {
		return Account{}, err
	}
	return a, durable.Remove(s.codePath)
}

// Add makes an account.
func (s *Store) Add(name string, role Role, password string) (Account, error) {
	return s.add(name, role, password, false)
}

// oneLine is a name as it is kept: its words with one space between them.
func oneLine(name string) string { return strings.Join(strings.Fields(name), " ") }

// isName reports whether a name can be kept.
func isName(name string) bool {
	return name != "" && utf8.RuneCountInString(name) <= mostName && !strings.ContainsFunc(name, unicode.IsControl)
}

func (s *Store) add(name string, role Role, password string, first bool) (Account, error) {
	name = oneLine(name)
	if !isName(name) {
		return Account{}, ErrName
	}
	hash, err := s.hash(password)
	if err != nil {
		return Account{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return Account{}, err
	}
	switch {
	case first && len(s.all) > 0:
		return Account{}, ErrClaimed
	case len(s.all) >= mostAccounts:
		return Account{}, ErrFull
	case slices.ContainsFunc(s.all, func(a Account) bool { return strings.EqualFold(a.Name, name) }):
		return Account{}, ErrName
	}
	a := Account{ID: rand.Text(), Name: name, Role: role, Hash: hash}
	return a, s.save(append(slices.Clone(s.all), a))
}

// hash returns the hash of a password, and refuses one that is guessed first.
func (s *Store) hash(password string) (string, error) {
	n := utf8.RuneCountInString(password)
	if n < LeastPassword || n > mostPassword || guessable(password) {
		return "", ErrPassword
	}
	s.hashing.Lock()
	defer s.hashing.Unlock()
	defer s.handBack()
	hash, err := argon2id.CreateHash(password, &s.params)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return hash, nil
}

// handBack returns the memory of a hash to the system: a small board needs its 19 MiB, of which a
// few sign-ins would keep several.
func (s *Store) handBack() {
	if s.params.Memory >= params.Memory {
		debug.FreeOSMemory()
	}
}

// guessable detects passwords that a thief tries first: one or two different characters, and runs
// of the keyboard or of digits.
func guessable(password string) bool {
	p := strings.ToLower(password)
	seen := map[rune]bool{}
	for _, r := range p {
		seen[r] = true
	}
	if len(seen) <= 2 {
		return true
	}
	for _, run := range []string{"01234567890123456789", "98765432109876543210", "qwertyuiopasdfghjklzxcvbnm", "abcdefghijklmnopqrstuvwxyz"} {
		if strings.Contains(run, p) {
			return true
		}
	}
	return slices.Contains([]string{"password", "passw0rd", "password1", "1qaz2wsx", "woaini1314", "a1234567", "a12345678", "gatehouse", "5201314520", "11223344", "12341234"}, p)
}

// Login returns the account with this name and password; ErrUnknown if there is none.
func (s *Store) Login(name, password string) (Account, error) {
	s.mu.Lock()
	err := s.load()
	s.mu.Unlock()
	if err != nil {
		return Account{}, err
	}
	a, found := s.Named(name)
	hash := a.Hash
	if !found {
		hash = s.decoy
	}
	if utf8.RuneCountInString(password) > mostPassword {
		return Account{}, ErrUnknown
	}
	s.hashing.Lock()
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	s.handBack()
	s.hashing.Unlock()
	if err != nil {
		return Account{}, fmt.Errorf("compare a password: %w", err)
	}
	if !ok || !found {
		return Account{}, ErrUnknown
	}
	return a, nil
}

// Named returns an account by its name.
func (s *Store) Named(name string) (Account, bool) {
	return s.find(func(a Account) bool { return strings.EqualFold(a.Name, oneLine(name)) })
}

// Find returns an account by its id.
func (s *Store) Find(id string) (Account, bool) {
	return s.find(func(a Account) bool { return a.ID == id })
}

func (s *Store) find(is func(Account) bool) (Account, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.load() // an unreadable file ends no session: the accounts in memory count
	if i := slices.IndexFunc(s.all, is); i >= 0 {
		return s.all[i], true
	}
	return Account{}, false
}

// All returns the accounts without their hashes, owners first.
func (s *Store) All() []Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.all)
	for i := range all {
		all[i].Hash = ""
	}
	return all
}

// SetPassword sets an account's password, and ends its sessions.
func (s *Store) SetPassword(id, password string) (Account, error) {
	hash, err := s.hash(password)
	if err != nil {
		return Account{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return Account{}, err
	}
	all := slices.Clone(s.all)
	i := slices.IndexFunc(all, func(a Account) bool { return a.ID == id })
	if i < 0 {
		return Account{}, ErrUnknown
	}
	all[i].Hash, all[i].Since = hash, all[i].Since+1
	return all[i], s.save(all)
}

// EndSessions ends all sessions of an account, on any phone.
func (s *Store) EndSessions(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return err
	}
	all := slices.Clone(s.all)
	i := slices.IndexFunc(all, func(a Account) bool { return a.ID == id })
	if i < 0 {
		return ErrUnknown
	}
	all[i].Since++
	return s.save(all)
}

// Remove deletes an account. The last owner stays.
func (s *Store) Remove(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return err
	}
	rest := slices.DeleteFunc(slices.Clone(s.all), func(a Account) bool { return a.ID == id })
	if len(rest) == len(s.all) {
		return ErrUnknown
	}
	if !slices.ContainsFunc(rest, func(a Account) bool { return a.Role == Owner }) {
		return errors.New("a house keeps one owner")
	}
	return s.save(rest)
}

// save writes the file, then changes the accounts in memory. The caller holds mu.
func (s *Store) save(all []Account) error {
	raw, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		return fmt.Errorf("write the accounts: %w", err)
	}
	if err := durable.WriteForOwner(s.path, raw, 0o600); err != nil {
		return fmt.Errorf("keep the accounts: %w", err)
	}
	s.all = all
	if s.read, err = os.Stat(s.path); err != nil {
		return fmt.Errorf("read the accounts: %w", err)
	}
	return nil
}
