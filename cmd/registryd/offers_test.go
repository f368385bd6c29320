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
