package command

import (
	"errors"
	"fmt"
	"strings"

	"gatehouse/internal/socket"
)

// Faults are what is wrong with the arguments of a command: all of it is told at once, in both languages, before anything is
// done. The zero value has none.
type Faults struct {
	missing []string // flags
	found   []error
}

// Checked is a command that judges its arguments itself. Parse asks it where some are missing, too, so that these
// are told with all else; and so it has to bear empty values.
type Checked interface{ Faults() Faults }

// Need takes note of a flag that has to have a value, and reports whether it has one.
func (f *Faults) Need(flag, value string) bool {
	if value == "" {
		f.missing = append(f.missing, flag)
	}
	return value != ""
}

// Unless takes a fault where something is not so.
func (f *Faults) Unless(ok bool, hint, format string, args ...any) {
	if !ok {
		f.Add(socket.Hinted(hint, format, args...))
	}
}

// Add takes a fault; nil is none.
func (f *Faults) Add(err error) {
	if err != nil {
		f.found = append(f.found, err)
	}
}

// Err is all faults as one error; nil: there is none.
func (f Faults) Err() error {
	all := f.found
	if len(f.missing) > 0 {
		all = append([]error{socket.Hinted("都要写，--help 有说明 write all of them; --help says what each is", "缺少 missing: %s", strings.Join(f.missing, ", "))}, all...)
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	var b strings.Builder
	fmt.Fprintf(&b, "有 %d 处不对，什么都没有做 %d things are wrong, and nothing was done:", len(all), len(all))
	for i, err := range all {
		fmt.Fprintf(&b, "\n  %d. %v", i+1, err)
		if e := (*socket.Error)(nil); errors.As(err, &e) && e.Hint != "" {
			fmt.Fprintf(&b, "\n     hint: %s", e.Hint)
		}
	}
	return errors.New(b.String())
}
