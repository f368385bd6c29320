package tenancy

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/idnumber"
	"gatehouse/sync/wire"
)

// ProvePIN refuses the word of a PIN that the landlord may know.
func (s *Situation) ProvePIN(action string) error {
	if s.Tenancy.PIN == nil {
		return nil // there is none to be checked, and that is said then
	}
	return proven(s.Tenancy.PIN.Own, action, "with a card of the tenancy its tenant chooses another: gatehouse tenancy pin --by card",
		"this PIN was typed at check-in, on the landlord's word: it opens doors, and proves nothing")
}

// ProveCard looks for a card of the tenancy among those that were held up, each in
// all its forms. A suspended one proves nothing, but that it is found; nor does one
// that came on the landlord's word.
func (s *Situation) ProveCard(shown [][]wire.CredentialID, action string) error {
	var no error
	alone := lone(s.Standing.Cards)
	for _, ids := range shown {
		missing := func(id wire.CredentialID) bool { return !slices.Contains(ids, id) }
		for _, k := range s.Standing.Cards {
			if !slices.ContainsFunc(ids, func(id wire.CredentialID) bool { return slices.Contains(k.credentials, id) }) {
				continue
			}
			found := k.State == Suspended && action == Resume
			whole := alone != nil && alone.Number == k.Number && !slices.ContainsFunc(k.credentials, missing)
			switch {
			case k.State == Active || found:
				if no = proven(k.Proves || whole || found, action, "an older card of the tenancy or its PIN confirms it: gatehouse card confirm; or the registry: registryd confirm-card",
					"this card came on the landlord's word, or nobody here knows on whose: it opens, and proves nothing"); no == nil {
					s.held = k.Number
					return nil
				}
			case k.State == Suspended && no == nil:
				no = Refuse("gatehouse card resume brings it back", "the card that was held up is suspended, so it proves nothing")
			}
		}
	}
	if no != nil {
		return no
	}
	return Refuse("hold up a card that opens for this tenancy", "no card of tenancy %s was held up", s.Tenancy.Word())
}

// proven refuses a word of a card or PIN that the landlord may have given to
// himself, but for what only keeps a tenancy going.
func proven(proves bool, action, hint, message string) error {
	if proves || action == Dispute {
		return nil
	}
	return Refuse(hint, "%s (refusal N3)", message)
}

// lone returns the only card that the list knows and the file does not, nil for
// none. On whose word such a card came is not known, so it proves only if no
// other could have been the tenant's.
func lone(cards []Card) (k *Card) {
	for i := range cards {
		c := &cards[i]
		switch {
		case c.State == Ended:
		case c.Proves, c.listed && k != nil:
			return nil
		case c.listed:
			k = c
		}
	}
	return k
}

// PINTries is how many wrong PINs in a row cost a pause.
const PINTries = 5

// Limits of PINs. A short secret is not saved by slow hashing alone, so wrong
// ones are counted on disk, before they are looked at.
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

// Is reports whether the text is the PIN. It computes for as long as a hash that is
// slow on purpose takes.
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
