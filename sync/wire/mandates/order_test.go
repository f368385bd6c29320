package mandates

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"reflect"
	"strings"
	"testing"

	"gatehouse/sync/wire"
)

// order is that of golden.txt.
func order() Order {
	return Order{Reference: wire.ID(seq(0x50, 16)), Gateway: "house-1/gate-1", Door: "front", From: 1_790_000_000, Until: 1_790_000_000 + MostPreserved,
		Case: "A440000-2026-1", Signed: 1_790_090_000, Certificate: seq(1, 24)}
}

// TestOrder: an officer's order is read back as the golden bytes; with another key, for another registry,
// or with any changed or missing byte, it is not.
func TestOrder(t *testing.T) {
	key := ed25519.NewKeyFromSeed(seq(0, 32))
	mine := Certificate{Public: [32]byte(key.Public().(ed25519.PublicKey))}
	envelope, err := order().Sign("city", key)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := wire.PayloadOf(envelope)
	if err != nil {
		t.Fatal(err)
	}
	isGolden(t, "order", payload)
	if o, err := mine.Open(envelope, "city"); err != nil || !reflect.DeepEqual(o, order()) {
		t.Errorf("%+v, %v", o, err)
	}
	if o, registry, err := ReadOrder(envelope); err != nil || registry != "city" || !reflect.DeepEqual(o, order()) {
		t.Errorf("read: %+v for %s, %v", o, registry, err)
	}
	if _, err := (Certificate{Public: [32]byte(seq(1, 32))}).Open(envelope, "city"); !errors.Is(err, wire.ErrUnknownKey) {
		t.Errorf("another officer's: %v", err)
	}
	if _, err := mine.Open(envelope, "town"); !errors.Is(err, wire.ErrWrongAddress) {
		t.Errorf("another registry's: %v", err)
	}
	for i := range envelope {
		changed := bytes.Clone(envelope)
		changed[i] ^= 1
		if _, err := mine.Open(changed, "city"); err == nil {
			t.Errorf("byte %d is changed, and it is taken", i)
		}
		if _, err := mine.Open(envelope[:i], "city"); err == nil {
			t.Errorf("taken when cut to %d bytes", i)
		}
	}
	mandate, err := Sign(sample(), "city", key)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := ReadOrder(mandate); !errors.Is(err, wire.ErrWrongType) {
		t.Errorf("a mandate is read as an order: %v", err)
	}
}

// TestOrderRefuses: what no order may say is not signed.
func TestOrderRefuses(t *testing.T) {
	for name, change := range map[string]func(o *Order){
		"no reference":   func(o *Order) { o.Reference = wire.ID{} },
		"no gateway":     func(o *Order) { o.Gateway = "house-1" },
		"every gateway":  func(o *Order) { o.Gateway = "house-1/*" },
		"no door":        func(o *Order) { o.Door = "" },
		"every door":     func(o *Order) { o.Door = "*" },
		"no span":        func(o *Order) { o.Until = o.From },
		"since ever":     func(o *Order) { o.From = 0 },
		"never signed":   func(o *Order) { o.Signed = 0 },
		"a long case":    func(o *Order) { o.Case = strings.Repeat("案", 65) },
		"no certificate": func(o *Order) { o.Certificate = nil },
		"much of one":    func(o *Order) { o.Certificate = make([]byte, maxCertificate+1) },
	} {
		o := order()
		change(&o)
		if _, err := o.Sign("city", ed25519.NewKeyFromSeed(seq(0, 32))); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzOrder: no envelope ends it, and what is taken is signed again as the same bytes.
func FuzzOrder(f *testing.F) {
	key := ed25519.NewKeyFromSeed(seq(0, 32))
	mine := Certificate{Public: [32]byte(key.Public().(ed25519.PublicKey))}
	envelope, err := order().Sign("city", key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(envelope)
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, _ = ReadOrder(b)
		o, err := mine.Open(b, "city")
		if err != nil {
			return
		}
		if again, err := o.Sign("city", key); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x is signed again as %x: %v", b, again, err)
		}
	})
}
