package sealing_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"testing"

	"gatehouse/sync/wire/sealing"
)

// TestAESLayout: what is on disks and wires is the nonce of 12 bytes, then AES-256-GCM, in both
// directions; every truncation, the empty text too, is an error.
func TestAESLayout(t *testing.T) {
	key, nonce, plain, with := bytes.Repeat([]byte{7}, 32), []byte("twelve bytes"), []byte("text"), []byte("bound")
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	before := gcm.Seal(bytes.Clone(nonce), nonce, plain, with)
	if got, err := sealing.AES(key).Open(nil, nil, before, with); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%q, %v", got, err)
	}
	sealed := sealing.AES(key).Seal([]byte{9}, nil, plain, with)
	if got, err := gcm.Open(nil, sealed[1:13], sealed[13:], with); sealed[0] != 9 || err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%x: %q, %v", sealed, got, err)
	}
	for n := range before {
		if _, err := sealing.AES(key).Open(nil, nil, before[:n], with); err == nil {
			t.Errorf("%d of %d bytes open", n, len(before))
		}
	}
}
