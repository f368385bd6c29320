package fleet

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// usage is what a process has taken so far.
type usage struct {
	resident int64 // bytes
	cpu      time.Duration
}

// usageOf reads it from /proc; zeros on other systems than Linux.
func usageOf(pid int) (u usage) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u
	}
	text := string(raw)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // from the third on: a name may have spaces
	number := func(i int) int64 {
		if i >= len(fields) {
			return 0
		}
		n, _ := strconv.ParseInt(fields[i], 10, 64)
		return n
	}
	const ticks = 100 // a second: USER_HZ of every Linux that Go runs on
	u.cpu = time.Duration(number(11)+number(12)) * time.Second / ticks
	u.resident = number(21) * int64(os.Getpagesize())
	return u
}
