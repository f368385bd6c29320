package amount

import (
	"testing"
	"time"
)

func TestOf(t *testing.T) {
	for _, c := range []struct {
		n    int
		what string
		want string
	}{
		{0, "grant", "0 grants"}, {1, "grant", "1 grant"}, {2, "tenancy record", "2 tenancy records"}, {1, "tenancy", "1 tenancy"},
		{12, "tenancy", "12 tenancies"}, {3, "day", "3 days"}, {1, "entry", "1 entry"}, {0, "entry", "0 entries"},
		{2, "batch", "2 batches"}, {2, "bus", "2 buses"}, {2, "key", "2 keys"}, {-1, "day", "-1 days"},
	} {
		if got := Of(c.n, c.what); got != c.want {
			t.Errorf("%d of %q: %q, want %q", c.n, c.what, got, c.want)
		}
	}
	if got := Of(uint64(1), "list"); got != "1 list" {
		t.Error(got)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0 s", 40 * time.Second: "40 s", 90 * time.Second: "2 min", 5 * time.Minute: "5 min",
		time.Hour: "1 h 0 min", 24*time.Hour - time.Minute: "23 h 59 min", 48 * time.Hour: "2 days", -200 * 24 * time.Hour: "-200 days"} {
		if got := Span(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
