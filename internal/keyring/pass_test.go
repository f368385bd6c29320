package keyring

import (
	"errors"
	"testing"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/qrpass"
)

func passBy(t testing.TB, issuer byte, epoch uint64, house string) string {
	t.Helper()
	p := qrpass.Pass{ID: qrpass.ID{1}, Tenancy: wire.ID{1, 1}, From: uint32(issuedAt.Unix()), Until: uint32(issuedAt.Unix()) + 300}
	text, err := p.Sign(house, epoch, issuerKey(issuer))
	must(t, err)
	return text
}

// TestOpenPass: a pass counts while the root names its issuer, by key, role and
// epoch, and for this building alone.
func TestOpenPass(t *testing.T) {
	k, _ := enrolled(t)
	good := passBy(t, 1, 1, building)
	for _, c := range []struct {
		name, text string
		want       error
	}{
		{"good", good, nil},
		{"the other issuer", passBy(t, 2, 1, building), nil},
		{"a witness", passBy(t, 3, 1, building), wire.ErrUnknownKey},
		{"nobody", passBy(t, 9, 1, building), wire.ErrUnknownKey},
		{"an issuer's former key", passBy(t, 1, 0, building), wire.ErrUnknownKey},
		{"another building", passBy(t, 1, 1, "house-2"), wire.ErrWrongAddress},
		{"no pass", "6901234567892", wire.ErrMalformed},
		{"nothing", "", wire.ErrMalformed},
	} {
		p, err := k.OpenPass(c.text)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || (err == nil) != (p.Tenancy == wire.ID{1, 1}) {
			t.Errorf("%s: %+v, %v", c.name, p, err)
		}
	}
	_, two := trust(t, 2, 2)
	must(t, k.Authority.SetTrust(two))
	if _, err := k.OpenPass(good); !errors.Is(err, wire.ErrUnknownKey) {
		t.Errorf("of an issuer that the root took back: %v", err)
	}
	if _, err := restarted(t, k).OpenPass(good); !errors.Is(err, wire.ErrUnknownKey) {
		t.Errorf("and after a restart: %v", err)
	}
}

// TestOpenPassAlone: a standalone house takes the passes of its own issuer's key.
func TestOpenPassAlone(t *testing.T) {
	k := open(t, t.TempDir())
	if _, err := k.OpenPass(passBy(t, 1, 0, building)); err != nil {
		t.Error(err)
	}
	if _, err := k.OpenPass(passBy(t, 2, 0, building)); !errors.Is(err, wire.ErrUnknownKey) {
		t.Errorf("of another key: %v", err)
	}
}
