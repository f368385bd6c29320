package keylist

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/control"
)

// TestGrantTerms: a day is read as at the desk, in the building's zone; what no record can hold is refused.
func TestGrantTerms(t *testing.T) {
	list := control.List{TimeZone: "Asia/Shanghai", Doors: []string{"front"}}
	last := time.Date(2027, 12, 31, 16, 0, 0, 0, time.UTC) // the midnight after it in Shanghai
	for text, want := range map[string]string{
		"2027-12-31": "end", "2027/12/31": "end", "2027.12.31": "end", "20271231": "end", "2027年12月31日": "end", "２０２７－１２－３１": "end", " 2027-12-31 ": "end",
		"": "none", "9999-12-31": "none", "长期": "none",
		"forever": "leave it empty for no end", "2106-02-08": "leave it empty for no end", "2150-01-01": "leave it empty for no end",
		"31/12/2027": "write it as 2026-12-31", "soon": "write it as 2026-12-31",
	} {
		g, err := terms{Label: "3A", Door: []string{"front"}, Kind: "resident", Until: text}.grant(list)
		judgeGrantTerm(t, "grant "+text, want, last, optional(g.Until), err)
	}
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func judgeGrantTerm(t *testing.T, what, want string, last time.Time, end *time.Time, err error) {
	t.Helper()
	var said *control.Error
	switch {
	case want == "end" && (err != nil || end == nil || !end.Equal(last)), want == "none" && (err != nil || end != nil):
		t.Errorf("%s: %v %v", what, end, err)
	case want != "end" && want != "none" && (!errors.As(err, &said) || !strings.Contains(said.Hint, want)):
		t.Errorf("%s: %v %v, want the hint %q", what, end, err, want)
	}
}
