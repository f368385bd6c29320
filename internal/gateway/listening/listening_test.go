package listening

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestMayListen: a house in which somebody has a key is listened to only once more, within
// a week of its switch over.
func TestMayListen(t *testing.T) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		before func(dir string)
		keys   bool
		want   error
	}{
		"new house":           {func(string) {}, false, nil},
		"with keys":           {func(string) {}, true, ErrKeys},
		"longer":              {func(dir string) { begin(t, dir, now) }, true, nil},
		"back":                {func(dir string) { begin(t, dir, now); over(t, dir, now.Add(-MayGoBack)) }, true, nil},
		"back after a week":   {func(dir string) { begin(t, dir, now); over(t, dir, now.Add(-MayGoBack-time.Second)) }, true, ErrOnce},
		"back from tomorrow":  {func(dir string) { begin(t, dir, now); over(t, dir, now.Add(time.Hour)) }, true, ErrOnce},
		"back without keys":   {func(dir string) { begin(t, dir, now); over(t, dir, now.Add(-2*MayGoBack)) }, false, ErrOnce},
		"back twice":          {func(dir string) { begin(t, dir, now); over(t, dir, now); begin(t, dir, now); over(t, dir, now) }, true, ErrOnce},
		"switch over damaged": {func(dir string) { spoil(t, filepath.Join(dir, after)) }, false, ErrOnce},
	} {
		dir := t.TempDir()
		c.before(dir)
		before := Read(dir)
		err := before.Begin(dir, now, 7, c.keys)
		if !errors.Is(err, c.want) || Read(dir).Listening != (before.Listening || c.want == nil) {
			t.Errorf("%s: %v, listening %v", name, err, Read(dir).Listening)
		}
	}
	for _, days := range []int{-1, 0, 61} {
		if err := (State{}).Begin(t.TempDir(), now, days, false); !errors.Is(err, ErrDays) {
			t.Errorf("%d days: %v", days, err)
		}
	}
}

// TestDoubt: a file that is there and can't be read has the old controller decide; what a
// power cut leaves beside it changes nothing.
func TestDoubt(t *testing.T) {
	dir, now := t.TempDir(), time.Unix(1_790_000_000, 0)
	if s := Read(dir); s != (State{}) {
		t.Fatalf("a new house: %+v", s)
	}
	begin(t, dir, now)
	spoil(t, filepath.Join(dir, File+".new"))
	if s := Read(dir); !s.Listening || s.Damaged || !s.Until.Equal(now.Add(7*24*time.Hour)) {
		t.Errorf("with half a file beside: %+v", s)
	}
	spoil(t, filepath.Join(dir, File))
	if s := Read(dir); !s.Listening || !s.Damaged {
		t.Errorf("damaged: %+v", s)
	}
	over(t, dir, now)
	if s := Read(dir); s.Listening {
		t.Errorf("after the switch over: %+v", s)
	}
	if err := Read(dir).Begin(dir, now, 7, true); !errors.Is(err, ErrOnce) {
		t.Errorf("how often is not known any more: %v", err)
	}
}

func begin(t *testing.T, dir string, now time.Time) {
	t.Helper()
	if err := Read(dir).Begin(dir, now, 7, true); errors.Is(err, ErrKeys) {
		err = Read(dir).Begin(dir, now, 7, false)
		if err != nil {
			t.Fatal(err)
		}
	} else if err != nil {
		t.Fatal(err)
	}
}

func over(t *testing.T, dir string, at time.Time) {
	t.Helper()
	if err := Read(dir).Over(dir, at); err != nil {
		t.Fatal(err)
	}
}

func spoil(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(`{"until":17`), 0o600); err != nil {
		t.Fatal(err)
	}
}
