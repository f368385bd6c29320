package amount

import "testing"

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
