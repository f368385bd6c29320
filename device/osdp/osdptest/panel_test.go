package osdptest

import (
	"bytes"
	"cmp"
	"crypto/cipher"
	"errors"
	"os"
	"testing"
	"time"

	"gatehouse/device"
)

// panel is the other side, as little as these tests need: it asks and
// waits for the answer. Its secure channel is made of crypto/cipher alone.
type panel struct {
	t       testing.TB
	port    device.Port
	address byte
	number  byte
	sum     bool          // checksum rather than CRC
	patient time.Duration // how long it waits for a reply; 0: 200 ms
	scan    scanner
	sent    []byte // the last command

	up             bool
	enc, mac1      cipher.Block
	mac2           cipher.Block
	command, reply []byte // MACs
}

func (p *panel) next() {
	if p.number++; p.number > 3 {
		p.number = 1
	}
}

// ask sends a command with the next number and returns the reply's code and
// data; code 0 is silence.
func (p *panel) ask(code byte, data ...byte) (byte, []byte) {
	f := packet{address: p.address, sequence: p.number, crc: !p.sum, code: code, data: data}
	if p.up {
		f.block = blockCmdMAC
		if len(data) > 0 {
			f.block = blockCmdEnc
			f.data = append(append([]byte(nil), data...), 0x80)
			f.data = append(f.data, make([]byte, -len(f.data)&15)...)
			cipher.NewCBCEncrypter(p.enc, inverse(p.reply)).CryptBlocks(f.data, f.data)
		}
		b := f.begin(nil)
		p.command = p.mac(b, p.reply)
		return p.exchange(append(b, p.command[:4]...))
	}
	return p.exchange(f.begin(nil))
}

// exchange adds check characters, sends, and moves on to the next number.
func (p *panel) exchange(b []byte) (byte, []byte) {
	p.sent = appendCheck(b, !p.sum)
	f := p.repeat()
	p.next()
	return f.code, f.data
}

// repeat sends the last command (again) and takes the reply apart.
func (p *panel) repeat() packet {
	if _, err := p.port.Write(p.sent); err != nil {
		p.t.Fatal(err)
	}
	return p.listen(cmp.Or(p.patient, 200*time.Millisecond))
}

// listen waits for one good reply.
func (p *panel) listen(wait time.Duration) packet {
	p.t.Helper()
	if err := p.port.SetReadTimeout(wait); err != nil {
		p.t.Fatal(err)
	}
	var b [256]byte
	for {
		for raw := p.scan.next(); raw != nil; raw = p.scan.next() {
			if f, nak := parse(raw); nak == 0 && f.reply {
				return p.open(raw, f)
			}
		}
		n, err := p.port.Read(b[:])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			p.scan.silence()
			if len(p.scan.buf) > 0 {
				continue
			}
			return packet{}
		}
		if err != nil {
			p.t.Fatal(err)
		}
		p.scan.feed(b[:n])
	}
}

// open decrypts a reply of a session. A wrong MAC shows as the code 0xFF.
func (p *panel) open(raw []byte, f packet) packet {
	f.data = append([]byte(nil), f.data...)
	if f.block < blockCmdMAC {
		return f
	}
	reply := p.mac(raw[:f.signed], p.command)
	if !bytes.Equal(reply[:4], f.mac) {
		f.code = 0xFF
		return f
	}
	p.reply = reply
	if f.block == blockReplyEnc {
		cipher.NewCBCDecrypter(p.enc, inverse(p.command)).CryptBlocks(f.data, f.data)
		f.data = f.data[:bytes.LastIndexByte(f.data, 0x80)]
	}
	return f
}

// mac pads and chains: all blocks but the last under S-MAC1.
func (p *panel) mac(b, before []byte) []byte {
	b = append([]byte(nil), b...)
	if len(b)%16 != 0 {
		b = append(b, 0x80)
		b = append(b, make([]byte, -len(b)&15)...)
	}
	last := len(b) - 16
	cipher.NewCBCEncrypter(p.mac1, before).CryptBlocks(b[:last], b[:last])
	if last > 0 {
		before = b[last-16 : last]
	}
	cipher.NewCBCEncrypter(p.mac2, before).CryptBlocks(b[last:], b[last:])
	return b[last:]
}

func inverse(b []byte) []byte {
	out := append([]byte(nil), b...)
	for i := range out {
		out[i] ^= 0xFF
	}
	return out
}

// connect shakes hands under a key (0: the default one) from the number 0, and
// tells whether both proved it.
func (p *panel) connect(key [16]byte, which byte) bool {
	p.up, p.number = false, 0
	rndA := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	f := packet{address: p.address, crc: !p.sum, block: blockChallenge, key: which, code: 0x76, data: rndA}
	code, data := p.exchange(f.begin(nil))
	if code != 0x76 || len(data) != 32 {
		return false
	}
	base := newAES(key)
	derive := func(a, b byte) cipher.Block {
		x := append([]byte{a, b}, rndA[:6]...)
		x = append(x, make([]byte, 8)...)
		base.Encrypt(x, x)
		return newAES([16]byte(x))
	}
	p.enc, p.mac1, p.mac2 = derive(1, 0x82), derive(1, 1), derive(1, 2)
	proof, rndB := make([]byte, 16), data[8:16]
	p.enc.Encrypt(proof, append(append([]byte(nil), rndA...), rndB...))
	if !bytes.Equal(proof, data[16:]) {
		return false
	}
	server := make([]byte, 16)
	p.enc.Encrypt(server, append(append([]byte(nil), rndB...), rndA...))
	f = packet{address: p.address, sequence: p.number, crc: !p.sum, block: blockSCrypt, key: which, code: 0x77, data: server}
	code, data = p.exchange(f.begin(nil))
	p.reply = make([]byte, 16)
	p.mac1.Encrypt(p.reply, server)
	p.mac2.Encrypt(p.reply, p.reply)
	p.up = code == 0x78 && bytes.Equal(data, p.reply)
	return p.up
}
