package sealing

import (
	"crypto/aes"
	"crypto/cipher"
)

// AES returns AES-256-GCM under a key of 32 bytes. Seal puts a random nonce of 12 bytes before the
// text, and Open takes it from there: their nonce argument is nil.
func AES(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the caller's mistake: a key of another length
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}
