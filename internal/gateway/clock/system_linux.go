package clock

import (
	"encoding/hex"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/sync/wire"
)

// System reads the clocks of this machine. The quality is NTP while the
// kernel's clock is disciplined (adjtimex without STA_UNSYNC), RTC when the
// kernel set the clock from a battery clock at start.
func System() Source {
	return Source{Wall: time.Now, Quality: clockQuality, Boot: BootID(),
		BootTime:  func() time.Duration { return kernelClock(unix.CLOCK_BOOTTIME) },
		Monotonic: func() time.Duration { return kernelClock(unix.CLOCK_MONOTONIC) }}
}

func kernelClock(id int32) time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(id, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

func clockQuality() (wire.ClockQuality, time.Duration) {
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	if err == nil && state != unix.TIME_ERROR && tx.Status&unix.STA_UNSYNC == 0 {
		return wire.ClockNTP, time.Duration(tx.Maxerror) * time.Microsecond
	}
	if b, err := os.ReadFile("/sys/class/rtc/rtc0/hctosys"); err == nil && strings.TrimSpace(string(b)) == "1" {
		return wire.ClockRTC, 0
	}
	return wire.ClockUnset, 0
}

// BootID is the kernel's random name of this boot.
func BootID() (id wire.ID) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return id
	}
	text := strings.ReplaceAll(strings.TrimSpace(string(b)), "-", "")
	if raw, err := hex.DecodeString(text); err == nil && len(raw) == len(id) {
		copy(id[:], raw)
	}
	return id
}
