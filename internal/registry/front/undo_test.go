package front

import (
	"strings"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// TestUndo: what two issuers have signed to take a time back is kept over a restart
// and sent with each hello that still names that time, and to nobody else.
func TestUndo(t *testing.T) {
	s := newScene(t)
	floor := wire.Floor{Role: wire.RoleWitness, Epoch: 1, Unix: uint32(time.Now().Add(200 * 24 * time.Hour).Unix())}
	hello := func(f wire.Floor) {
		t.Helper()
		s.g.nonce[15]++
		s.ask(wire.TypeHello, wire.Hello2{Hello: s.g.hello(), Formats: []uint64{1, 2}, Floor: f})
	}
	undo := func(f wire.Floor) api.Undo {
		address := s.g.place.Address()
		first := s.envelope(wire.TypeUndo, wire.RoleIssuer, 1, address, s.encode(wire.Undo{Floor: f}), s.issuer)
		return api.Undo{Building: "b1", Gateway: s.g.place.Gateway, Envelope: s.envelope(wire.TypeUndo, wire.RoleIssuer, 1, address, first, s.second)}
	}
	gets := func(want bool, when string) {
		t.Helper()
		wait := timeout
		if !want {
			wait = 0
		}
		if _, err := s.link.next(s.g.place.Down(wire.TypeUndo), wait); (err == nil) != want {
			t.Errorf("%s: %v", when, err)
		}
	}
	shows := func(want string) {
		t.Helper()
		st, err := s.front.client.Status(t.Context())
		s.must(err)
		if all := strings.Join(st.Problems, "\n"); want == "" == strings.Contains(all, "the time 20") || !strings.Contains(all, want) {
			t.Errorf("status: %q, want %q", all, want)
		}
	}
	hello(floor)
	shows("registryd clock undo b1 " + s.g.place.Gateway + " --key second.key")
	other := floor
	other.Unix++
	if _, err := s.front.client.PutUndo(t.Context(), undo(other)); err == nil {
		t.Error("an undo of a time that the gateway did not name is taken")
	}
	one := undo(floor)
	one.Envelope = s.envelope(wire.TypeUndo, wire.RoleIssuer, 1, s.g.place.Address(), s.encode(wire.Undo{Floor: floor}), s.issuer)
	if _, err := s.front.client.PutUndo(t.Context(), one); err == nil {
		t.Error("one issuer alone takes a time back")
	}
	gets(false, "nothing was signed by two")
	_, err := s.front.client.PutUndo(t.Context(), undo(floor))
	s.must(err)
	gets(true, "at once")
	shows("which two issuers have taken back")
	s.restart()
	hello(floor)
	gets(true, "after a restart, with a hello that names it")
	hello(wire.Floor{Role: wire.RoleIssuer, Epoch: 1, Unix: 1_790_000_000, Undos: 1})
	gets(false, "it was taken")
	shows("")
	s.restart()
	hello(floor)
	gets(false, "it was forgotten")
}
