package act

import (
	"slices"
	"testing"

	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/qrpass"
)

// TestCauses: an operator's reason is the tenancy's cause, each of them.
func TestCauses(t *testing.T) {
	for cause := wire.CauseMovedOut; cause <= wire.CauseMistake; cause++ {
		if got := causeOf(cause.String()); got != cause || !slices.Contains(operator.Reasons(operator.ActEnd), cause.String()) {
			t.Errorf("%s: %s", cause, got)
		}
	}
}

// TestPassesForgotten: a tenancy gets so many passes and no more, and counts that nobody
// needs are not kept.
func TestPassesForgotten(t *testing.T) {
	p := NewPasses()
	for n := range maxPasses {
		if err := p.count(wire.ID{1}, 1000); err != nil {
			t.Fatalf("pass %d: %v", n, err)
		}
	}
	if err := p.count(wire.ID{1}, 1000); err == nil {
		t.Error("one too many")
	}
	if err := p.count(wire.ID{2}, 1000+qrpass.Max); err != nil || len(p.given) != 1 {
		t.Errorf("%v, %v", p.given, err)
	}
}
