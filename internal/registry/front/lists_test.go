package front

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// twoForms is a list in both formats, which follows a log.
func (r *rig) twoForms(version uint64, log []api.Logged) (l api.List, logged []api.Logged) {
	r.t.Helper()
	body, err := wire.EncodeBucket(nil)
	r.must(err)
	sign := func(m wire.Manifest) ([]byte, wire.Hash) {
		payload, err := m.Encode()
		r.must(err)
		return r.envelope(wire.TypeGrantList, wire.RoleIssuer, 1, "b1", payload, r.issuer), sha256.Sum256(payload)
	}
	m := wire.Manifest{Format: wire.ListFormat, Version: version, Issued: 1_700_000_000, Buckets: []wire.Hash{sha256.Sum256(body)},
		Doors: []string{"front"}, DoorSets: [][]uint16{{0}}}
	l = api.List{Building: "b1", Buckets: [][]byte{body}}
	var hash, old wire.Hash
	l.Old, old = sign(m)
	logged = append(log, api.Logged{Hash: old[:], Epoch: 1, Version: version, Own: true})
	var t tree.Range
	for _, e := range logged {
		t = t.Add(tlog.RecordHash(e.Hash))
	}
	m.Format, m.Earlier, m.Log = wire.LogFormat, t.Size(), wire.Hash(t.Root())
	l.Manifest, hash = sign(m)
	logged = append(logged, api.Logged{Hash: hash[:], Epoch: 1, Version: version, Own: true})
	l.Log = logged
	return l, logged
}

// hello2 says hello in format 2, with the list of which the hash is named.
func (s *scene) hello2(list uint64, hash wire.Hash) wire.Ack2 {
	s.t.Helper()
	h := wire.Hello2{Hello: s.g.hello(), Formats: []uint64{1, 2}, ListEpoch: 1}
	h.List, h.ListHash = list, hash
	s.g.nonce[15]++
	h.Nonce = s.g.nonce
	s.link.receive(s.g.say(wire.TypeHello, h))
	envelope, err := s.link.next(s.g.place.Down(wire.TypeAck), timeout)
	s.must(err)
	return s.g.ack2(envelope)
}

// partOf returns the list of that version: one that nobody proves is pushed again.
func (s *scene) partOf(version uint64) wire.ListPart {
	s.t.Helper()
	for {
		part := s.part()
		payload, err := wire.PayloadOf(part.Manifest)
		s.must(err)
		m, err := wire.DecodeManifest(payload)
		s.must(err)
		if m.Version == version {
			return part
		}
	}
}

// TestProof: a gateway that reads format 2 gets the proof that its own list is among
// those before the new one; one that reads format 1 gets the same list in that, and
// no field that it does not know.
func TestProof(t *testing.T) {
	s := newScene(t)
	var log []api.Logged
	var l api.List
	for version := uint64(1); version <= 40; version++ {
		l, log = s.twoForms(version, log)
		_, err := s.front.client.PutList(t.Context(), l)
		s.must(err)
		if version < 40 {
			s.partOf(version)
		}
	}
	if part := s.partOf(40); string(part.Manifest) != string(l.Old) || len(part.Proof) > 0 {
		t.Fatal("a gateway that was never heard gets what it may not read")
	}
	for _, at := range []int{0, 1, 38, 77} {
		own := wire.Hash(log[at].Hash)
		if k := s.hello2(log[at].Version, own); k.List != 40 || k.ListEpoch != 1 || k.ListHash != wire.Hash(log[79].Hash) || k.Holding {
			t.Fatalf("%+v", k)
		}
		s.link.receive(s.g.say(wire.TypeWant, wire.Want{List: true}))
		part := s.partOf(40)
		payload, err := wire.PayloadOf(part.Manifest)
		s.must(err)
		m, err := wire.DecodeManifest(payload)
		s.must(err)
		proof := make([]tlog.Hash, len(part.Proof))
		for i, h := range part.Proof {
			proof[i] = tlog.Hash(h)
		}
		if part.Index != uint64(at) || !tree.Included(m.Earlier, tlog.Hash(m.Log), part.Index, tlog.RecordHash(own[:]), proof) {
			t.Fatalf("manifest %d is not proved: place %d, %d hashes", at, part.Index, len(part.Proof))
		}
	}
	s.hello2(7, wire.Hash{7})
	s.link.receive(s.g.say(wire.TypeWant, wire.Want{List: true}))
	if part := s.part(); len(part.Proof) > 0 || string(part.Manifest) != string(l.Manifest) {
		t.Fatal("a list that nobody knows is proved")
	}
}

// TestLogGap: a part of the log that does not go on where the front's ends is
// refused, so that the issuer brings all of it; its word on what stood there counts.
func TestLogGap(t *testing.T) {
	s := newScene(t)
	first, log := s.twoForms(1, nil)
	second, log := s.twoForms(2, log)
	second.LogFrom, second.Log = 2, log[2:]
	if _, err := s.front.client.PutList(t.Context(), second); err == nil {
		t.Fatal("a log with a gap")
	}
	_, err := s.front.client.PutList(t.Context(), first)
	s.must(err)
	_, err = s.front.client.PutList(t.Context(), second)
	s.must(err)
	got, err := s.front.store.Log(t.Context(), "b1", 100)
	if err != nil || len(got) != 4 || !bytes.Equal(got[3].Hash, log[3].Hash) || !got[0].Own {
		t.Fatalf("%+v, %v", got, err)
	}
}
