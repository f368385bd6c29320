package gpio

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"gatehouse/device"
)

// The request drives inactive over an unsafe pull, Set follows, Close leaves
// the line to the pull.
func TestOutput(t *testing.T) {
	c := newChip(t, "outputs")
	for _, low := range []bool{false, true} {
		t.Run(fmt.Sprintf("active low %t", low), func(t *testing.T) {
			inactive, active := 0, 1
			if low {
				inactive, active = 1, 0
			}
			c.set(relay, active == 1) // the board's pull is the unsafe one
			c.want(relay, active, "before")
			o, err := OpenOutput(device.OutputConfig{Chip: c.DevPath(), Offset: relay, ActiveLow: low, Consumer: "relay"})
			if err != nil {
				t.Fatal(err)
			}
			c.want(relay, inactive, "requested")
			for _, on := range []bool{true, true, false, false, true} {
				if err := o.Set(on); err != nil {
					t.Fatal(err)
				}
				level := inactive
				if on {
					level = active
				}
				c.want(relay, level, fmt.Sprintf("Set(%t)", on))
			}
			c.set(relay, inactive == 1)
			c.want(relay, active, "driven against a pull")
			if err := o.Close(); err != nil {
				t.Error(err)
			}
			c.want(relay, inactive, "closed")
			if err := o.Close(); err != nil {
				t.Errorf("second Close: %v", err)
			}
			if err := o.Set(true); !errors.Is(err, os.ErrClosed) {
				t.Errorf("Set after Close: %v", err)
			}
			c.want(relay, inactive, "Set after Close")
		})
	}
}

// holdChip, in the environment, makes this binary the other process of
// TestHolderKilled: it drives the relay of that chip and waits to be killed.
const holdChip = "GATEHOUSE_TEST_HOLD_CHIP"

func TestMain(m *testing.M) {
	path := os.Getenv(holdChip)
	if path == "" {
		os.Exit(m.Run())
	}
	o, err := OpenOutput(device.OutputConfig{Chip: path, Offset: relay})
	if err == nil {
		err = o.Set(true)
	}
	fmt.Println("held", err)
	time.Sleep(time.Hour)
}

// A process that is killed outright leaves its line to the pull.
func TestHolderKilled(t *testing.T) {
	c := newChip(t, "killed")
	c.set(relay, false)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdChip+"="+c.DevPath())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held <nil>\n" {
		t.Fatalf("holder: %q, %v", line, err)
	}
	c.want(relay, 1, "held")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed, as it should be
	c.want(relay, 0, "killed")
	o, err := OpenOutput(device.OutputConfig{Chip: c.DevPath(), Offset: relay})
	if err != nil {
		t.Fatalf("a killed holder keeps the line: %v", err)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

func TestOutputUnplugged(t *testing.T) {
	c := newChip(t, "gone")
	o, err := OpenOutput(device.OutputConfig{Chip: "gone", Offset: relay})
	if err != nil {
		t.Fatal(err)
	}
	c.unplug()
	if err := o.Set(true); !errors.Is(err, device.ErrUnplugged) {
		t.Errorf("Set: %v, want ErrUnplugged", err)
	}
	if err := o.Close(); !errors.Is(err, device.ErrUnplugged) {
		t.Errorf("Close: %v, want ErrUnplugged", err)
	}
}
