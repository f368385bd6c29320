package status

import (
	"fmt"

	"gatehouse/internal/registry/api"
)

// Percentages of the room for the log from which on its operator is told.
const (
	nearlyFull = 80
	almostFull = 95
)

// Room is what the log may take. Its database is never cut short for it: the operator is told in time.
type Room struct {
	Most  int64                                                 // bytes of the database; 0: what the disk has
	Dir   string                                                // of the database
	Space func(dir string) (free int64, percent int, err error) // disk.Space
}

// look sets how full disk and budget are.
func (r Room) look(s *api.Status) {
	if _, percent, err := r.Space(r.Dir); err == nil {
		s.Disk = percent
	}
	if r.Most > 0 {
		s.Full = int(s.Bytes * 100 / r.Most)
	}
}

// lines say what is to be done where there is little room.
func (r Room) lines(s api.Status) (lines []string) {
	short := func(percent int) string {
		switch {
		case percent >= almostFull:
			return "ALMOST FULL"
		case percent >= nearlyFull:
			return "nearly full"
		}
		return ""
	}
	if word := short(s.Full); word != "" {
		lines = append(lines, fmt.Sprintf("the log is %s: %d %% of max_mb in front.toml; see that the disk has room, erasing wants as much again, and set max_mb higher, or keep less long with who_days and admin_days", word, s.Full))
	}
	if word := short(s.Disk); word != "" {
		lines = append(lines, fmt.Sprintf("the disk of %s is %s: %d %%; when it is full nothing more is stored, and gateways keep what they have: make room, or move the front to a larger one", r.Dir, word, s.Disk))
	}
	return lines
}
