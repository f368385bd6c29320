// Package sealing encrypts to a public key of another machine (HPKE, RFC 9180): what
// travels through hands that may not read it. Its functions are safe for concurrent use.
package sealing

import (
	"crypto/hpke"
	"fmt"
)

// What something was sealed for; it can be opened as nothing else.
const (
	Who         = "gatehouse who v1"
	WhoContext  = "gatehouse who context v1"  // of many who parts: package whos
	Entry       = "gatehouse sealed entry v1" // of a journal: package sealed
	Change      = "gatehouse change v1"
	Person      = "gatehouse person v1"
	BuildingKey = "gatehouse building key v1"
	Answer      = "gatehouse answer v1"    // an evidence file, to whom a mandate names; no address: it opens wherever it is
	KeysCopy    = "gatehouse keys copy v1" // of a registry's front and issuer, to its escrow key
)

// The suite: X-Wing (ML-KEM-768 and X25519, so that what is recorded today
// stays shut when one of them falls), HKDF-SHA256, AES-256-GCM. RFC 9180.
func kem() hpke.KEM { return hpke.MLKEM768X25519() }

// GenerateKey makes a key pair to seal to, as serialized bytes.
func GenerateKey() (private, public []byte, err error) {
	k, err := kem().GenerateKey()
	if err != nil {
		return nil, nil, fmt.Errorf("make key to seal to: %w", err)
	}
	if private, err = k.Bytes(); err != nil {
		return nil, nil, fmt.Errorf("make key to seal to: %w", err)
	}
	return private, k.PublicKey().Bytes(), nil
}

// PublicOf returns the public key of a private one.
func PublicOf(private []byte) ([]byte, error) {
	k, err := kem().NewPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("private key of seals: %w", err)
	}
	return k.PublicKey().Bytes(), nil
}

// CheckPublic refuses bytes that nothing can be sealed to.
func CheckPublic(public []byte) error {
	if _, err := kem().NewPublicKey(public); err != nil {
		return fmt.Errorf("key to seal to: %w", err)
	}
	return nil
}

// Seal encrypts to a public key: encapsulated key (1,120 bytes), then the
// cipher text (16 bytes more than the plain one). Purpose and address must be
// the same at Unseal.
func Seal(public []byte, purpose, address string, plain []byte) ([]byte, error) {
	pk, err := kem().NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	b, err := hpke.Seal(pk, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(purpose+"\x00"+address), plain)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return b, nil
}

// Unseal opens what Seal made with the private key.
func Unseal(private []byte, purpose, address string, sealed []byte) ([]byte, error) {
	k, err := kem().NewPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("unseal: %w", err)
	}
	b, err := hpke.Open(k, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(purpose+"\x00"+address), sealed)
	if err != nil {
		return nil, fmt.Errorf("unseal: %w", err)
	}
	return b, nil
}

// secretSize is the bytes of a shared secret.
const secretSize = 32

// Share makes a secret that the holder of the private key can derive too, from the encapsulated
// key (1,120 bytes): what HPKE exports (RFC 9180, section 5.3) for the purpose. Purpose and address
// must be the same at Derive.
func Share(public []byte, purpose, address string) (secret, encapsulated []byte, err error) {
	pk, err := kem().NewPublicKey(public)
	if err != nil {
		return nil, nil, fmt.Errorf("share a secret: %w", err)
	}
	encapsulated, sender, err := hpke.NewSender(pk, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(purpose+"\x00"+address))
	if err == nil {
		secret, err = sender.Export(purpose, secretSize)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("share a secret: %w", err)
	}
	return secret, encapsulated, nil
}

// Derive returns the secret of Share with the private key. Another key, purpose or address, and a
// changed encapsulated key, give another secret or an error.
func Derive(private []byte, purpose, address string, encapsulated []byte) (secret []byte, err error) {
	k, err := ReadPrivate(private)
	if err != nil {
		return nil, err
	}
	return k.Derive(purpose, address, encapsulated)
}

// PrivateKey is a private key that was read: that takes nearly as long as to derive a secret with it.
type PrivateKey struct{ key hpke.PrivateKey }

// ReadPrivate reads a private key for many secrets.
func ReadPrivate(private []byte) (PrivateKey, error) {
	k, err := kem().NewPrivateKey(private)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("private key of seals: %w", err)
	}
	return PrivateKey{k}, nil
}

// Derive is Derive with this key.
func (k PrivateKey) Derive(purpose, address string, encapsulated []byte) (secret []byte, err error) {
	recipient, err := hpke.NewRecipient(encapsulated, k.key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(purpose+"\x00"+address))
	if err == nil {
		secret, err = recipient.Export(purpose, secretSize)
	}
	if err != nil {
		return nil, fmt.Errorf("derive a secret: %w", err)
	}
	return secret, nil
}
