package gateway

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/internal/site"
)

// wiring is a building with a door that opens from inside by a button, and one with a
// handle.
const wiring = `
building = "lane-7"
gateway = "gw1"
board = "raspberry-pi-4"

[[door]]
id = "front"
egress = "electric"
lock = "fail-safe"
relay = {chip = "gpiochip0", line = 17}
exit = {chip = "gpiochip0", line = 23}

[[door]]
id = "yard"
egress = "mechanical"
lock = "fail-secure"
held_seconds = 0
relay = {chip = "gpiochip0", line = 27}
`

// TestRules: a handle without exit input is the silent exit, and nothing else; 0
// seconds switch off the alarm of a door that is held open.
func TestRules(t *testing.T) {
	s, err := site.Parse([]byte(wiring))
	if err != nil {
		t.Fatal(err)
	}
	front, yard := rules(s.Doors[0]), rules(s.Doors[1])
	if front.SilentExit || !yard.SilentExit || !front.OnlyExit || yard.OnlyExit {
		t.Errorf("ways out: %+v, %+v", front, yard)
	}
	if front.HeldAfter != time.Minute || yard.HeldAfter != 0 || front.ReleaseTime != 5*time.Second {
		t.Errorf("times: %+v, %+v", front, yard)
	}
}

// TestLabelled: the openers are told which chip the board has under a name, and none
// where nobody knows.
func TestLabelled(t *testing.T) {
	var labels []string
	hw := Hardware{
		Lines: func(c device.LinesConfig) (device.Lines, error) {
			labels = append(labels, c.Label)
			return nil, errors.New("none")
		},
		Output: func(c device.OutputConfig) (device.Output, error) {
			labels = append(labels, c.Label)
			return nil, errors.New("none")
		},
	}
	s, err := site.Parse([]byte(wiring))
	if err != nil {
		t.Fatal(err)
	}
	known := hw.labelled(s)
	_, _ = known.Lines(device.LinesConfig{Chip: "/dev/gpiochip0"})
	_, _ = known.Output(device.OutputConfig{Chip: "gpiochip0"})
	_, _ = known.Output(device.OutputConfig{Chip: "mcp23017"})
	s.Board = ""
	_, _ = hw.labelled(s).Output(device.OutputConfig{Chip: "gpiochip0"})
	if got := strings.Join(labels, ","); got != "pinctrl-bcm2711,pinctrl-bcm2711,," {
		t.Errorf("labels %q", got)
	}
}
