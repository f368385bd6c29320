package protocol

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestAnnexE: the example of SIA OSDP annex E, by the standard's own key.
func TestAnnexE(t *testing.T) {
	panel, reader := [8]byte(unhex(t, "B0B1B2B3B4B5B6B7")), [8]byte(unhex(t, "A0A1A2A3A4A5A6A7"))
	h := newHandshake(DefaultKey(), panel, reader)
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"client cryptogram", h.client[:], "FDE5D2F428EC16312471EA3C02BD7796"},
		{"server cryptogram", h.server[:], "26D3356E07762D262801FC8E6665A891"},
		{"first R-MAC", h.firstMAC[:], "B2A30057EB98BA2229EC1F875662B524"},
		{"S-MAC1", encrypted(h.session.mac1), encryptedBy(t, "5E86C676603BDEE2D8BEAFE178637332")},
		{"S-MAC2", encrypted(h.session.mac2), encryptedBy(t, "6FDA86E857777E81132035758239172E")},
		{"S-ENC", encrypted(h.session.enc), encryptedBy(t, "BF8DC2A8329ACB8C67C6D0CD9A451682")},
	} {
		if got := strings.ToUpper(hex.EncodeToString(c.got)); got != c.want {
			t.Errorf("%s is %s, want %s", c.name, got, c.want)
		}
	}
	for _, c := range []struct {
		cryptogram [16]byte
		key        Key
		want       bool
	}{{h.client, DefaultKey(), true}, {h.server, DefaultKey(), false}, {h.client, Key{1}, false}} {
		if _, ok := (Response{random: reader, cryptogram: c.cryptogram}).Prove(c.key, panel); ok != c.want {
			t.Errorf("cryptogram %X proves key: %t", c.cryptogram, ok)
		}
	}
	accepted := Frame{Reply: true, Code: replyRMAC, Block: Block{blockRMAC, []byte{ownKeyNo}}, Data: h.firstMAC[:]}
	if _, err := h.Start(accepted); err != nil {
		t.Error(err)
	}
	other, refused := accepted, accepted
	other.Data, refused.Block.Data = h.client[:], []byte{0xFF}
	if _, err := h.Start(other); !errors.Is(err, errMAC) {
		t.Errorf("another first R-MAC: %v", err)
	}
	if _, err := h.Start(refused); err == nil {
		t.Error("a refusal starts a session")
	}
}

// encrypted stands for the key of a cipher, which can't be asked for.
func encrypted(c cipher.Block) []byte {
	b := make([]byte, 16)
	c.Encrypt(b, b)
	return b
}

func encryptedBy(t *testing.T, key string) string {
	return strings.ToUpper(hex.EncodeToString(encrypted(newCipher(unhex(t, key)))))
}

// zeroSession is what OSDP.Net's tests use: all keys and the last MAC are zero.
func zeroSession() *Session {
	zero := newCipher(make([]byte, 16))
	return &Session{enc: zero, mac1: zero, mac2: zero}
}

// TestSealPublished: commands in a session with all keys zero, as OSDP.Net 5.1
// has them in its tests.
func TestSealPublished(t *testing.T) {
	for _, c := range []struct {
		code       byte
		data, want string
	}{
		{CmdComSet, "0180250000", "53-00-1E-00-0E-02-17-6E-AC-A3-C2-FF-E4-D9-E5-99-CD-77-1B-8E-F3-D1-3F-23-FA-AB-63-4E-08-95"},
		{CmdCap, "00", "53-00-1E-00-0E-02-17-62-D1-4E-B7-AD-98-2C-C5-F9-AA-25-31-8A-7E-AE-D6-26-0F-6A-2A-A7-38-70"},
		{CmdKeySet, "0110 0001020304050607 0001020304050607", "53-00-2E-00-0E-02-17-75-F0-DD-EC-9A-0E-D8-CE-4C-80-BA-F5-D5-5C-18-43-6F-91-89-FD-66-C9-F2-23-DC-04-14-86-D8-33-57-DF-98-6C-1D-4B-C2-B2-F2"},
		{CmdID, "00", "53-00-1E-00-0E-02-17-61-D1-4E-B7-AD-98-2C-C5-F9-AA-25-31-8A-7E-AE-D6-26-9A-E9-95-73-19-83"},
		{CmdIStat, "", "53-00-0E-00-0E-02-15-65-46-0E-3D-4E-2A-6A"},
		{CmdLStat, "", "53-00-0E-00-0E-02-15-64-6F-63-24-6F-D0-50"},
		{CmdOStat, "", "53-00-0E-00-0E-02-15-66-62-DE-05-16-12-4B"},
		{CmdPoll, "", "53-00-0E-00-0E-02-15-60-4B-32-76-77-73-B6"},
		{cmdOut, "0003640001067800", "53-00-1E-00-0E-02-17-68-F7-EF-A0-D4-76-4A-4E-29-26-75-96-F2-16-D8-A9-E8-C5-88-76-08-B9-08"},
	} {
		f := Frame{Sequence: 2, CRC: true, Code: c.code, Data: unhex(t, c.data)}
		got, err := zeroSession().Seal(nil, f, nil)
		if want := unhex(t, c.want); err != nil || !bytes.Equal(got, want) {
			t.Errorf("code %02X: %X, %v, want %X", c.code, got, err, want)
		}
	}
}

