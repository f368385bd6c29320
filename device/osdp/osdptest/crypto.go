package osdptest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
)

// defaultKey returns SCBK-D, the key that everybody knows.
func defaultKey() [16]byte {
	var k [16]byte
	for i := range k {
		k[i] = 0x30 + byte(i)
	}
	return k
}

// session is the reader's side of a secure channel (SIA OSDP 2.2, annex
// D): AES-128, two MAC chains that hang on each other, four bytes of each MAC
// on the wire.
type session struct {
	enc, mac1, mac2 cipher.Block
	key             byte // 0: the default key, 1: the reader's own
	server          [16]byte
	command, reply  [16]byte // the last MAC of each direction
	up              bool     // both sides have proved the key

	// Scratch, so that a message needs no heap.
	before  [16]byte // the reply's MAC that the command at hand hangs on
	block   [16]byte
	encoded []byte
}

// newSession derives the keys of a session: only six of the eight random
// bytes enter.
func newSession(scbk [16]byte, key byte, rndA []byte) *session {
	base := newAES(scbk)
	derive := func(first, second byte) cipher.Block {
		b := [16]byte{first, second}
		copy(b[2:8], rndA)
		base.Encrypt(b[:], b[:])
		return newAES(b)
	}
	return &session{
		key: key,
		enc: derive(0x01, 0x82), mac1: derive(0x01, 0x01), mac2: derive(0x01, 0x02),
	}
}

func newAES(key [16]byte) cipher.Block {
	b, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // only for a key of another length
	}
	return b
}

// challenge is CHLNG: it returns the reader's cryptogram and keeps what the
// panel has to answer.
func (s *session) challenge(rndA, rndB []byte) [16]byte {
	s.server = s.cryptogram(rndB, rndA)
	return s.cryptogram(rndA, rndB)
}

// cryptogram encrypts two random numbers: A before B proves the reader, B
// before A the panel.
func (s *session) cryptogram(first, second []byte) [16]byte {
	var b [16]byte
	copy(b[:8], first)
	copy(b[8:], second)
	s.enc.Encrypt(b[:], b[:])
	return b
}

// accept is SCRYPT: true brings the session up and makes the first MAC.
func (s *session) accept(server []byte) bool {
	if subtle.ConstantTimeCompare(server, s.server[:]) != 1 {
		return false
	}
	s.mac1.Encrypt(s.reply[:], s.server[:])
	s.mac2.Encrypt(s.reply[:], s.reply[:])
	s.up = true
	return true
}

// chain returns the MAC of a message that hangs on the MAC before: CBC under
// S-MAC1, the last block under S-MAC2, padding only where the end is ragged.
func (s *session) chain(msg []byte, before [16]byte) [16]byte {
	s.block = before
	for len(msg) > 16 {
		subtle.XORBytes(s.block[:], s.block[:], msg[:16])
		s.mac1.Encrypt(s.block[:], s.block[:])
		msg = msg[16:]
	}
	subtle.XORBytes(s.block[:], s.block[:], msg)
	if len(msg) < 16 {
		s.block[len(msg)] ^= 0x80
	}
	s.mac2.Encrypt(s.block[:], s.block[:])
	return s.block
}

// unseal checks the MAC of a command and returns its data in the clear. False
// ends the session. The data is good until the next call.
func (s *session) unseal(frame []byte, f packet) ([]byte, bool) {
	s.before = s.reply
	mac := s.chain(frame[:f.signed], s.before)
	if subtle.ConstantTimeCompare(mac[:macSize], f.mac) != 1 {
		return nil, false
	}
	s.command = mac
	if f.block == blockCmdMAC {
		return f.data, true
	}
	if len(f.data) == 0 || len(f.data)%16 != 0 {
		return nil, false
	}
	s.encoded = append(s.encoded[:0], f.data...)
	last := s.before
	invert(&last)
	for at := 0; at < len(s.encoded); at += 16 {
		block := s.encoded[at : at+16]
		s.enc.Decrypt(block, block)
		subtle.XORBytes(block, block, last[:])
		copy(last[:], f.data[at:at+16])
	}
	return unpad(s.encoded)
}

// encrypt pads and encrypts the data of a reply.
func (s *session) encrypt(data []byte) []byte {
	s.encoded = append(append(s.encoded[:0], data...), 0x80)
	for len(s.encoded)%16 != 0 {
		s.encoded = append(s.encoded, 0)
	}
	last := s.command
	invert(&last)
	for at := 0; at < len(s.encoded); at += 16 {
		block := s.encoded[at : at+16]
		subtle.XORBytes(block, block, last[:])
		s.enc.Encrypt(block, block)
		copy(last[:], block)
	}
	return s.encoded
}

// sign appends the MAC of a reply.
func (s *session) sign(msg []byte) []byte {
	s.reply = s.chain(msg, s.command)
	return append(msg, s.reply[:macSize]...)
}

func invert(b *[16]byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

// unpad takes off 80 and the zeros after it.
func unpad(b []byte) ([]byte, bool) {
	n := len(b) - 1
	for n > 0 && b[n] == 0 {
		n--
	}
	if n < 0 || b[n] != 0x80 || len(b)-n > 16 {
		return nil, false
	}
	return b[:n], true
}
