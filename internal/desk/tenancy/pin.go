package tenancy

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"

	"gatehouse/internal/idnumber"
)

// PINTries is the number of wrong PINs in a row that cost a pause.
const PINTries = 5

// Limits of PINs. Slow hashing alone does not protect a short secret, so tries are counted on disk
// before they are checked.
const (
	pinLeast, pinMost = 4, 8
	pinRounds         = 100_000 // of PBKDF2-HMAC-SHA256
)

// PIN is a tenant's PIN, salted and hashed.
type PIN struct {
	Salt   []byte `json:"salt"`
	Hash   []byte `json:"hash"`
	Rounds int    `json:"rounds"`
	Wrong  int    `json:"wrong,omitempty"` // in a row
	Own    bool   `json:"own,omitempty"`   // chosen on the tenant's word; else the landlord may know it, and it proves nothing at the desk
}

// Proves reports whether there is a PIN that the tenant chose.
func (p *PIN) Proves() bool { return p != nil && p.Own }

// NewPIN hashes a PIN that a tenant chose; nil for none.
func NewPIN(text string) (*PIN, error) {
	text = idnumber.Fold(text)
	switch {
	case text == "":
		return nil, nil
	case len(text) < pinLeast || len(text) > pinMost || strings.Trim(text, "0123456789") != "":
		return nil, Refuse("or leave it empty: then only a card proves who it is", "a PIN has %d to %d digits", pinLeast, pinMost)
	case strings.Trim(text, text[:1]) == "" || strings.Contains("0123456789876543210", text):
		return nil, Refuse("", "this PIN is the first that anybody would try")
	}
	p := &PIN{Salt: make([]byte, 16), Rounds: pinRounds}
	_, _ = rand.Read(p.Salt) // never fails
	hash, err := p.derive(text)
	p.Hash = hash
	return p, err
}

// Is reports whether the text is the PIN. It takes as long as a slow hash.
func (p *PIN) Is(text string) (bool, error) {
	hash, err := p.derive(text)
	return err == nil && subtle.ConstantTimeCompare(hash, p.Hash) == 1, err
}

func (p *PIN) derive(text string) ([]byte, error) {
	hash, err := pbkdf2.Key(sha256.New, text, p.Salt, p.Rounds, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("hash PIN: %w", err)
	}
	return hash, nil
}
