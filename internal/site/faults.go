package site

import "gatehouse/internal/strict"

// between is false for what is no number, too.
func between(v, least, most float64) bool { return v >= least && v <= most }

func checkLine(f *strict.Faults, at, chip string, line *int) {
	if chip == "" {
		f.Add(`%s: chip is missing: name the GPIO chip, as "gpiochip0" or by its label`, at)
	}
	switch {
	case line == nil:
		f.Add("%s: line is missing: give the line's number on its chip, from 0", at)
	case *line < 0 || *line > 1023:
		f.Add("%s: line = %d: lines of a chip are counted from 0", at, *line)
	}
}
