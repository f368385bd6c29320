// Package doorcode has the codes that open the doors of a gateway without a card, ten digits each:
// one-time codes, which a tenant without a card types at a reader with keys, and guest codes, which
// a tenant gives to a visitor for hours or days, to be typed or presented to a scanner.
//
// A used one-time code stays used: that is on disk before Open grants, so that neither a power cut
// nor another door brings it back. Codes belong to one gateway (their hashes are keyed with its
// key) and to one epoch of its journal: on another disk, or after a rollback of the journal, all
// are void. The file is codes.json in the directory of the grants, always rewritten as a whole.
//
// The package never stores, logs or returns a code again: it has slow hashes. It does not tell how
// many one-time codes of a tenancy are used, since that would tell that somebody came home; of a
// guest code that opens once, it tells only the tenant who gave it. It refuses a guest code as long
// as the time is in doubt.
package doorcode

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/rs/zerolog"

	"gatehouse/internal/access"
	"gatehouse/internal/durable"
	"gatehouse/internal/guess"
	"gatehouse/sync/wire"
)

// File is the name of the file of the codes in its directory.
const File = "codes.json"

// Digits is the number of digits of a code, and Each the number of codes of a tenancy.
const (
	Digits = 10
	Each   = 5
)

// Parts are the dependencies of a Store.
type Parts struct {
	Dir     string
	Key     ed25519.PrivateKey // of the gateway; nil: codes can neither be made nor used
	Epoch   func() uint64      // present epoch of the journal
	Grants  func() *access.Grants
	Lost    func(wire.CredentialID) bool // only the desk has suspended the card as lost: its tenancy goes on
	Journal Journal
	Log     zerolog.Logger
}

// Journal records wrong codes; *journal.Journal is one.
type Journal interface {
	Queue(wire.Header, wire.Who) wire.Ref
}

// Store has the codes of one gateway. It is made by New and safe for concurrent use.
type Store struct {
	p     Parts
	tries *guess.Tries[place]

	hashing sync.Mutex // one slow hash at a time: the doors need the processor too

	mu       sync.Mutex
	recalled bool
	file     file
}

// file is the content of File.
type file struct {
	Format int    `json:"format"`
	Salt   []byte `json:"salt"`
	Rounds int    `json:"rounds"`
	Codes  []code `json:"codes"`
}

// fileFormat is the format of files written now. Format 1 has no guest codes, and a program that
// only knows it would take one for a code without an end.
const fileFormat = 2

type code struct {
	Tenancy wire.ID `json:"tenancy"`
	Mark    wire.ID `json:"mark"` // its name in the journal
	Hash    []byte  `json:"hash"`
	Epoch   string  `json:"epoch"` // of the journal, when the code was made
	Used    bool    `json:"used,omitempty"`
	Guest   *given  `json:"guest,omitempty"` // nil: a one-time code of the tenant
}

// once reports whether the code opens only once.
func (c code) once() bool { return c.Guest == nil || c.Guest.Once }

// New returns a Store with the codes of the file. A damaged file is set aside, and its codes are
// void.
func New(p Parts) *Store {
	s := &Store{p: p, tries: guess.New[place](atReader, atHouse, atReader.Burst), file: file{Format: fileFormat}}
	data, err := os.ReadFile(s.path())
	if errors.Is(err, fs.ErrNotExist) {
		return s
	}
	var f file
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err == nil && (f.Format < 1 || f.Format > fileFormat || f.Rounds < 1 || len(f.Salt) == 0) {
		err = fmt.Errorf("format %d, %d rounds, salt of %d bytes", f.Format, f.Rounds, len(f.Salt))
	}
	if err == nil {
		f.Format = fileFormat
		s.file = f
		return s
	}
	aside, _ := durable.SetAside(s.path())
	p.Log.Error().Err(err).Str("file", aside).Msg("codes without a card are damaged and were set aside: none opens until new ones are made")
	p.Journal.Queue(wire.Header{Kind: wire.KindDamaged, Reason: wire.ReasonDamaged, Source: "grants", Detail: []byte(File)}, wire.Who{})
	return s
}

func (s *Store) path() string { return filepath.Join(s.p.Dir, File) }

func (s *Store) epoch() string { return strconv.FormatUint(s.p.Epoch(), 16) }

