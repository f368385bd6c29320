package todo

import (
	"strings"
	"sync"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/gateway/clock"
)

// AtStart is how soon after the start of the daemon something counts as older: it was
// there as the daemon came, for nobody knows how long.
const AtStart = 2 * time.Minute

// Since remembers when each thing that is to be done was first seen by this process. It is
// safe for concurrent use.
type Since struct {
	mu    sync.Mutex
	start time.Duration // CLOCK_BOOTTIME of the first look
	seen  map[string]sighting
}

// sighting is when something was seen first. With a clock that nobody vouched for, the time
// is put right once somebody does.
type sighting struct {
	boot    time.Duration
	wall    time.Time
	trusted bool
}

// subjects say which argument of a sentence tells two things of the same code apart. The
// others may change while the thing is the same.
var subjects = map[string]int{"device_out": 1, "device_fault": 1, "device_silent": 1, "reader_taught": 1, "file_set_aside": 0, "key_file": 0, "log_changed": 0, "list_copy": 0, "gateway_shut": 0, "desk_overdue": 0, "document_refused": 0}

func identity(item control.ToDo) string {
	id := item.Code + "|" + item.Door
	code, _, _ := strings.Cut(item.Code, "/")
	if i, ok := subjects[code]; ok && i < len(item.Args) {
		id += "|" + item.Args[i]
	}
	return id
}

// Mark says of each thing since when it is on the list, and forgets what is no more.
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
