package site

import (
	"fmt"
	"slices"
	"strings"
)

// faults collects what is wrong with a site file.
type faults []error

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Errorf(format, args...)) }

func (f *faults) oneOf(what, v string, allowed ...string) {
	if !slices.Contains(allowed, v) {
		f.add("%s = %q: want one of %s", what, v, strings.Join(allowed, ", "))
	}
}

// between is false for what is no number, too.
func between(v, least, most float64) bool { return v >= least && v <= most }

func checkLine(f *faults, at, chip string, line *int) {
	if chip == "" {
		f.add(`%s: chip is missing: name the GPIO chip, as "gpiochip0" or by its label`, at)
	}
	switch {
	case line == nil:
		f.add("%s: line is missing: give the line's number on its chip, from 0", at)
	case *line < 0 || *line > 1023:
		f.add("%s: line = %d: lines of a chip are counted from 0", at, *line)
	}
}
