package agreed

import (
	"path/filepath"
	"testing"
	"time"
)

// TestSpan: a clock that nothing speaks against has one time; one that was set
// while the kernel ran may be right or wrong, and both times count.
func TestSpan(t *testing.T) {
	m := newMachine()
	src := Source{Wall: func() time.Time { return m.read().Wall }, Boot: func() time.Duration { return m.boot },
		Synced: func() bool { return false }, BootID: "boot"}
	c, err := Open(filepath.Join(t.TempDir(), "clock"), src)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, first, last time.Time) {
		t.Helper()
		if f, l := c.Span(); !f.Equal(first) || !l.Equal(last) {
			t.Errorf("%s: from %v to %v, want %v to %v", what, f, l, first, last)
		}
	}
	check("at the start", installed, installed)
	m.off = 400 * day
	check("set ahead", installed, installed.Add(400*day))
	m.pass(time.Hour)
	check("an hour later", installed, installed.Add(400*day+time.Hour))
	m.off = -400 * day
	check("set back", installed.Add(time.Hour-400*day), installed.Add(time.Hour))
}
