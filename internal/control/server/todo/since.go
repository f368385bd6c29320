package todo

import (
	"strings"
	"sync"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/gateway/clock"
)

// AtStart is the time after the start of the daemon within which a problem counts as older: it was
// there when the daemon began, for an unknown time.
const AtStart = 2 * time.Minute

// Since remembers when each problem was first seen by this process. It is safe for concurrent use.
type Since struct {
	mu    sync.Mutex
	start time.Duration // CLOCK_BOOTTIME of the first look
	seen  map[string]sighting
}

// sighting is when a problem was first seen. With an untrusted clock the time is corrected once the
// clock is trusted.
type sighting struct {
	boot    time.Duration
	wall    time.Time
	trusted bool
}

// subjects is the argument of a sentence that distinguishes two problems with the same code. The
// other arguments may change while the problem is the same.
var subjects = map[string]int{"device_out": 1, "device_fault": 1, "device_silent": 1, "reader_taught": 1, "file_set_aside": 0, "key_file": 0, "log_changed": 0, "list_copy": 0, "gateway_shut": 0, "desk_overdue": 0, "document_refused": 0}

func identity(item control.ToDo) string {
	id := item.Code + "|" + item.Door
	code, _, _ := strings.Cut(item.Code, "/")
	if i, ok := subjects[code]; ok && i < len(item.Args) {
		id += "|" + item.Args[i]
	}
	return id
}

// Mark sets since when each problem is on the list, and forgets those that are gone.
func (s *Since) Mark(list []control.ToDo, now clock.Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.start = now.Boot
	}
	seen := map[string]sighting{}
	for i := range list {
		id := identity(list[i])
		at, known := s.seen[id]
		switch {
		case !known:
			at = sighting{now.Boot, now.Wall, now.Trusted}
		case !at.trusted && now.Trusted:
			at.wall, at.trusted = now.Wall.Add(at.boot-now.Boot), true
		}
		seen[id] = at
		since := at.wall.Truncate(time.Second)
		list[i].Since, list[i].AtStart = &since, at.boot-s.start < AtStart
	}
	s.seen = seen
}
