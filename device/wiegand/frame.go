package wiegand

import (
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// Frame is what a Framer makes of the bits between two silences: a checked
// Card, one key, a whole PIN of a keypad that sends it so, or a Fault and none
// of them.
type Frame struct {
	Card  device.Card
	Key   byte // '0' to '9', '*' or '#'; 0: none
	PIN   device.PIN
	Fault fault.Code
	At    time.Duration // CLOCK_MONOTONIC of its last edge so far
}
