package strict

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Faults collects what a check finds wrong with a file that could be read. The zero value has none.
type Faults []error

// Add notes a fault.
func (f *Faults) Add(format string, args ...any) { *f = append(*f, fmt.Errorf(format, args...)) }

// If notes a fault where something is wrong.
func (f *Faults) If(wrong bool, format string, args ...any) {
	if wrong {
		f.Add(format, args...)
	}
}

// OneOf notes a word that is none of those allowed.
func (f *Faults) OneOf(what, v string, allowed ...string) {
	f.If(!slices.Contains(allowed, v), "%s = %q: want one of %s", what, v, strings.Join(allowed, ", "))
}

// Within notes a number that is below or above its bounds.
func (f *Faults) Within(what string, v, least, most int) {
	f.If(v < least || v > most, "%s = %d: want %d to %d", what, v, least, most)
}

// Join makes one error of all faults; nil: there is none.
func (f Faults) Join() error { return errors.Join(f...) }
