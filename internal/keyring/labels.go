package keyring

import (
	"maps"
	"sync"

	"gatehouse/internal/backoff"
	"gatehouse/internal/keyring/files"
	"gatehouse/internal/naming"
	"gatehouse/sync/wire"
)

const labelsFile = "labels.json"

// Labels are the landlord's own words for grants, as "3rd floor left". They are safe for concurrent
// use. What could not be written is written again, by Run until it is and by Close once more.
type Labels struct {
	dir   *files.Dir
	retry backoff.Retry

	mu        sync.Mutex // guards the rest and the file
	rows      map[wire.ID]string
	unwritten error // why the file does not have the rows; nil: it has
}

func readLabels(dir *files.Dir) *Labels {
	l := &Labels{dir: dir, retry: backoff.NewRetry()}
	dir.Read(labelsFile, &l.rows)
	return l
}

// All returns the labels by grant.
func (l *Labels) All() map[wire.ID]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.rows)
}

// checkLabels refuses bad labels, and never repeats one in its error.
func checkLabels(labels map[wire.ID]string) error {
	for _, label := range labels {
		if _, err := naming.Label(label); err != nil {
			return err
		}
	}
	return nil
}

// set changes labels (an empty one erases), and writes them if any differs.
func (l *Labels) set(changes map[wire.ID]string) error {
	return l.change(func(next map[wire.ID]string) {
		for id, label := range changes {
			if next[id] = label; label == "" {
				delete(next, id)
			}
		}
	})
}

// keep erases the labels of all other grants.
func (l *Labels) keep(some func() map[wire.ID]bool) error {
	return l.change(func(next map[wire.ID]string) {
		if len(next) == 0 {
			return
		}
		grants := some()
		maps.DeleteFunc(next, func(id wire.ID, _ string) bool { return !grants[id] })
	})
}

func (l *Labels) change(edit func(map[wire.ID]string)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := make(map[wire.ID]string, len(l.rows))
	maps.Copy(next, l.rows)
	if edit(next); maps.Equal(next, l.rows) && l.unwritten == nil {
		return nil
	}
	l.rows = next
	if l.unwritten = l.dir.Save(labelsFile, next); l.unwritten != nil {
		l.retry.Failed()
	}
	return l.unwritten
}

// writeAgain writes the file if the last write failed.
func (l *Labels) writeAgain() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unwritten != nil {
		l.unwritten = l.dir.Save(labelsFile, l.rows)
	}
	return l.unwritten
}

// status returns why the file does not have what All returns; nil: it has.
func (l *Labels) status() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unwritten
}
