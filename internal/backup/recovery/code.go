// Package recovery has the code that opens the backups of a gateway: 80 random bits in four groups
// of five letters and digits, to be written on paper. The last symbol of each group is a check
// symbol, so that a mistake is located by its group.
package recovery

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
)

const (
	groups = 4
	size   = 5 // symbols of a group, with the check symbol
)

// alphabet is Crockford's: no I, L, O and U, which could be taken for digits.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// Code is a recovery code. The zero value is none. Only String prints it.
type Code struct{ symbols [groups * size]byte } // each below 32

// New returns a random code.
func New() (c Code) {
	var random [groups * size]byte
	_, _ = rand.Read(random[:]) // never fails
	for i := range c.symbols {
		c.symbols[i] = random[i] % byte(len(alphabet))
	}
	for g := range groups {
		c.symbols[g*size+size-1] = c.check(g)
	}
	return c
}

// check returns the check symbol of a group: a weighted sum over the field of 32 elements, with a
// weight for each position and a start for each group. It detects any wrong symbol, any two swapped
// symbols of a group, and any two swapped groups.
func (c Code) check(group int) byte {
	sum, weight := byte(group+1), byte(1)
	for _, s := range c.symbols[group*size : group*size+size-1] {
		weight = times(weight, 2)
		sum ^= times(weight, s)
	}
	return sum
}

// times multiplies in the field of 32 elements, modulo x^5 + x^2 + 1.
func times(a, b byte) (product byte) {
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			product ^= a
		}
		if a <<= 1; a >= 32 {
			a ^= 0b100101
		}
	}
	return product
}

// String returns the code for people: four groups with dashes between.
func (c Code) String() string {
	var out strings.Builder
	for i, s := range c.symbols {
		if i > 0 && i%size == 0 {
			out.WriteByte('-')
		}
		out.WriteByte(alphabet[s])
	}
	return out.String()
}

// Format keeps the verbs of package fmt from printing the code by accident.
func (c Code) Format(s fmt.State, _ rune) { fmt.Fprint(s, "recovery code") }

// End returns the last four symbols, by which a person shows that the code is on paper.
func (c Code) End() string { s := c.String(); return s[len(s)-4:] }

// Ends reports whether typed is the end of the code.
func (c Code) Ends(typed string) bool {
	read, err := symbols(typed)
	if err != nil || len(read) != 4 {
		return false
	}
	return string(read) == string(c.symbols[len(c.symbols)-4:])
}

// Secret returns the input of the key derivation.
func (c Code) Secret() []byte { return []byte(c.String()) }

// ErrCode means that a text is no recovery code.
var ErrCode = errors.New("that is no recovery code")

// Parse parses a code as people type it: in upper or lower case, with or without dashes and spaces,
// O for 0 and I or L for 1. Errors wrap ErrCode and name the wrong group, but nothing of what was
// typed.
func Parse(text string) (c Code, err error) {
	read, err := symbols(text)
	if err != nil {
		return Code{}, err
	}
	if len(read) != len(c.symbols) {
		return Code{}, fmt.Errorf("%w: it has four groups of five letters and digits each", ErrCode)
	}
	copy(c.symbols[:], read)
	for g := range groups {
		if c.check(g) != c.symbols[g*size+size-1] {
			return Code{}, fmt.Errorf("%w: group %d of %d is mistyped", ErrCode, g+1, groups)
		}
	}
	return c, nil
}

// symbols returns the values of the letters and digits, without check.
func symbols(text string) (read []byte, err error) {
	same := strings.NewReplacer("O", "0", "I", "1", "L", "1", " ", "", "-", "", "\t", "", "\r", "", "\n", "", "–", "", "—", "", "　", "")
	for _, r := range same.Replace(strings.ToUpper(text)) {
		i := strings.IndexRune(alphabet, r)
		if i < 0 {
			return nil, fmt.Errorf("%w: it has only digits and the letters A to Z without I, L, O and U", ErrCode)
		}
		read = append(read, byte(i))
	}
	return read, nil
}
