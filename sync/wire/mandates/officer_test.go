package mandates

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"gatehouse/sync/wire"
)

// certificate is that of golden.txt.
func certificate() Certificate {
	return Certificate{Public: [32]byte(seq(0x10, 32)), Receive: seq(1, 32), Unit: "刑侦一队", Badge: "000001", District: "north", Town: "xin",
		From: 1_790_000_000, Until: 1_790_000_000 + LongestCertificate}
}

// issuers trusts one issuer's key of epoch 2.
func issuers(key ed25519.PrivateKey) wire.Trust {
	return wire.Trust{Registry: "city", Keys: []wire.RoleKey{{Role: wire.RoleIssuer, Epoch: 2, Public: [32]byte(key.Public().(ed25519.PublicKey))}}}
}

// TestCertificate: an issuer's word is read back as the golden bytes; another's, and any changed byte, is not.
func TestCertificate(t *testing.T) {
	key, other := ed25519.NewKeyFromSeed(seq(0, 32)), ed25519.NewKeyFromSeed(seq(1, 32))
	envelope, err := certificate().Sign("city", 2, key)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := wire.PayloadOf(envelope)
	if err != nil {
		t.Fatal(err)
	}
	isGolden(t, "officer", payload)
	c, err := OpenCertificate(envelope, issuers(key))
	if err != nil || !bytes.Equal(c.Receive, seq(1, 32)) || !c.Holds("north", "xin") || c.Holds("north", "lao") || c.Holds("south", "xin") {
		t.Errorf("%+v, %v", c, err)
	}
	if !c.Names(Officer{Unit: "刑侦一队", Badge: "000001", Key: wire.IDOf(c.Public[:])}) || c.Names(Officer{Unit: "刑侦一队", Badge: "000002", Key: wire.IDOf(c.Public[:])}) {
		t.Error("it names another officer, or not its own")
	}
	if _, err := OpenCertificate(envelope, issuers(other)); !errors.Is(err, wire.ErrUnknownKey) {
		t.Errorf("another issuer: %v", err)
	}
	elsewhere := issuers(key)
	elsewhere.Registry = "town"
	if _, err := OpenCertificate(envelope, elsewhere); !errors.Is(err, wire.ErrWrongAddress) {
		t.Errorf("another registry: %v", err)
	}
	for i := range envelope {
		changed := bytes.Clone(envelope)
		changed[i] ^= 1
		if _, err := OpenCertificate(changed, issuers(key)); err == nil {
			t.Errorf("byte %d is changed, and it is taken", i)
		}
		if _, err := OpenCertificate(envelope[:i], issuers(key)); err == nil {
			t.Errorf("taken when cut to %d bytes", i)
		}
	}
}

// TestCertificateRefuses: what no certificate may say is not signed.
func TestCertificateRefuses(t *testing.T) {
	for name, change := range map[string]func(c *Certificate){
		"no key":            func(c *Certificate) { c.Public = [32]byte{} },
		"a long key":        func(c *Certificate) { c.Receive = make([]byte, maxKEM+1) },
		"no unit":           func(c *Certificate) { c.Unit = "" },
		"a long badge":      func(c *Certificate) { c.Badge = strings.Repeat("1", 65) },
		"no district":       func(c *Certificate) { c.District = "" },
		"every town":        func(c *Certificate) { c.Town = "*" },
		"no time":           func(c *Certificate) { c.From = 0 },
		"over at once":      func(c *Certificate) { c.Until = c.From },
		"good for too long": func(c *Certificate) { c.Until = c.From + LongestCertificate + 1 },
	} {
		c := certificate()
		change(&c)
		if _, err := c.Sign("city", 2, ed25519.NewKeyFromSeed(seq(0, 32))); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzCertificate: no envelope ends it, and what is taken is signed again as the same bytes.
func FuzzCertificate(f *testing.F) {
	key := ed25519.NewKeyFromSeed(seq(0, 32))
	envelope, err := certificate().Sign("city", 2, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(envelope)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := OpenCertificate(b, issuers(key))
		if err != nil {
			return
		}
		if again, err := c.Sign("city", 2, key); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x is signed again as %x: %v", b, again, err)
		}
	})
}
