package keyring

import (
	"testing"
	"time"

	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"
)

// TestGrowth cuts a list finer as it grows, and every card keeps its answer.
func TestGrowth(t *testing.T) {
	k := open(t, t.TempDir())
	n, bits := 0, uint8(0)
	for _, more := range []int{100, 1000, 3000} {
		e := edit(t, k)
		for range more {
			add(t, e, credential(n))
			n++
		}
		u := sign(t, e)
		for _, b := range u.Buckets {
			if len(b) > wire.BucketSize {
				t.Fatalf("a bucket of %d bytes", len(b))
			}
		}
		apply(t, k, u)
		k = reopen(t, k)
		if k.Grants().Len() != n || n > 100 && k.Grants().Bits() <= bits {
			t.Fatalf("%d grants by %d bits, was %d", k.Grants().Len(), k.Grants().Bits(), bits)
		}
		bits = k.Grants().Bits()
		for i := range n {
			want(t, k, credential(i), wire.ReasonGranted)
		}
	}
	e := edit(t, k)
	for _, g := range e.Grants() { // empty again: the cut stays, and all empty buckets are sent once
		must(t, e.End(g.ID))
	}
	u := sign(t, e)
	if len(u.Buckets) != 1 {
		t.Fatalf("%d buckets", len(u.Buckets))
	}
	apply(t, k, u)
	if k.Grants().Len() != 0 || k.Grants().Bits() != bits {
		t.Fatal("not empty, or cut anew")
	}
}

func TestEditorRefuses(t *testing.T) {
	k := open(t, t.TempDir())
	bulk(t, k, 3)
	l, err := k.List()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		l        grantlist.List
		building string
		key      byte
		epoch    uint64
	}{
		"other building":  {l, "house-2", 1, 0},
		"other key":       {l, building, 2, 0},
		"other epoch":     {l, building, 1, 1},
		"buckets missing": {grantlist.List{Manifest: l.Manifest}, building, 1, 0},
		"bucket changed":  {grantlist.List{Manifest: l.Manifest, Buckets: [][]byte{{0x80}}}, building, 1, 0},
		"no name":         {l, "", 1, 0},
	} {
		if _, err := grantlist.NewEditor(c.l, c.building, issuerKey(c.key), c.epoch); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	card := []wire.CredentialID{credential(7)}
	for name, n := range map[string]grantlist.NewGrant{
		"no card":            {Kind: wire.GrantResident, Doors: []string{"front"}},
		"same card twice":    {Kind: wire.GrantResident, Doors: []string{"front"}, Credentials: []wire.CredentialID{card[0], card[0]}},
		"daily key":          {Kind: wire.GrantResident, Doors: []string{"front"}, Credentials: []wire.CredentialID{{255, 1}}},
		"no door":            {Kind: wire.GrantResident, Credentials: card},
		"door that is no id": {Kind: wire.GrantResident, Doors: []string{"Front"}, Credentials: card},
		"no kind":            {Doors: []string{"front"}, Credentials: card},
		"ends first":         {Kind: wire.GrantVisitor, Doors: []string{"front"}, Credentials: card, From: issuedAt, Until: issuedAt},
		"after 2106":         {Kind: wire.GrantVisitor, Doors: []string{"front"}, Credentials: card, Until: time.Unix(1<<32, 0)},
	} {
		e := edit(t, k)
		if _, err := e.Add(n); err == nil {
			t.Errorf("%s: added", name)
		}
		payload, err := wire.PayloadOf(sign(t, e).Manifest)
		must(t, err)
		m, err := wire.DecodeManifest(payload)
		must(t, err)
		if len(e.Grants()) != 3 || len(m.Doors) != 1 || len(m.DoorSets) != 1 {
			t.Errorf("%s: refused, and left something", name)
		}
	}
}