// peer computes MACs and encryption anew, by crypto/cipher's own CBC and with its
// own padding, from the words of the standard only.
type peer struct {
	enc, mac1, mac2 []byte
	last            []byte
}

func cbc(key, iv, b []byte) []byte {
	c, _ := aes.NewCipher(key)
	out := make([]byte, len(b))
	cipher.NewCBCEncrypter(c, iv).CryptBlocks(out, b)
	return out
}

func pad(b []byte) []byte {
	b = append(bytes.Clone(b), 0x80)
	return append(b, make([]byte, (16-len(b)%16)%16)...)
}

func (p *peer) sign(msg []byte) []byte {
	if len(msg)%16 != 0 {
		msg = pad(msg)
	}
	iv := p.last
	if n := len(msg) - 16; n > 0 {
		iv = cbc(p.mac1, iv, msg[:n])[n-16:]
	}
	p.last = cbc(p.mac2, iv, msg[len(msg)-16:])
	return p.last[:4]
}

func (p *peer) crypt(data []byte) []byte {
	iv := bytes.Clone(p.last)
	for i := range iv {
		iv[i] ^= 0xFF
	}
	return cbc(p.enc, iv, pad(data))
}

func (p *peer) decrypt(data []byte) []byte {
	iv := bytes.Clone(p.last)
	for i := range iv {
		iv[i] ^= 0xFF
	}
	c, _ := aes.NewCipher(p.enc)
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(c, iv).CryptBlocks(out, data)
	return out
}

// reply builds a secured reply.
func (p *peer) reply(f Frame, typ byte) []byte {
	f.Reply, f.CRC, f.Block = true, true, Block{Type: typ}
	if typ == blockCryptReply && len(f.Data) > 0 {
		f.Data = p.crypt(f.Data)
	}
	body, _ := f.appendBody(nil)
	f.MAC = [4]byte(p.sign(body))
	b, _ := f.Append(nil)
	return b
}

// drawSession draws both ends of one session.
func drawSession(t *rapid.T) (*Session, *peer) {
	key := func(name string) []byte { return rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name) }
	p := &peer{enc: key("enc"), mac1: key("mac1"), mac2: key("mac2"), last: key("last")}
	return &Session{enc: newCipher(p.enc), mac1: newCipher(p.mac1), mac2: newCipher(p.mac2), mac: [16]byte(p.last)}, p
}

// TestSessionAgrees: commands and replies of any length go through, both ways,
// with an end that computes everything anew.
func TestSessionAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, p := drawSession(t)
		for range 3 {
			f := drawFrame(t)
			f.Reply = false
			before := p.last
			wire, err := s.Seal(nil, f, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Parse(wire)
			if err != nil {
				t.Fatal(err)
			}
			if len(f.Data) > 0 && !bytes.Equal(p.decrypt(got.Data), pad(f.Data)) {
				t.Fatalf("%X decrypts wrong from %X", wire, before)
			}
			if !bytes.Equal(p.sign(got.signed), got.MAC[:]) {
				t.Fatalf("%X has a wrong MAC", wire)
			}
			data := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "reply")
			typ := byte(blockMACReply)
			if len(data) > 0 {
				typ = blockCryptReply
			}
			reply, err := Parse(p.reply(Frame{Code: 0x50, Data: data}, typ))
			if err != nil {
				t.Fatal(err)
			}
			if encrypted, err := s.Open(&reply); err != nil || !encrypted || !bytes.Equal(reply.Data, data) {
				t.Fatalf("reply of %X read as %X, %v", data, reply.Data, err)
			}
		}
	})
}

