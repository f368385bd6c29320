package gpio

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/warthog618/go-gpiocdev/uapi"

	"gatehouse/device"
)

// Chips lists the machine's GPIO chips, and who uses their lines. What this user
// may not open is left out.
func Chips() ([]Chip, error) {
	paths, err := filepath.Glob("/dev/gpiochip*")
	if err != nil {
		return nil, fmt.Errorf("list GPIO chips: %w", err)
	}
	var chips []Chip
	var links []string
	for _, path := range paths {
		if isLink(path) {
			links = append(links, path)
			continue
		}
		if c, err := chipAt(path); err == nil {
			chips = append(chips, c)
		}
	}
	for _, path := range links {
		real, _ := filepath.EvalSymlinks(path)
		for i := range chips {
			if slices.Contains(chips[i].Names, filepath.Base(real)) {
				chips[i].Names = append(chips[i].Names, filepath.Base(path))
			}
		}
	}
	return chips, nil
}

func chipAt(path string) (Chip, error) {
	f, err := openPath(path)
	if err != nil {
		return Chip{}, err
	}
	defer f.Close()
	info, err := uapi.GetChipInfo(f.Fd())
	if err != nil {
		return Chip{}, fmt.Errorf("ask %s: %w", path, err)
	}
	c := Chip{Names: []string{filepath.Base(path)}, Label: uapi.BytesToString(info.Label[:]), Lines: int(info.Lines), Users: map[int]string{}}
	for line := range c.Lines {
		if user := userOf(f, line); user != "" {
			c.Users[line] = user
		}
	}
	return c, nil
}

// userOf is what the kernel calls the user of a line; empty: nobody uses it.
func userOf(chip *os.File, line int) string {
	info, err := uapi.GetLineInfoV2(chip.Fd(), line)
	if err != nil || !info.Flags.IsUsed() {
		return ""
	}
	if user := uapi.BytesToString(info.Consumer[:]); user != "" {
		return user
	}
	return "something without a name"
}

// hasLabel refuses a chip with another label: its lines are not those of the board.
func hasLabel(chip *os.File, label string) error {
	if label == "" {
		return nil
	}
	info, err := uapi.GetChipInfo(chip.Fd())
	if err != nil {
		return fmt.Errorf("ask for its label: %w", unplugged(err))
	}
	if got := uapi.BytesToString(info.Label[:]); got != label {
		return plain{fmt.Sprintf("that name is the chip %q here, and the board has %q: write chip = %q, or mend board", got, label, label), fs.ErrNotExist}
	}
	return nil
}

// usedBy names who uses the lines that could not be had.
func usedBy(chip *os.File, lines []int) error {
	for _, line := range lines {
		if user := userOf(chip, line); user != "" {
			which := "is"
			if len(lines) > 1 {
				which = fmt.Sprintf("line %d is", line)
			}
			return plain{fmt.Sprintf("%s used by %q: end that, or take what uses it out of the system's settings (dtoverlay in config.txt)", which, user),
				device.ErrLineBusy}
		}
	}
	return nil
}

// plain says in plain words what an error means here.
type plain struct {
	text string
	is   error
}

func (p plain) Error() string { return p.text }

func (p plain) Unwrap() error { return p.is }
