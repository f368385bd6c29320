package protocol

import (
	"bytes"
	"encoding/binary"
	"testing"

	"gatehouse/device"
)

// TestPayloads: what is taken and what is refused of each reply, and what is
// said of it.
func TestPayloads(t *testing.T) {
	for _, c := range []struct {
		name string
		code byte
		data string
		want string
	}{
		{"identity", replyPDID, "000EE3 10 10 00007497 230606", "vendor 00-0E-E3 model 16.16 serial 97740000 firmware 35.6.6"},
		{"identity too short", replyPDID, "000EE3 10 10 00007497 2306", "wrong length: PDID of 11 bytes, want 12"},
		{"identity too long", replyPDID, "000EE3 10 10 00007497 23060600", "wrong length: PDID of 13 bytes, want 12"},
		{"26 bits", ReplyRaw, "00 01 1A00 80FFC040", "card of 26 bits"},
		{"26 bits with rubbish behind", ReplyRaw, "00 01 1A00 80FFC07F", "card of 26 bits"},
		{"8 bits", ReplyRaw, "00 00 0800 5A", "card of 8 bits"},
		{"256 bits", ReplyRaw, "00 00 0001" + "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF", "card of 256 bits"},
		{"no bits", ReplyRaw, "00 01 0000", "wrong length: RAW says 0 bits and has 0 bytes"},
		{"more bits than bytes", ReplyRaw, "00 01 1A00 80FFC0", "wrong length: RAW says 26 bits and has 3 bytes"},
		{"more bytes than bits", ReplyRaw, "00 01 1A00 80FFC04000", "wrong length: RAW says 26 bits and has 5 bytes"},
		{"65535 bits", ReplyRaw, "00 01 FFFF 80FFC040", "wrong length: RAW says 65535 bits and has 4 bytes"},
		{"half a head", ReplyRaw, "00 01 1A", "wrong length: RAW of 3 bytes, want 4"},
		{"characters", ReplyFmt, "00 00 03 313233", "card of 24 bits"},
		{"characters that lie", ReplyFmt, "00 00 04 313233", "wrong length: FMT says 4 characters and has 3"},
		{"no characters", ReplyFmt, "00 00 00", "wrong length: FMT says 0 characters and has 0"},
		{"keys", ReplyKeypad, "00 04 3132330D", "4 keys"},
		{"keys that lie", ReplyKeypad, "00 05 3132330D", "wrong length: KEYPAD of 6 bytes"},
		{"status", ReplyLStat, "01 00", "tamper true, power failure false"},
		{"half a status", ReplyLStat, "01", "wrong length: LSTATR of 1 bytes, want 2"},
		{"address and speed", ReplyCom, "05 00C20100", "address 5, 115200 baud"},
		{"speed out of this world", ReplyCom, "05 FFFFFFFF", "address 5, 1073741824 baud"},
		{"refusal", ReplyNak, "06", "secure channel required"},
		{"refusal with more", ReplyNak, "0901", "record cannot be processed"},
		{"unknown refusal", ReplyNak, "77", "reason 119"},
		{"refusal without reason", ReplyNak, "", "wrong length: NAK of 0 bytes, want 1"},
	} {
		if got := (Frame{Reply: true, Code: c.code, Data: unhex(t, c.data)}).Explain(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestRawBits(t *testing.T) {
	card, err := parseRaw(unhex(t, "00 01 1A00 80FFC07F"))
	if err != nil || card != device.CardOf(0x80FFC07F>>6, 26) {
		t.Errorf("got %X, %v", card.Bytes(), err)
	}
	card, err = parseFmt(unhex(t, "00 01 03 313233"))
	if err != nil || !bytes.Equal(card.Bytes(), []byte("321")) {
		t.Errorf("backwards: %q, %v", card.Bytes(), err)
	}
}

func TestCapabilities(t *testing.T) {
	caps, err := Frame{Code: replyPDCap, Data: unhex(t, "040401 050201")}.Capabilities()
	if err != nil || len(caps) != 2 || caps[0] != (Capability{4, 4, 1}) || caps[1] != (Capability{5, 2, 1}) {
		t.Errorf("%v, %v", caps, err)
	}
	for _, n := range []int{1, 2, 4, 97, 99} {
		if caps, err := (Frame{Code: replyPDCap, Data: make([]byte, n)}).Capabilities(); err == nil {
			t.Errorf("%d bytes: %v", n, caps)
		}
	}
}

func TestKeyOf(t *testing.T) {
	for b := range 256 {
		want := byte(0)
		switch {
		case b >= '0' && b <= '9', b == '#', b == '*':
			want = byte(b)
		case b == 0x0D:
			want = '#'
		case b == 0x7F:
			want = '*'
		}
		if got := keyOf(byte(b)); got != want {
			t.Errorf("%02X is %q", b, got)
		}
	}
}

// FuzzPayloads: nothing panics, and what is accepted says the same when it is
// written again.
func FuzzPayloads(f *testing.F) {
	f.Add(unhex(f, "00011A0080FFC040"))
	f.Add(unhex(f, "000003313233"))
	f.Add(unhex(f, "000EE3101000007497230606"))
	f.Add(unhex(f, "0500C20100"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for code := range 256 {
			_ = Frame{Reply: true, Code: byte(code), Data: b}.Explain()
		}
		if card, err := parseRaw(b); err == nil {
			again := append(binary.LittleEndian.AppendUint16(bytes.Clone(b[:2]), uint16(card.Len())), card.Bytes()...)
			if !bytes.Equal(again[:len(b)-1], b[:len(b)-1]) {
				t.Fatalf("RAW %X written as %X", b, again)
			}
		}
		if i, err := (Frame{Code: replyPDID, Data: b}).Identity(); err == nil {
			again := append(i.Vendor[:len(i.Vendor):3], i.Model, i.Version)
			again = append(binary.LittleEndian.AppendUint32(again, i.Serial), i.Firmware[:]...)
			if !bytes.Equal(again, b) {
				t.Fatalf("PDID %X written as %X", b, again)
			}
		}
		if address, baud, err := (Frame{Data: b}).Com(); err == nil && baud < 1<<30 && !bytes.Equal(AppendComSet(nil, address, baud), b) {
			t.Fatalf("COM %X written as %X", b, AppendComSet(nil, address, baud))
		}
		if c, err := (Frame{Code: replyCCrypt, Block: Block{blockCCrypt, []byte{1}}, Data: b}).Response(); err == nil && !bytes.Equal(append(c.random[:], c.cryptogram[:]...), b[8:]) {
			t.Fatalf("CCRYPT %X read as %+v", b, c)
		}
		if caps, err := (Frame{Code: replyPDCap, Data: b}).Capabilities(); err == nil && len(caps)*3 != len(b) {
			t.Fatalf("PDCAP %X read as %v", b, caps)
		}
		if keys, err := (Frame{Reply: true, Code: ReplyKeypad, Data: b}).Keys(nil); err == nil && len(keys)+2 != len(b) {
			t.Fatalf("KEYPAD %X read as %X", b, keys)
		}
	})
}

func FuzzOpen(f *testing.F) {
	f.Add(unhex(f, "00000000"), unhex(f, "112233"))
	f.Fuzz(func(t *testing.T, mac, data []byte) {
		s := zeroSession()
		frame := Frame{Reply: true, Code: 0x50, Data: bytes.Clone(data), Block: Block{Type: blockCryptReply}, signed: data}
		copy(frame.MAC[:], mac)
		if len(data) == 0 {
			return
		}
		_, _ = s.Open(&frame)
		_, _ = s.decrypt(data, s.mac)
	})
}
