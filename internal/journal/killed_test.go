package journal

import (
	"errors"
	"testing"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/segment"
)

// TestKilledVerifierSaysNothing: a verifier that somebody else ended sets no
// file aside; one that a fault ended does.
func TestKilledVerifierSaysNothing(t *testing.T) {
	for signal, damaged := range map[string]bool{"TERM": false, "KILL": false, "BUS": true, "SEGV": true} {
		verify := segment.VerifyBy("/bin/sh", "-c", "kill -"+signal+" $$")
		err := verify(t.Context(), "some-file")
		if err == nil || errors.Is(err, durable.ErrDamaged) != damaged {
			t.Errorf("ended by SIG%s: %v", signal, err)
		}
	}
}
