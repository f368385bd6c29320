package status

import (
	"errors"
	"strings"
	"testing"

	"gatehouse/internal/registry/api"
)

// TestRoom: the operator is told at 80 and at 95 percent, of the budget and of the disk, and what to do; a disk that can't
// be asked is no alarm.
func TestRoom(t *testing.T) {
	for _, c := range []struct {
		bytes, most int64
		disk        int
		err         error
		want        string // words of each line, in their order
	}{
		{bytes: 79, most: 100, disk: 79},
		{bytes: 1 << 40, disk: 10},
		{bytes: 80, most: 100, want: "the log is nearly full: 80 %"},
		{bytes: 95, most: 100, disk: 94, want: "the log is ALMOST FULL: 95 %|is nearly full: 94 %"},
		{bytes: 300, most: 100, want: "the log is ALMOST FULL: 300 %"},
		{disk: 100, want: "is ALMOST FULL: 100 %"},
		{disk: 100, err: errors.New("no such directory")},
	} {
		r := Room{Most: c.most, Dir: "/srv/front", Space: func(dir string) (int64, int, error) { return 0, c.disk, c.err }}
		s := api.Status{Bytes: c.bytes}
		r.look(&s)
		lines := r.lines(s)
		want := strings.FieldsFunc(c.want, func(r rune) bool { return r == '|' })
		if len(lines) != len(want) {
			t.Errorf("%+v: %q", c, lines)
			continue
		}
		for i, line := range lines {
			if !strings.Contains(line, want[i]) {
				t.Errorf("%q, want %q", line, want[i])
			}
		}
	}
}
