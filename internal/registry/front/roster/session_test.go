package roster

import (
	"testing"
	"time"

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

// TestSince: a hello of another connection begins anew, one more of the same does not.
func TestSince(t *testing.T) {
	now := time.Unix(1e9, 0)
	r := New(func() time.Time { return now })
	g := r.Know(wire.Place{Building: "house-1", Gateway: "gw-1"}, nil, now)
	hello := func(n wire.Nonce) {
		t.Helper()
		now = now.Add(time.Minute)
		h := &Hello{Format: 1}
		h.Nonce = n
		if fresh, err := r.Greet(g, h); !fresh || err != nil {
			t.Fatal(fresh, err)
		}
	}
	hello(wire.Nonce{0: 1})
	first := now
	hello(wire.Nonce{0: 1, 15: 1})
	if v := r.Look(g).View; !v.Online || v.Since != first {
		t.Errorf("the same connection: since %v, want %v", v.Since, first)
	}
	hello(wire.Nonce{0: 2})
	if v := r.Look(g).View; v.Since != now {
		t.Errorf("another connection: since %v, want %v", v.Since, now)
	}
}

// TestStoredHello: what is read from the store has the format of its envelope, which newer formats have
// not changed.
func TestStoredHello(t *testing.T) {
	for format, body := range map[uint64]wire.Payload{1: wire.Hello{Boot: 7}, 2: wire.Hello2{Hello: wire.Hello{Boot: 7}, Formats: []uint64{1, 2, 3}}} {
		payload, err := wire.Encode(body)
		if err != nil {
			t.Fatal(err)
		}
		var v View
		if !v.read(payload) || v.Format != format || v.Hello.Boot != 7 {
			t.Errorf("a hello of format %d is read as one of %d", format, v.Format)
		}
	}
}