// TestOpenRefuses: no reply with any bit changed, and no old reply, is taken.
func TestOpenRefuses(t *testing.T) {
	keys := &peer{enc: make([]byte, 16), mac1: make([]byte, 16), mac2: make([]byte, 16), last: make([]byte, 16)}
	wire := keys.reply(Frame{Code: ReplyRaw, Data: unhex(t, "00 01 1A 00 11 22 33 40")}, blockCryptReply)
	body := wire[:len(wire)-2]
	for bit := range 8 * len(body) {
		bad := bytes.Clone(body)
		bad[bit/8] ^= 0x80 >> (bit % 8)
		f, err := Parse(Frame{CRC: true}.appendCheck(bad, 0))
		if err != nil || !f.Block.HasMAC() {
			continue
		}
		if _, err := zeroSession().Open(&f); err == nil {
			t.Errorf("bit %d changed is taken as % X", bit, f.Data)
		}
	}
	s := zeroSession()
	for n, want := range []error{nil, errMAC} {
		f, err := Parse(bytes.Clone(wire))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(&f); !errors.Is(err, want) {
			t.Errorf("time %d: %v, want %v", n+1, err, want)
		}
	}
}

func TestDecryptPadding(t *testing.T) {
	for _, c := range []struct {
		clear string
		want  string
		ok    bool
	}{
		{"80000000000000000000000000000000", "", true},
		{"00800000000000000000000000000000", "00", true},
		{"11223344556677889900AABBCCDDEE80", "11223344556677889900aabbccddee", true},
		{"00000000000000000000000000000000", "", false},
		{"11223344556677889900AABBCCDDEEFF", "", false},
		{"80000000000000000000000000000001", "", false},
		{"11223344556677889900AABBCCDDEE80" + "00000000000000000000000000000000", "", false},
	} {
		s := zeroSession()
		s.invert(s.mac)
		wire := cbc(make([]byte, 16), s.iv[:], unhex(t, c.clear))
		got, err := s.decrypt(wire, s.mac)
		if (err == nil) != c.ok || hex.EncodeToString(got) != c.want {
			t.Errorf("%s: %X, %v", c.clear, got, err)
		}
	}
	if _, err := zeroSession().decrypt(make([]byte, 17), [16]byte{}); !errors.Is(err, errPadding) {
		t.Errorf("17 bytes: %v", err)
	}
}

func TestWeakKeys(t *testing.T) {
	for _, weak := range []string{
		"303132333435363738393A3B3C3D3E3F", "00000000000000000000000000000000", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
		"000102030405060708090A0B0C0D0E0F", "0F0E0D0C0B0A09080706050403020100", "00112233445566778899AABBCCDDEEFF",
		"FEFF000102030405060708090A0B0C0D", "ABCDABCDABCDABCDABCDABCDABCDABCD", "01234567012345670123456701234567",
		"0123456789ABCDEF0123456789ABCDEF",
	} {
		if err := Key(unhex(t, weak)).Weak(); !errors.Is(err, ErrWeakKey) {
			t.Errorf("%s: %v", weak, err)
		} else if strings.Contains(err.Error(), weak[:8]) {
			t.Errorf("error tells the key: %v", err)
		}
	}
	if err := Key(unhex(t, "7A0C55E1930F4B2288D61CA97E3341B0")).Weak(); err != nil {
		t.Error(err)
	}
	if a, b := NewKey(), NewKey(); a == b || a.Weak() != nil {
		t.Error("fresh keys repeat or are weak")
	}
}

func TestKeyNeverPrints(t *testing.T) {
	k := Key(unhex(t, "7A0C55E1930F4B2288D61CA97E3341B0"))
	ks := struct{ Current *Key }{&k}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%d", "%q"} {
		fmt.Fprintf(&out, verb+verb, k, ks)
	}
	text, _ := k.MarshalText()
	out.Write(text)
	if s := strings.ToUpper(out.String()); strings.Contains(s, "7A0C") || strings.Contains(s, "122 12") {
		t.Errorf("printed: %s", s)
	}
}
