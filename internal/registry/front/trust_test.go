package front

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/periods"
)

// trustTwo is a trust document of format 2.
func (r *rig) trustTwo(version uint64) []byte {
	payload, err := wire.PayloadOf(r.trust(version))
	r.must(err)
	t, err := wire.DecodeTrust(1, payload)
	r.must(err)
	t.False = []wire.RoleEpoch{{Role: wire.RoleWitness, Epoch: 9}}
	b, err := wire.Sign(wire.Protected{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: "test-registry", Version: 2}, r.encode(t), r.root)
	r.must(err)
	return b
}

// TestTrustOfTwoFormats: a gateway that reads format 1 alone is told of the newest
// document that it reads, and gets that; another one gets the newest. It is the
// same after a restart, and in whatever order the two came.
func TestTrustOfTwoFormats(t *testing.T) {
	s := newScene(t)
	hello2 := func() wire.Hello2 {
		s.g.nonce[15]++
		return wire.Hello2{Hello: s.g.hello(), Formats: []uint64{1, 2}}
	}
	hello1 := func() wire.Hello { s.g.nonce[15]++; return s.g.hello() }
	put := func(envelope []byte, ok bool) {
		t.Helper()
		if _, err := s.front.client.PutTrust(t.Context(), envelope); (err == nil) != ok {
			t.Fatal(err)
		}
	}
	told := func(one, two uint64) {
		t.Helper()
		if got := s.ask(wire.TypeHello, hello1()).Trust; got != one {
			t.Errorf("format 1 hears of trust %d, want %d", got, one)
		}
		if got := s.ask(wire.TypeHello, hello2()).Trust; got != two {
			t.Errorf("format 2 hears of trust %d, want %d", got, two)
		}
	}
	put(s.trustTwo(3), true)
	told(1, 3)
	put(s.trust(2), true) // its twin
	put(s.trust(2), true)
	put(s.trustTwo(3), true)
	told(2, 3)
	s.ask(wire.TypeHello, hello1())
	for err := error(nil); err == nil; { // what was pushed before
		_, err = s.link.next(s.g.place.Down(wire.TypeTrust), 0)
	}
	s.link.receive(s.g.say(wire.TypeWant, wire.Want{Trust: true}))
	envelope, err := s.link.next(s.g.place.Down(wire.TypeTrust), timeout)
	s.must(err)
	if _, p, _ := wire.Open(envelope, wire.Expect{}, nil); p.Version != 1 {
		t.Fatalf("format %d for a gateway that reads 1", p.Version)
	}
	s.restart()
	told(2, 3)
	put(s.trust(1), false) // older than both
	put(s.trust(4), true)
	told(4, 4)
	s.restart()
	told(4, 4)
}

// trustFour is a trust document that names an approver.
func (r *rig) trustFour(version uint64) []byte {
	payload, err := wire.PayloadOf(r.trustTwo(version))
	r.must(err)
	t, err := wire.DecodeTrust(2, payload)
	r.must(err)
	t.Approvers = []approver.Approver{{Seat: "xin-1", Public: [32]byte{7}, District: "north", Town: "xin"}}
	b, err := wire.Sign(wire.Protected{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: "test-registry", Version: wire.VersionOf(t)}, r.encode(t), r.root)
	r.must(err)
	return b
}

// TestTrustOfFourFormats: each gateway hears of the newest document that it reads, whatever came
// first, before and after a restart; one with approvers reaches none that can't judge them.
func TestTrustOfFourFormats(t *testing.T) {
	s := newScene(t)
	put := func(envelope []byte) {
		t.Helper()
		if _, err := s.front.client.PutTrust(t.Context(), envelope); err != nil {
			t.Fatal(err)
		}
	}
	told := func(one, three, four uint64) {
		t.Helper()
		for formats, want := range map[uint64]uint64{3: three, 4: four, 1: one} {
			s.g.nonce[15]++
			var hello wire.Payload = s.g.hello()
			if formats > 1 {
				hello = wire.Hello2{Hello: s.g.hello(), Formats: []uint64{1, 2, 3, 4}[:formats]}
			}
			if got := s.ask(wire.TypeHello, hello).Trust; got != want {
				t.Errorf("who reads up to format %d hears of trust %d, want %d", formats, got, want)
			}
		}
	}
	for _, envelope := range [][]byte{s.trustFour(4), s.trustTwo(3), s.trust(2), s.trustTwo(3), s.trustFour(4)} { // as the issuer hands them over, and again
		put(envelope)
	}
	told(2, 3, 4)
	s.restart()
	told(2, 3, 4)
	for _, envelope := range [][]byte{s.trustFour(7), s.trust(5), s.trustTwo(6)} { // in another order
		put(envelope)
	}
	told(5, 6, 7)
	put(s.trustTwo(9)) // the last approver is revoked
	told(5, 9, 9)
	s.restart()
	told(5, 9, 9)
}

