package roster

import (
	"testing"

	"gatehouse/sync/wire"
)

func TestNonces(t *testing.T) {
	var s nonces
	of := func(i int) wire.Nonce { return wire.Nonce{1, byte(i)} }
	for i := range 200 {
		if !s.add(of(i)) {
			t.Fatalf("nonce %d is known", i)
		}
		if s.add(of(i)) || s.add(of(max(0, i-63))) {
			t.Fatalf("after %d nonces one of the last 64 is new", i+1)
		}
	}
}
