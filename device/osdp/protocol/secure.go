package protocol

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
)

// The errors of the secure channel.
var (
	errMAC     = errors.New("wrong MAC")
	errPadding = errors.New("wrong padding")
)

// Session is one secure channel (SIA OSDP v2.2 annex D), the panel's side. Its
// buffers are fields because what goes through cipher.Block would else be on the
// heap for each message. For one goroutine.
type Session struct {
	enc, mac1, mac2 cipher.Block
	mac             [16]byte // the last MAC of either side: each one starts from the other's
	iv, block       [16]byte
}

// Key numbers in the block of a handshake.
const (
	knownKeyNo = 0x00 // the one that everybody knows
	ownKeyNo   = 0x01 // one of the reader's own
)

func keyNo(own bool) byte {
	if own {
		return ownKeyNo
	}
	return knownKeyNo
}

// Challenge is CHLNG: the panel's random number for a handshake, with a key of the
// reader's own or with the one that everybody knows.
func Challenge(own bool, panel [8]byte) Frame {
	return Frame{Code: CmdChallenge, Data: panel[:], Block: Block{Type: blockChallenge, Data: []byte{keyNo(own)}}}
}

// Response is CCRYPT, a reader's answer to CHLNG.
type Response struct {
	keyNo      byte
	random     [8]byte
	cryptogram [16]byte
}

// Response reads CCRYPT. Its first eight bytes are the reader's unique number, which makers build
// in different ways, and are ignored.
func (f Frame) Response() (r Response, err error) {
	if f.Code != replyCCrypt || f.Block.Type != blockCCrypt || len(f.Block.Data) != 1 {
		return r, f.unexpected("CCRYPT")
	}
	if len(f.Data) != 32 {
		return r, sizeError("CCRYPT", len(f.Data), 32)
	}
	return Response{f.Block.Data[0], [8]byte(f.Data[8:16]), [16]byte(f.Data[16:32])}, nil
}

// Names reports whether the reader claims to have used the requested key. Only its cryptogram
// proves that.
func (r Response) Names(own bool) bool { return r.keyNo == keyNo(own) }

// Prove continues the handshake; false: the reader's cryptogram does not show that it has that key.
func (r Response) Prove(key Key, panel [8]byte) (*Handshake, bool) {
	h := newHandshake(key, panel, r.random)
	return h, subtle.ConstantTimeCompare(h.client[:], r.cryptogram[:]) == 1
}

// Handshake is what both sides compute from the key and their random numbers.
type Handshake struct {
	session        Session
	client, server [16]byte // cryptograms
	firstMAC       [16]byte // R-MAC that both start from
}

// newHandshake derives the keys of a session: S-ENC, S-MAC1 and S-MAC2 are AES
// over a constant and the first six bytes of the panel's random number.
func newHandshake(key Key, panel, reader [8]byte) *Handshake {
	h := &Handshake{}
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
	s := &h.session
	s.enc, s.mac1, s.mac2 = derive(0x82), derive(0x01), derive(0x02)
	copy(h.client[:8], panel[:])
	copy(h.client[8:], reader[:])
	copy(h.server[:8], reader[:])
	copy(h.server[8:], panel[:])
	s.enc.Encrypt(h.client[:], h.client[:])
	s.enc.Encrypt(h.server[:], h.server[:])
	s.mac1.Encrypt(h.firstMAC[:], h.server[:])
	s.mac2.Encrypt(h.firstMAC[:], h.firstMAC[:])
	return h
}

func newCipher(key []byte) cipher.Block {
	c, err := aes.NewCipher(key)
	if err != nil {
		panic(fmt.Sprintf("osdp: AES refuses a key of %d bytes", len(key))) // all of ours have 16
	}
	return c
}

// Command is SCRYPT: the panel's cryptogram, with the same key as CHLNG.
func (h *Handshake) Command(own bool) Frame {
	return Frame{Code: cmdSCrypt, Data: h.server[:], Block: Block{Type: blockSCrypt, Data: []byte{keyNo(own)}}}
}

