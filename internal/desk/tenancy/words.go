package tenancy

import (
	"fmt"
	"strings"

	"gatehouse/internal/idnumber"
	"gatehouse/sync/wire"
)

// word is a value with a stable name, counted from 1.
type word interface {
	~uint8
	String() string
}

// Named finds a value by its stable name; 0 if no value has it. Hyphens and
// letter case do not matter.
func Named[T word](text string, last T) T {
	text = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(text)), "-", "_")
	for v := T(1); v <= last; v++ {
		if v.String() == text {
			return v
		}
	}
	return 0
}

// list writes the names of all values from 1 to last.
func list[T word](last T) string {
	var all []string
	for v := T(1); v <= last; v++ {
		all = append(all, v.String())
	}
	return strings.Join(all, ", ")
}

// Causes lists the causes of an end; the list is closed.
func Causes() string {
	return "the causes are " + list(wire.CauseMistake) + "; arrears of rent and permits are none (refusal N3)"
}

// alike returns at most five known flats, those that share the longest start with the text.
func alike(text string, known []string) []string {
	var best []string
	most := -1
	for _, k := range known {
		n := common(idnumber.Fold(text), idnumber.Fold(k))
		if n > most {
			best, most = nil, n
		}
		if n == most && len(best) < 5 {
			best = append(best, k)
		}
	}
	return best
}

// common returns the length of the common start of two texts; equality counts more.
func common(a, b string) (n int) {
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	if a == b {
		n++
	}
	return n
}

// Refusal is an answer that the person at the desk can act on. It never contains a name or a
// number.
type Refusal struct {
	Message string
	Hint    string // what to do; may be empty
	Busy    bool   // somebody else is at the desk
	Over    bool   // the visit at the desk is over
	Unknown bool   // nobody has shown who asks
}

func (r *Refusal) Error() string { return r.Message }

// Refuse returns a Refusal.
func Refuse(hint, format string, args ...any) error {
	return &Refusal{Message: fmt.Sprintf(format, args...), Hint: hint}
}
