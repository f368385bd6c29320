package doorcode

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
)

// newRounds are rounds of PBKDF2-HMAC-SHA256: a tenth of a second on a small board.
const newRounds = 100_000

// stretch returns the slow hash of a code, which can't be computed without the gateway's key.
func (s *Store) stretch(text string, salt []byte, rounds int) ([]byte, error) {
	keyed := hmac.New(sha256.New, s.p.Key.Seed())
	keyed.Write([]byte("gatehouse one-time codes\n"))
	keyed.Write(salt)
	s.hashing.Lock()
	defer s.hashing.Unlock()
	out, err := pbkdf2.Key(sha256.New, text, keyed.Sum(nil), rounds, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("hash a code: %w", err)
	}
	return out, nil
}

// bind returns the stored hash of a code, which is bound to its tenancy, mark and terms.
func (c code) bind(stretched []byte) []byte {
	h := hmac.New(sha256.New, stretched)
	h.Write(c.Tenancy[:])
	h.Write(c.Mark[:])
	if g := c.Guest; g != nil {
		fmt.Fprintf(h, "guest %d %d %t\n", g.From, g.Until, g.Once)
	}
	return h.Sum(nil)
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
