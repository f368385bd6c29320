package front

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/document"
	"gatehouse/internal/registry/store"
)

// TestMarkedHouse: a house document that this front has verified is taken by its mark, without a
// look at its signature; no other one is.
func TestMarkedHouse(t *testing.T) {
	r := newRig(t)
	g := r.gateway("g1", 7)
	good := r.house(1, g)
	forged := bytes.Clone(good.Envelope)
	forged[len(forged)-1] ^= 1 // of its signature
	of := func(rig *rig) document.Marks {
		m, err := document.NewMarks(rig.witness)
		r.must(err)
		return m
	}
	authority := func(trust []byte) *document.Authority {
		a, err := document.OpenTrust(trust, r.root.Public().(ed25519.PublicKey), r.witness.Public().(ed25519.PublicKey))
		r.must(err)
		return a
	}
	a, own := authority(r.trust(1)), of(r)
	bad := api.Document{Building: "b1", Envelope: forged}
	if h, right, err := a.ReopenHouse(bad, own.Of(a, bad), own); err != nil || h.Version != 1 || !bytes.Equal(right, own.Of(a, bad)) {
		t.Errorf("by its mark: %v", err)
	}
	before := r.issuer
	r.issuer = newKey(t) // the issuer is another one from here on
	for name, mark := range map[string][]byte{
		"none": nil, "of the document itself": own.Of(a, good), "by another front's key": of(newRig(t)).Of(a, bad),
		"of another building": own.Of(a, api.Document{Building: "b2", Envelope: forged}), "under other issuers": own.Of(authority(r.trust(2)), bad),
		"with the old format": own.Of(a, api.Document{Building: "b1", Envelope: forged, Old: []byte{1}}),
	} {
		if _, _, err := a.ReopenHouse(bad, mark, own); err == nil {
			t.Errorf("a mark %s opens it", name)
		}
	}
	r.issuer = before
	if h, right, err := a.ReopenHouse(good, nil, own); err != nil || h.Version != 1 || !bytes.Equal(right, own.Of(a, good)) {
		t.Errorf("by its signature: %v", err)
	}
}

// TestMarksOfAStart: a document gets its mark when it comes, or at the first start of a front that
// makes marks. Whoever writes another document into the database brings no gateway in, and a
// document that only a former issuer signed is not active, whatever its mark says.
func TestMarksOfAStart(t *testing.T) {
	r := newRig(t)
	g := r.gateway("g1", 7)
	start := func() *started {
		_, link := newMemory()
		return r.start(Options{Link: link})
	}
	s := start()
	if _, err := s.client.PutHouse(t.Context(), r.house(1, g)); err != nil {
		t.Fatal(err)
	}
	s.stop()
	came := r.stored().Mark
	if len(came) == 0 {
		t.Fatal("it came and has no mark")
	}
	r.store(func(tx *store.Tx) error { return tx.Documents.SetMark("b1", nil) })
	s = start()
	if _, _, ok := s.roster.Member(g.place); !ok {
		t.Error("its gateway is no member")
	}
	s.stop()
	if made := r.stored().Mark; !bytes.Equal(made, came) {
		t.Errorf("a start makes the mark %x, not %x", made, came)
	}

	stranger := r.gateway("g2", 8)
	honest := r.issuer
	r.issuer = newKey(t)
	planted := store.House{Document: r.house(2, stranger), Mark: came}
	r.store(func(tx *store.Tx) error { return tx.Documents.PutHouse(planted, 2) })
	s = start()
	if s.roster.Find("b1/g2") != nil {
		t.Error("whoever writes into the database brings a gateway in")
	}
	s.stop()

	r.issuer = honest
	r.store(func(tx *store.Tx) error {
		return tx.Documents.PutHouse(store.House{Document: r.house(1, g), Mark: came}, 1)
	})
	s = start()
	r.issuer = newKey(t)
	if _, err := s.client.PutTrust(t.Context(), r.trust(2)); err != nil {
		t.Fatal(err)
	}
	s.stop()
	if s = start(); s.roster.Find("b1/g1") != nil {
		t.Error("a document of a former issuer is active")
	}
}

// stored returns the house document in the database.
func (r *rig) stored() (h store.House) {
	r.t.Helper()
	s, err := store.Open(r.t.Context(), r.config().path(api.FileDatabase), zerolog.Nop())
	r.must(err)
	defer s.Close()
	for h, err = range s.Houses(r.t.Context()) {
		r.must(err)
	}
	return h
}

// store writes into the database of a front that is stopped.
func (r *rig) store(write func(*store.Tx) error) {
	r.t.Helper()
	s, err := store.Open(r.t.Context(), r.config().path(api.FileDatabase), zerolog.Nop())
	r.must(err)
	r.must(s.Update(r.t.Context(), write))
	r.must(s.Close())
}
