package periods

import (
	"errors"
	"testing"
	"time"

	"gatehouse/sync/wire/internal/canonical"
)

// TestLeast: of each class the smaller period counts, and what one side does not say the other does. No policy lengthens anything.
func TestLeast(t *testing.T) {
	own := Periods{Whos: 30, Children: 7, Passages: 180, Acts: 200}
	for name, c := range map[string]struct {
		policy *Periods
		own    Periods
		want   Periods
	}{
		"no policy":          {nil, own, own},
		"all shorter":        {&Periods{10, 5, 90, 100}, own, Periods{10, 5, 90, 100}},
		"all longer":         {&Periods{Most, Most, Most, Most}, own, own},
		"who parts alone":    {&Periods{Whos: 10}, own, Periods{10, 7, 180, 200}},
		"children alone":     {&Periods{Children: 1}, own, Periods{30, 1, 180, 200}},
		"passages alone":     {&Periods{Passages: 179}, own, Periods{30, 7, 179, 200}},
		"acts alone":         {&Periods{Acts: 1}, own, Periods{30, 7, 180, 1}},
		"one of each":        {&Periods{Whos: 31, Children: 6, Passages: 181, Acts: 199}, own, Periods{30, 6, 180, 199}},
		"the same":           {&own, own, own},
		"of half of them":    {&Periods{10, 5, 90, 100}, Periods{Whos: 30, Children: 7}, Periods{10, 5, 90, 100}},
		"longer than a site": {&Periods{Whos: 300}, Periods{Whos: 366, Children: 7}, Periods{Whos: 300, Children: 7}},
	} {
		if got := c.policy.Least(c.own); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	if got := (Periods{Whos: 10}).Or(own); got != (Periods{10, 7, 180, 200}) {
		t.Errorf("or: %+v", got)
	}
	if Days(2) != 48*time.Hour {
		t.Error(Days(2))
	}
}

// TestCheck: a policy says something, and no period beyond the bound.
func TestCheck(t *testing.T) {
	for _, good := range []*Periods{nil, {Whos: 1}, {Children: 1}, {Passages: Most}, {Most, Most, Most, Most}} {
		if err := good.Check(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
	for _, bad := range []*Periods{{}, {Whos: Most + 1}, {Whos: 1, Children: Most + 1}, {Passages: 65535}, {Acts: Most + 1}} {
		if err := bad.Check(); !errors.Is(err, canonical.ErrMalformed) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
