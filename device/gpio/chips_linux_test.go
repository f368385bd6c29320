package gpio

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/device"
)

// TestChips: a chip is listed with its label, its lines, its other names and who uses
// a line.
func TestChips(t *testing.T) {
	c := newChip(t, "listed")
	other := "/dev/gpiochip99"
	if err := os.Symlink(c.DevPath(), other); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(other)
	o, err := OpenOutput(device.OutputConfig{Chip: c.DevPath(), Offset: relay, Consumer: "gatehouse-front-relay"})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	all, err := Chips()
	i := slices.IndexFunc(all, func(c Chip) bool { return c.Label == "listed" })
	if err != nil || i < 0 {
		t.Fatalf("%v, %v", all, err)
	}
	got := all[i]
	if got.Lines != 8 || !slices.Equal(got.Names, []string{filepath.Base(c.DevPath()), "gpiochip99"}) {
		t.Errorf("%+v", got)
	}
	if len(got.Users) != 1 || got.Users[relay] != "gatehouse-front-relay" {
		t.Errorf("users %v", got.Users)
	}
}

// TestBusyLine: who has a line is named, in one short sentence.
func TestBusyLine(t *testing.T) {
	c := newChip(t, "busy")
	l, err := OpenLines(device.LinesConfig{Chip: "busy", Offsets: []int{d0, d1}, Consumer: "lamp"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = OpenOutput(device.OutputConfig{Chip: "busy", Offset: d1})
	if err == nil || !errors.Is(err, device.ErrLineBusy) || !strings.HasPrefix(err.Error(), `busy line 3: is used by "lamp": end that`) {
		t.Errorf("output: %v", err)
	}
	_, err = OpenLines(device.LinesConfig{Chip: c.DevPath(), Offsets: []int{relay, d0}})
	if err == nil || !strings.Contains(err.Error(), `line 2 is used by "lamp"`) {
		t.Errorf("lines: %v", err)
	}
}

// TestOtherChip: a chip whose label is not the board's is not driven.
func TestOtherChip(t *testing.T) {
	c := newChip(t, "other")
	c.set(relay, false)
	o, err := OpenOutput(device.OutputConfig{Chip: c.DevPath(), Label: "pinctrl-rp1", Offset: relay, ActiveLow: true})
	if err == nil || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `write chip = "pinctrl-rp1"`) {
		t.Errorf("%v, %v", o, err)
	}
	c.want(relay, 0, "refused")
	if o, err = OpenOutput(device.OutputConfig{Chip: c.DevPath(), Label: "other", Offset: relay}); err != nil {
		t.Fatal(err)
	}
	_ = o.Close()
}

// TestAbsentChip needs no chip at all.
func TestAbsentChip(t *testing.T) {
	_, err := OpenOutput(device.OutputConfig{Chip: "gpiochip77", Offset: 1})
	if !errors.Is(err, fs.ErrNotExist) || err.Error() != `gpiochip77 line 1: no GPIO chip here has the name or label "gpiochip77": gatehoused check lists those that there are` {
		t.Errorf("%v", err)
	}
}
