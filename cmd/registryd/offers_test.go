package main

import (
	"testing"

	"gatehouse/internal/registry/issuer/operator"
)

// TestSignerText: whose an offered list is.
func TestSignerText(t *testing.T) {
	o := operator.Offer{Key: "0102030405060708", Epoch: 3}
	for _, c := range []struct {
		retired, taken bool
		want           string
	}{
		{true, false, "the retired key of epoch 3"},
		{true, true, "the retired key of epoch 3, whose word the root has taken back: a thief had it"},
		{false, false, "nobody we know (it names key 0102030405060708 of epoch 3)"},
	} {
		if o.Retired, o.False = c.retired, c.taken; signerText(o) != c.want {
			t.Errorf("%q, want %q", signerText(o), c.want)
		}
	}
}

// TestCountersignChooses: a list that is held comes before one that a gateway wants signed,
// and that before the newest one, which nobody asked for but by --newest.
func TestCountersignChooses(t *testing.T) {
	held, asked, newest := operator.List{Version: 7, Held: true}, operator.List{Version: 6, Asked: []string{"gw-1"}}, operator.List{Version: 6}
	for _, c := range []struct {
		all  []operator.List
		flag bool
		want uint64 // 0: refused
	}{{[]operator.List{asked, held}, false, 7}, {[]operator.List{asked}, false, 6}, {[]operator.List{newest}, false, 0}, {[]operator.List{newest, held}, true, 7}, {[]operator.List{newest}, true, 6}} {
		if l, err := (countersignCmd{Newest: c.flag}).choose(c.all); l.Version != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("%+v: %d, %v", c, l.Version, err)
		}
	}
}
