// Package termtest has the days that people write as the end of a term, and judges what the
// commands that ask for one make of them. No program links it.
package termtest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/control"
)

// Zone is the time zone in which Judge wants the days to be read.
const Zone = "Asia/Shanghai"

// Judge gives read each day, and wants the midnight after 2027-12-31 in Zone, no end, or an
// error with a hint. read returns a nil end where there is none.
func Judge(t *testing.T, read func(until string) (end *time.Time, err error)) {
	t.Helper()
	last := time.Date(2027, 12, 31, 16, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"2027-12-31": "end", "2027/12/31": "end", "2027.12.31": "end", "20271231": "end", "2027年12月31日": "end", "２０２７－１２－３１": "end", " 2027-12-31 ": "end",
		"": "none", "9999-12-31": "none", "长期": "none",
		"forever": "leave it empty for no end", "2106-02-08": "leave it empty for no end", "2150-01-01": "leave it empty for no end",
		"31/12/2027": "write it as 2026-12-31", "soon": "write it as 2026-12-31",
	} {
		end, err := read(text)
		var said *control.Error
		switch {
		case want == "end" && (err != nil || end == nil || !end.Equal(last)), want == "none" && (err != nil || end != nil):
			t.Errorf("%q: %v %v", text, end, err)
		case want != "end" && want != "none" && (!errors.As(err, &said) || !strings.Contains(said.Hint, want)):
			t.Errorf("%q: %v %v, want the hint %q", text, end, err, want)
		}
	}
}
