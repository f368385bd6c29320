package gpio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"gatehouse/device"
)

// openChip opens a chip by path, by name or by the label of its driver. A chip
// that is not there is an error that wraps fs.ErrNotExist.
func openChip(chip string) (*os.File, error) {
	if chip == "" {
		return nil, errors.New("open chip: no path, name or label")
	}
	if strings.Contains(chip, "/") {
		return openPath(chip)
	}
	f, err := openPath("/dev/" + chip)
	if !strings.HasPrefix(chip, "gpiochip") || errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			_ = f.Close()
		}
		return openLabel(chip)
	}
	return f, err
}

func openPath(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, unplugged(err)
	}
	return f, nil
}

// openLabel looks through all chips. Two with the same label are an error, because neither may be
// driven by chance.
func openLabel(label string) (*os.File, error) {
	paths, err := filepath.Glob("/dev/gpiochip*")
	if err != nil {
		return nil, fmt.Errorf("find chip %q: %w", label, err)
	}
	found := ""
	for _, path := range paths {
		if labelOf(path) != label || isLink(path) {
			continue
		}
		if found != "" {
			return nil, fmt.Errorf("both %s and %s have the label %q: name the chip by its path", found, path, label)
		}
		found = path
	}
	if found == "" {
		return nil, plain{fmt.Sprintf("no GPIO chip here has the name or label %q: gatehoused check lists those that there are", label), fs.ErrNotExist}
	}
	return openPath(found)
}

// labelOf returns the label of a chip; empty where it can't be read.
func labelOf(path string) string {
	f, err := openPath(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := uapi.GetChipInfo(f.Fd())
	if err != nil {
		return ""
	}
	return uapi.BytesToString(info.Label[:])
}

// isLink recognises second names of a chip, as old Raspberry Pi systems have for gpiochip4.
func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err != nil || info.Mode()&fs.ModeSymlink != 0
}

// request requests lines of a chip, which must have the label unless that is empty, and returns the
// request's descriptor.
func request(chip, label string, offsets []int, consumer string, req uapi.LineRequest) (int, error) {
	if len(offsets) < 1 || len(offsets) > uapi.LinesMax {
		return -1, fmt.Errorf("request %d lines: want 1 to %d", len(offsets), uapi.LinesMax)
	}
	for i, offset := range offsets {
		if offset < 0 || offset > 0xffff {
			return -1, fmt.Errorf("request line %d: no such line", offset)
		}
		req.Offsets[i] = uint32(offset)
	}
	req.Lines = uint32(len(offsets))
	copy(req.Consumer[:len(req.Consumer)-1], consumer)
	f, err := openChip(chip)
	if err != nil {
		return -1, err
	}
	defer f.Close()
	if err := hasLabel(f, label); err != nil {
		return -1, err
	}
	if err := uapi.GetLine(f.Fd(), &req); err != nil {
		if used := usedBy(f, offsets); errors.Is(err, unix.EBUSY) && used != nil {
			return -1, used
		}
		return -1, fmt.Errorf("request: %w", unplugged(err))
	}
	return int(req.Fd), nil
}

// unplugged maps the kernel's error for a chip that has gone.
func unplugged(err error) error {
	if errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("%w (%w)", device.ErrUnplugged, err)
	}
	return err
}

// Chips lists the machine's GPIO chips, and the users of their lines. Chips that this user may not
// open are left out: the error names them, and the list counts all the same.
func Chips() ([]Chip, error) {
	paths, err := filepath.Glob("/dev/gpiochip*")
	if err != nil {
		return nil, fmt.Errorf("list GPIO chips: %w", err)
	}
	var chips []Chip
	var links []string
	var hidden []error
	for _, path := range paths {
		if isLink(path) {
			links = append(links, path)
			continue
		}
		c, err := chipAt(path)
		if err != nil {
			hidden = append(hidden, err)
			continue
		}
		chips = append(chips, c)
	}
	for _, path := range links {
		real, _ := filepath.EvalSymlinks(path)
		for i := range chips {
			if slices.Contains(chips[i].Names, filepath.Base(real)) {
				chips[i].Names = append(chips[i].Names, filepath.Base(path))
			}
		}
	}
	return chips, errors.Join(hidden...)
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

// userOf returns the kernel's name of a line's user; empty: nobody uses it.
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

// usedBy names the users of the lines that could not be had.
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

// plain adds a plain explanation to an error.
type plain struct {
	text string
	is   error
}

func (p plain) Error() string { return p.text }

func (p plain) Unwrap() error { return p.is }
