package front

import (
	"crypto/ed25519"
	"testing"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/briefs"
)

// TestBriefs: whom logs name for a shorter time goes to gateways that read format 6 and to no older one, at once and with
// each hello, over a restart; nothing goes that no issuer of now has signed.
func TestBriefs(t *testing.T) {
	s := newScene(t)
	hello := func(newest uint64) {
		t.Helper()
		s.g.nonce[15]++
		var formats []uint64
		for f := uint64(1); f <= newest; f++ {
			formats = append(formats, f)
		}
		s.ask(wire.TypeHello, wire.Hello2{Hello: s.g.hello(), Formats: formats})
	}
	gets := func(want int, when string) {
		t.Helper()
		wait := timeout
		if want < 0 {
			wait = 0
		}
		envelope, err := s.link.next(s.g.place.Down(briefs.Type), wait)
		if (err == nil) != (want >= 0) {
			t.Errorf("%s: %v", when, err)
		}
		if err != nil || want < 0 {
			return
		}
		l, err := briefs.Open(envelope, "b1", []wire.Key{{Role: wire.RoleIssuer, Epoch: 1, Public: s.issuer.Public().(ed25519.PublicKey)}})
		if err != nil || len(l.Tenancies) != want {
			t.Errorf("%s: %+v, %v", when, l, err)
		}
	}
	give := func(version uint64, key ed25519.PrivateKey, tenancies ...wire.ID) error {
		t.Helper()
		d := s.house(version, s.g)
		var err error
		d.Briefs, err = briefs.Of(tenancies).Sign("b1", 1, key)
		s.must(err)
		_, err = s.front.client.PutHouse(t.Context(), d)
		return err
	}
	hello(wire.BriefFormat)
	gets(-1, "an issuer of before has said nothing")
	if _, stranger, _ := ed25519.GenerateKey(nil); give(1, stranger, wire.ID{1}) == nil {
		t.Error("a stranger's word is taken")
	}
	s.must(give(1, s.issuer))
	gets(0, "at once")
	s.must(give(1, s.issuer))
	gets(-1, "it is the same")
	s.must(give(1, s.issuer, wire.ID{1}, wire.ID{2}))
	gets(2, "another one")
	s.restart()
	hello(wire.RetentionFormat)
	gets(-1, "an older gateway")
	s.must(give(1, s.issuer, wire.ID{1}))
	gets(-1, "an older gateway, another one")
	hello(wire.BriefFormat)
	gets(1, "with a hello after a restart")
}
