package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/journal"
	"gatehouse/internal/journal/journaltest"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
)

// logEntry is one entry of a journal, without who. The simulator owns the house
// and reads its files; the daemon shows nobody what passed at its doors.
type logEntry struct {
	Epoch     string
	Sequence  uint64
	Boot      uint64
	Counter   uint64
	BootTime  uint64
	Time      time.Time
	Clock     string
	Kind      string
	Outcome   string
	Reason    string
	Door      string
	Source    string
	Direction string
	Ref       *entryRef
	Count     uint64
	Detail    string
}

// entryRef is the entry that another belongs to.
type entryRef struct{ Boot, Counter uint64 }

func entryOf(e journal.Entry) (logEntry, error) {
	h, err := wire.DecodeHeader(e.Header)
	if err != nil {
		return logEntry{}, err
	}
	out := logEntry{Epoch: fmt.Sprintf("%016x", e.Epoch), Sequence: e.Sequence, Boot: h.Boot, Counter: h.Counter, BootTime: h.BootTime,
		Time: h.Time(), Clock: h.Clock.String(), Kind: h.Kind.String(), Outcome: h.Outcome.String(), Reason: h.Reason.String(),
		Door: h.Door, Source: h.Source, Direction: h.Direction.String(), Count: h.Count, Detail: fmt.Sprintf("%x", h.Detail)}
	if h.Ref != nil {
		out.Ref = &entryRef{h.Ref.Boot, h.Ref.Counter}
	}
	return out, nil
}

// entries calls each with the entries that are on disk, also while the daemon
// writes others.
func (p *play) entries(each func(logEntry) error) error {
	return journaltest.ReadCopies(p.journal(), p.dir, func(e segment.Entry) error {
		out, err := entryOf(e)
		if err != nil {
			return err
		}
		return each(out)
	})
}

func (p *play) journal() string { return filepath.Join(p.dir, "state", "journal") }

// changed is when the newest of the journal's files was written.
func (p *play) changed() (last time.Time) {
	files, _ := filepath.Glob(filepath.Join(p.journal(), "*-*.db")) // the pattern is right
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}