// Make gives a tenancy new one-time codes, which replace its old ones. They are durable when it
// returns; with an error of the disk the old ones stay.
func (s *Store) Make(tenancy wire.ID) ([]string, error) {
	texts, made := []string{}, []code{}
	for range Each {
		text, c, err := s.draw(code{Tenancy: tenancy})
		if err != nil {
			return nil, err
		}
		texts, made = append(texts, text), append(made, c)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return texts, s.put(append(s.without(func(c code) bool { return c.Tenancy == tenancy && c.Guest == nil }), made...))
}

// draw makes the digits of a code and completes its record.
func (s *Store) draw(c code) (string, code, error) {
	if s.p.Key == nil {
		return "", c, errors.New("make a code: the gateway's own key can't be read")
	}
	if s.p.Epoch() == 0 {
		return "", c, errors.New("make a code: the log has not begun")
	}
	salt, rounds := s.salted()
	text, err := newCode()
	if err != nil {
		return "", c, err
	}
	hash, err := s.stretch(text, salt, rounds)
	if err != nil {
		return "", c, err
	}
	c.Epoch = s.epoch()
	_, _ = rand.Read(c.Mark[:]) // never fails
	c.Hash = c.bind(hash)
	return text, c, nil
}

// put replaces all codes; with an error nothing has changed. The caller holds mu.
func (s *Store) put(all []code) error {
	was := s.file.Codes
	s.file.Codes = all
	err := s.write()
	if err != nil {
		s.file.Codes = was
	}
	return err
}

// newCode returns the digits of a code. None begins with 0: keypads that send a number lose it.
func newCode() (string, error) {
	least := new(big.Int).Exp(big.NewInt(10), big.NewInt(Digits-1), nil)
	n, err := rand.Int(rand.Reader, new(big.Int).Mul(least, big.NewInt(9)))
	if err != nil {
		return "", fmt.Errorf("make a code: %w", err)
	}
	return n.Add(n, least).String(), nil
}

// salted returns salt and rounds of the file's hashes, which the first code sets.
func (s *Store) salted() (salt []byte, rounds int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.file.Salt) == 0 {
		s.file.Salt, s.file.Rounds = make([]byte, 16), newRounds
		_, _ = rand.Read(s.file.Salt) // never fails
	}
	return s.file.Salt, s.file.Rounds
}

// Void returns the number of tenancies whose one-time codes, used or not, are void since the
// journal began anew: their slips must be printed again.
func (s *Store) Void() int {
	epoch := s.epoch()
	s.mu.Lock()
	defer s.mu.Unlock()
	whose := map[wire.ID]bool{}
	for _, c := range s.file.Codes {
		if c.Guest == nil && c.Epoch != epoch {
			whose[c.Tenancy] = true
		}
	}
	return len(whose)
}

// Keep deletes the codes of tenancies that are over, and guest codes that ended before surely (Unix
// s).
func (s *Store) Keep(over func(tenancy wire.ID) bool, surely uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.without(func(c code) bool { return over(c.Tenancy) || c.Guest != nil && c.Guest.Until <= surely })
	if len(left) == len(s.file.Codes) {
		return
	}
	s.file.Codes = left
	_ = s.write() // logged there; what is over opens nothing in any case
}

// Recall is called with the details of granted entries in the journal: a code among them is used,
// whatever an older copy of the file has. No code opens before it was called once.
func (s *Store) Recall(details []wire.ID) {
	used := make(map[wire.ID]bool, len(details))
	for _, id := range details {
		used[id] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recalled = true
	changed := false
	for i := range s.file.Codes {
		c := &s.file.Codes[i]
		if used[c.Mark] && !c.Used {
			c.Used, changed = true, true
		}
	}
	if changed {
		_ = s.write() // logged there; the next start reads the log again
	}
}

// without returns a copy of the codes, except those for which drop is true. The caller holds mu.
func (s *Store) without(drop func(code) bool) []code {
	return slices.DeleteFunc(slices.Clone(s.file.Codes), drop)
}

// write writes the file. The caller holds mu.
func (s *Store) write() error {
	data, err := json.Marshal(s.file)
	if err == nil {
		err = durable.WriteFile(s.path(), data, 0o600)
	}
	if err != nil {
		s.p.Log.Error().Err(err).Msg("codes without a card can't be written")
		return fmt.Errorf("write codes: %w", err)
	}
	return nil
}

// find returns the index of the code with a hash; -1: none. The caller holds mu.
func (s *Store) find(stretched []byte) int {
	found := -1
	for i, c := range s.file.Codes { // all of them, in constant time
		if equal(c.bind(stretched), c.Hash) {
			found = i
		}
	}
	return found
}

// use marks a code as used, on disk; false if it was used before or is gone. With an error of the
// disk it is used all the same.
func (s *Store) use(mark wire.ID) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.file.Codes, func(c code) bool { return bytes.Equal(c.Mark[:], mark[:]) })
	if i < 0 || s.file.Codes[i].Used {
		return false, nil
	}
	s.file.Codes[i].Used = true
	return true, s.write()
}