// trustFive is a trust document with a policy.
func (r *rig) trustFive(version uint64, p periods.Periods) []byte {
	payload, err := wire.PayloadOf(r.trustFour(version))
	r.must(err)
	t, err := wire.DecodeTrust(4, payload)
	r.must(err)
	t.Retention = &p
	b, err := wire.Sign(wire.Protected{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: "test-registry", Version: wire.VersionOf(t)}, r.encode(t), r.root)
	r.must(err)
	return b
}

// TestPolicyOfTheFront: a policy shortens the front's periods with the document that brings it, lengthens none, and an older document
// brings no longer ones back. Who reads format 4 alone gets the twin.
func TestPolicyOfTheFront(t *testing.T) {
	s := newScene(t)
	put := func(envelope []byte, ok bool) {
		t.Helper()
		if _, err := s.front.client.PutTrust(t.Context(), envelope); (err == nil) != ok {
			t.Fatal(err)
		}
	}
	kept := func(passages, acts int) {
		t.Helper()
		st, err := s.front.client.Status(t.Context())
		s.must(err)
		if got := st.Retention; got.Passages != time.Duration(passages)*24*time.Hour || got.Acts != time.Duration(acts)*24*time.Hour {
			t.Errorf("%v and %v, want %d and %d days", got.Passages, got.Acts, passages, acts)
		}
	}
	kept(180, 200)
	put(s.trustFive(5, periods.Periods{Passages: 20, Acts: 400}), true)
	kept(20, 200)
	put(s.trustFour(4), true) // its twin
	kept(20, 200)
	for formats, want := range map[int]uint64{4: 4, 5: 5} {
		s.g.nonce[15]++
		if got := s.ask(wire.TypeHello, wire.Hello2{Hello: s.g.hello(), Formats: []uint64{1, 2, 3, 4, 5}[:formats]}).Trust; got != want {
			t.Errorf("who reads up to format %d hears of trust %d, want %d", formats, got, want)
		}
	}
	put(s.trustFive(3, periods.Periods{Passages: 100}), false)
	kept(20, 200)
	s.restart()
	kept(20, 200)
	put(s.trustFive(6, periods.Periods{Acts: 30}), true)
	kept(180, 30)
}

// TestTrustOfAnotherWitness: a gateway whose trust document is an older one gets the
// newest with its hello, and not only when it asks for it: the ack that names it may
// be signed by a witness whom that document names first.
func TestTrustOfAnotherWitness(t *testing.T) {
	s := newScene(t)
	payload, err := wire.PayloadOf(s.trust(2))
	s.must(err)
	next, err := wire.DecodeTrust(1, payload)
	s.must(err)
	s.witness = newKey(t)
	next.Keys[2] = wire.RoleKey{Role: wire.RoleWitness, Epoch: 2, Public: public(s.witness)}
	envelope := s.envelope(wire.TypeTrust, wire.RoleRoot, 0, "test-registry", s.encode(next), s.root)
	s.write(api.FileWitnessKey, "PRIVATE KEY", s.pkcs8(s.witness))
	s.must(os.WriteFile(filepath.Join(s.dir, api.FileTrust), envelope, 0o600))
	s.restart()

	down := s.g.place.Down(wire.TypeTrust)
	hello := wire.Hello2{Hello: s.g.hello(), Formats: []uint64{1, 2}}
	hello.Nonce[15]++
	hello.Trust = 1
	s.link.receive(s.g.say(wire.TypeHello, hello))
	got, err := s.link.next(down, timeout)
	if err != nil || !bytes.Equal(got, envelope) {
		t.Fatalf("a gateway that has trust document 1 gets none with its hello: %v", err)
	}
	_, err = s.link.next(s.g.place.Down(wire.TypeAck), timeout)
	s.must(err)
	hello.Nonce[15]++
	hello.Trust = 2
	s.link.receive(s.g.say(wire.TypeHello, hello))
	_, err = s.link.next(s.g.place.Down(wire.TypeAck), timeout)
	s.must(err)
	if _, err := s.link.next(down, 0); err == nil {
		t.Error("one that has it gets it again")
	}
}