// Start reads RMAC_I and returns the session if the reader took the panel's
// cryptogram and its first R-MAC is right.
func (h *Handshake) Start(f Frame) (*Session, error) {
	if f.Code != replyRMAC || f.Block.Type != blockRMAC || len(f.Block.Data) != 1 || f.Block.Data[0] != ownKeyNo {
		return nil, f.unexpected("RMAC_I")
	}
	if subtle.ConstantTimeCompare(h.firstMAC[:], f.Data) != 1 {
		return nil, fmt.Errorf("first R-MAC: %w", errMAC)
	}
	s := h.session
	s.mac = h.firstMAC
	return &s, nil
}

// Seal writes a command into dst: encrypted if it has data, with a MAC, without the mark. scratch
// has capacity for its encrypted data. The MAC chain moves on, so a repetition must repeat the
// bytes.
func (s *Session) Seal(dst []byte, f Frame, scratch []byte) ([]byte, error) {
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

// Open checks the MAC of a reply, decrypts its data in place and removes its security block. On an
// error the session is over. Some readers mark their answers as the panel's (odd types), or leave
// data that the MAC covers in clear text: encrypted is false for those.
func (s *Session) Open(f *Frame) (encrypted bool, err error) {
	before := s.mac
	s.next(f.signed)
	if subtle.ConstantTimeCompare(s.mac[:macSize], f.MAC[:]) != 1 {
		return false, errMAC
	}
	block := f.Block.Type
	f.Block = Block{}
	if block == blockMAC || block == blockMACReply {
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
func (s *Session) next(msg []byte) {
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

// encrypt always pads, and encrypts by CBC from the inverse of the last MAC.
func (s *Session) encrypt(dst, data []byte) []byte {
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

func (s *Session) decrypt(data []byte, mac [16]byte) ([]byte, error) {
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

func (s *Session) invert(mac [16]byte) {
	for i, b := range mac {
		s.iv[i] = ^b
	}
}

// Key is the secret of one reader (SCBK): 16 bytes from crypto/rand. It never
// prints.
type Key [16]byte

// DefaultKey returns SCBK-D, the key that everybody knows.
func DefaultKey() Key {
	return Key{0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F}
}

// ErrWeakKey means a key that an attacker would try first.
var ErrWeakKey = errors.New("key that anybody would try")

// NewKey returns a fresh random key.
func NewKey() Key {
	var k Key
	for {
		_, _ = rand.Read(k[:]) // never fails: the runtime ends the program instead
		if k.Weak() == nil {
			return k
		}
	}
}

// Weak returns an error that wraps ErrWeakKey for the key that everybody knows,
// for one that repeats itself each 1, 2, 4 or 8 bytes, and for one that counts up
// or down by any step: the keys of makers' examples, which tools against OSDP try
// first (Bishop Fox, 2023).
func (k Key) Weak() error {
	if k.equal(DefaultKey()) {
		return fmt.Errorf("default key of the standard: %w", ErrWeakKey)
	}
	for _, period := range []int{1, 2, 4, 8} {
		repeats := true
		for i := period; i < len(k); i++ {
			repeats = repeats && k[i] == k[i-period]
		}
		if repeats {
			return fmt.Errorf("key repeats each %d bytes: %w", period, ErrWeakKey)
		}
	}
	counts := true
	for i := 2; i < len(k); i++ {
		counts = counts && k[i]-k[i-1] == k[1]-k[0]
	}
	if counts {
		return fmt.Errorf("key counts: %w", ErrWeakKey)
	}
	return nil
}

func (k Key) equal(other Key) bool { return subtle.ConstantTimeCompare(k[:], other[:]) == 1 }

// String does not tell the key.
func (k Key) String() string { return "key" }

// Format keeps every verb of fmt from printing the key.
func (k Key) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(k.String())) }

// MarshalText keeps encoders from writing the key: a KeyStore writes its bytes.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
