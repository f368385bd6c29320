package osdp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"errors"
	"fmt"
)

// Why a message of the secure channel is refused.
var (
	errMAC     = errors.New("wrong MAC")
	errPadding = errors.New("wrong padding")
)

// session is one secure channel (SIA OSDP v2.2 annex D), the panel's side. Its
// buffers are fields because what goes through cipher.Block would else be on the
// heap for each message. For one goroutine.
type session struct {
	enc, mac1, mac2 cipher.Block
	mac             [16]byte // the last MAC of either side: each one starts from the other's
	iv, block       [16]byte
}

// handshake is what both sides compute from the key and their random numbers.
type handshake struct {
	session
	client, server [16]byte // cryptograms
	firstMAC       [16]byte // R-MAC that both start from
}

// newHandshake derives the keys of a session: S-ENC, S-MAC1 and S-MAC2 are AES
// over a constant and the first six bytes of the panel's random number.
func newHandshake(key *Key, panel, reader [8]byte) *handshake {
	h := &handshake{}
	base := newCipher(key[:])
	derive := func(constant byte) cipher.Block {
		var b [16]byte
		b[0], b[1] = 0x01, constant
		copy(b[2:], panel[:6])
		base.Encrypt(b[:], b[:])
		c := newCipher(b[:])
		clear(b[:])
		return c
	}
	h.enc, h.mac1, h.mac2 = derive(0x82), derive(0x01), derive(0x02)
	copy(h.client[:8], panel[:])
	copy(h.client[8:], reader[:])
	copy(h.server[:8], reader[:])
	copy(h.server[8:], panel[:])
	h.enc.Encrypt(h.client[:], h.client[:])
	h.enc.Encrypt(h.server[:], h.server[:])
	h.mac1.Encrypt(h.firstMAC[:], h.server[:])
	h.mac2.Encrypt(h.firstMAC[:], h.firstMAC[:])
	return h
}

func newCipher(key []byte) cipher.Block {
	c, err := aes.NewCipher(key)
	if err != nil {
		panic(fmt.Sprintf("osdp: AES refuses a key of %d bytes", len(key))) // all of ours have 16
	}
	return c
}

// clientProved tells whether the reader's cryptogram shows that it has the key.
func (h *handshake) clientProved(cryptogram [16]byte) bool {
	return subtle.ConstantTimeCompare(h.client[:], cryptogram[:]) == 1
}

// start returns the session if the reader's first R-MAC shows that it took ours.
func (h *handshake) start(firstMAC []byte) (*session, error) {
	if subtle.ConstantTimeCompare(h.firstMAC[:], firstMAC) != 1 {
		return nil, fmt.Errorf("first R-MAC: %w", errMAC)
	}
	s := h.session
	s.mac = h.firstMAC
	return &s, nil
}

// seal writes a command into dst: encrypted if it has data, with a MAC, without
// the mark. The chain moves on: a repetition must repeat the bytes.
func (s *session) seal(dst []byte, f Frame, scratch []byte) ([]byte, error) {
	f.Block = Block{Type: blockMAC}
	if len(f.Data) > 0 {
		f.Block.Type = blockCrypt
		f.Data = s.encrypt(scratch[:0], f.Data)
	}
	start := len(dst)
	dst, err := f.appendBody(dst)
	if err != nil {
		return nil, err
	}
	s.next(dst[start:])
	dst = append(dst, s.mac[:macSize]...)
	return f.appendCheck(dst, start), nil
}

// open checks the MAC of a reply and decrypts its data in place. On an error the
// session is over. Some readers mark their answers as the panel's (odd types), or
// leave data that the MAC covers in the clear: encrypted is false for those.
func (s *session) open(f *Frame) (encrypted bool, err error) {
	before := s.mac
	s.next(f.signed)
	if subtle.ConstantTimeCompare(s.mac[:macSize], f.MAC[:]) != 1 {
		return false, errMAC
	}
	if f.Block.Type == blockMAC || f.Block.Type == blockMACReply {
		return len(f.Data) == 0, nil
	}
	if len(f.Data) == 0 {
		return true, nil
	}
	f.Data, err = s.decrypt(f.Data, before)
	return true, err
}

// next computes the MAC of a message: CBC over it, padded with 80 00 .. where it
// is no multiple of 16, S-MAC1 for all blocks but the last, which is S-MAC2's.
func (s *session) next(msg []byte) {
	for len(msg) > 16 {
		subtle.XORBytes(s.mac[:], s.mac[:], msg[:16])
		s.mac1.Encrypt(s.mac[:], s.mac[:])
		msg = msg[16:]
	}
	subtle.XORBytes(s.mac[:], s.mac[:], msg)
	if len(msg) < 16 {
		s.mac[len(msg)] ^= 0x80
	}
	s.mac2.Encrypt(s.mac[:], s.mac[:])
}

// encrypt pads always, and encrypts by CBC from the inverse of the last MAC.
func (s *session) encrypt(dst, data []byte) []byte {
	dst = append(append(dst, data...), 0x80)
	for len(dst)%16 != 0 {
		dst = append(dst, 0)
	}
	s.invert(s.mac)
	for b := dst; len(b) > 0; b = b[16:] {
		subtle.XORBytes(s.iv[:], s.iv[:], b[:16])
		s.enc.Encrypt(s.iv[:], s.iv[:])
		copy(b, s.iv[:])
	}
	return dst
}

func (s *session) decrypt(data []byte, mac [16]byte) ([]byte, error) {
	if len(data)%16 != 0 {
		return nil, fmt.Errorf("%w: %d encrypted bytes", errPadding, len(data))
	}
	s.invert(mac)
	for b := data; len(b) > 0; b = b[16:] {
		copy(s.block[:], b)
		s.enc.Decrypt(b[:16], s.block[:])
		subtle.XORBytes(b, b[:16], s.iv[:])
		s.iv = s.block
	}
	end := len(data) - 1
	for end > 0 && data[end] == 0 && len(data)-end < 16 {
		end--
	}
	if data[end] != 0x80 {
		return nil, errPadding
	}
	return data[:end], nil
}

func (s *session) invert(mac [16]byte) {
	for i, b := range mac {
		s.iv[i] = ^b
	}
}
