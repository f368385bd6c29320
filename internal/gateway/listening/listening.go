// Package listening stores who decides at the doors of a house that is being taken over: the old
// controller, while this one only listens to its readers, or this one.
//
// The disk alone says it, and a gateway reads it once, before it requests any line: a power cut at
// any moment leaves the one or the other. In doubt the old controller decides, since two that drive
// one lock are worse than one that waits.
//
// It refuses to be a way to lock people out: a house in which somebody has a key is listened to
// again only once, within a week of its switch over.
package listening

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/durable"
)

// Files in the state directory: the first exists while the old controller decides, the second since
// this gateway does.
const (
	File  = "listening.json"
	after = "listened.json"
)

// MayGoBack is how long after the switch over a house may be listened to again.
const MayGoBack = 7 * 24 * time.Hour

// State is the state of the takeover. The zero State is that of a house that was never listened to.
type State struct {
	Listening bool      // the old controller decides
	Damaged   bool      // its file can't be read: the house is listened to, and the end is unknown
	Until     time.Time // cards are learned until then; zero: not known
	over      time.Time // this gateway decides since; zero: it always did
	backs     int       // how often the house was listened to again
}

// kept is a file's content.
type kept struct {
	Until int64 `json:"until"`          // unix s
	Over  int64 `json:"over,omitempty"` // unix s, of the switch over
	Backs int   `json:"backs,omitempty"`
}

// Refusals of Begin.
var (
	ErrKeys = errors.New("somebody has a key already, and would be locked out: a house is listened to before its first key is given")
	ErrDays = errors.New("want 1 to 60")
	ErrOnce = errors.New("this house was listened to again already, or its switch over is more than a week ago: who has a key here would be locked out")
)

// Read reads the state of a state directory. Only an existing file makes it listen: a disk that
// can't be read ends the daemon by other means, and must not take its exit buttons before that.
func Read(dir string) State {
	path := filepath.Join(dir, File)
	if _, err := os.Lstat(path); err != nil {
		k, err := read(filepath.Join(dir, after))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return State{}
		case err != nil:
			return State{over: time.Unix(1, 0), backs: 1}
		}
		return State{over: time.Unix(k.Over, 0), backs: k.Backs}
	}
	k, err := read(path)
	if err != nil {
		return State{Listening: true, Damaged: true, backs: 1}
	}
	return State{Listening: true, Until: time.Unix(k.Until, 0), backs: k.Backs}
}

func read(path string) (k kept, err error) {
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &k)
	}
	return k, err
}

// Begin makes the old controller decide from the next start of the gateway on, or extends learning
// where it does already. keys reports whether somebody has one.
func (s State) Begin(dir string, now time.Time, days int, keys bool) error {
	if days < 1 || days > 60 {
		return fmt.Errorf("listen for %s: %w", amount.Of(days, "day"), ErrDays)
	}
	k := kept{Until: now.Add(time.Duration(days) * 24 * time.Hour).Unix(), Backs: s.backs}
	switch since := now.Sub(s.over); {
	case s.Listening:
	case s.over.IsZero() && keys:
		return ErrKeys
	case s.over.IsZero():
	case s.backs > 0 || since < 0 || since > MayGoBack:
		return ErrOnce
	default:
		k.Backs++
	}
	return write(filepath.Join(dir, File), k)
}

// Over makes this gateway decide from its next start on.
func (s State) Over(dir string, now time.Time) error {
	path := filepath.Join(dir, File)
	if err := write(path, kept{Over: now.Unix(), Backs: s.backs}); err != nil {
		return err
	}
	if err := durable.Rename(path, filepath.Join(dir, after)); err != nil {
		return fmt.Errorf("switch over: %w", err)
	}
	return nil
}

func write(path string, k kept) error {
	b, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("who decides at the doors: %w", err)
	}
	return durable.WriteFile(path, b, 0o600)
}
