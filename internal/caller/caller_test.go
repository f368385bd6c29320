package caller

import (
	"context"
	"testing"
)

// TestParse: what is written is read again, and nothing else: it comes from another
// process, and stands in entries.
func TestParse(t *testing.T) {
	for _, c := range []Caller{{Role: Operator}, {Role: Page}, {Owner, 1}, {Installer, 1<<32 - 1}} {
		if got, err := Parse(c.String()); err != nil || got != c {
			t.Errorf("%v: %v, %v", c, got, err)
		}
		if got := Of(With(t.Context(), c)); got != c {
			t.Errorf("%v in a context is %v", c, got)
		}
	}
	for _, s := range []string{"", "-", "root", "owner-", "owner-0", "owner-01", "owner--1", "owner-4294967296", "Owner", "owner-1 ", "owner-1-2", "street-in"} {
		if c, err := Parse(s); err == nil {
			t.Errorf("%q is %v", s, c)
		}
	}
	if c := Of(context.Background()); c != (Caller{}) || c.String() != "" {
		t.Errorf("nobody is %v", c)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("owner-402117")
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := Parse(s); err == nil && (c.String() != s || len(s) > 32) {
			t.Errorf("%q is %v", s, c)
		}
	})
}
