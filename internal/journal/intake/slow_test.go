package intake

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// TestSlowDiskHasNoMoment: that a door did not wait for the disk shows neither in the state nor in
// a line of the log when it happens or ends, and on no day but a later one; a disk that stays slow,
// or is sick, shows.
func TestSlowDiskHasNoMoment(t *testing.T) {
	now := 5 * time.Hour
	var log bytes.Buffer
	in := New(1, 100, func() journaled.Stamp { return journaled.Stamp{BootTime: uint64(now)} }, zerolog.New(&log).Level(zerolog.InfoLevel))
	slow := func() { in.Degrade(wire.ReasonSlowDisk, errors.New("deadline exceeded")) }
	is := func(what string, passing, before bool) {
		t.Helper()
		if s := in.State(); s.Passing != passing || s.Slow != before {
			t.Errorf("%s: passing %v, slow before %v; want %v, %v", what, s.Passing, s.Slow, passing, before)
		}
	}
	is("at first", false, false)
	slow()
	is("a door did not wait", true, false)
	in.Take(100, false)
	in.Committed()
	is("it went on", false, false)
	now = 23 * time.Hour
	slow()
	in.Take(100, false)
	in.Committed()
	is("again the same day", false, false)
	now = 25 * time.Hour
	is("the next day", false, true)
	now = 7*day + 23*time.Hour
	is("a week later", false, true)
	now += 2 * time.Hour
	slow()
	is("today, too", true, false)
	in.Take(100, false)
	in.Committed()
	now = 9*day + time.Hour
	is("and the next day again", false, true)
	slow()
	is("twice in a week", true, true)
	if log.Len() > 0 {
		t.Errorf("the log tells of it: %s", &log)
	}
	now += time.Hour
	is("for an hour", false, true)
	now -= time.Minute
	in.Degrade(wire.ReasonIO, errors.New("input/output error"))
	if s := in.State(); s.Passing || s.Reason != wire.ReasonIO || !strings.Contains(log.String(), "input/output error") {
		t.Errorf("a sick disk: %+v, %s", s, &log)
	}
	slow()
	if s := in.State(); s.Reason != wire.ReasonIO {
		t.Errorf("a sick disk that is slow, too: %+v", s)
	}
}
