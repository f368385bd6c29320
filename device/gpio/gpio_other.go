//go:build !linux

package gpio

import (
	"fmt"
	"runtime"

	"gatehouse/device"
)

// OpenLines fails: there is no GPIO character device here.
func OpenLines(cfg device.LinesConfig) (device.Lines, error) {
	return nil, fmt.Errorf("open lines of %s: GPIO needs Linux, this is %s", cfg.Chip, runtime.GOOS)
}

// OpenOutput fails: there is no GPIO character device here.
func OpenOutput(cfg device.OutputConfig) (device.Output, error) {
	return nil, fmt.Errorf("open output of %s: GPIO needs Linux, this is %s", cfg.Chip, runtime.GOOS)
}

// Chips lists none.
func Chips() ([]Chip, error) { return nil, nil }
