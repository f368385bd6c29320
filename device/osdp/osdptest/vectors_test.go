package osdptest

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// spoken is the start of a real conversation on a line: an ID, a handshake
// under the default key, KEYSET, a handshake under the new key, CAP. Recorded by SIA's libosdp-conformance 1.38-4 as a monitor and
// published as sc-monitor-current.osdpcap. Neither side is ours.
var spoken = []struct{ command, reply string }{
	{"53 00 09 00 04 61 00 c0 66", "53 80 14 00 04 45 0a 00 17 03 00 ca fe de ed 01 50 02 04 3b"},
	{"53 00 13 00 0d 03 11 00 76 cd cd 92 12 12 d3 ee 6a 8c 8b", "53 80 2b 00 0d 03 12 00 76 0a 00 17 03 00 ca fe de 61 62 63 64 65 66 67 68 4b 7e 2f 98 ad 79 bd 96 81 19 a8 d1 d3 db da ee 8e fd"},
	{"53 00 1b 00 0e 03 13 00 77 a2 30 f5 d3 3b 25 f4 34 34 92 9a b2 08 de 90 a7 41 03", "53 80 1b 00 0e 03 14 01 78 d8 f5 43 e2 07 ac 5d 2e 30 be 9f ac 3a a0 4b ea 95 85"},
	{"53 00 2e 00 0f 02 17 75 ea 64 e3 51 74 e3 09 d6 6a d2 80 73 54 cd de 65 9e b5 22 6f 32 56 63 90 91 5e d7 79 87 bf 51 7c 41 25 ec 77 64 96", "53 80 0e 00 0f 02 16 40 b1 89 2d fe 52 95"},
	{"53 00 13 00 0d 03 11 01 76 63 6e 34 78 f7 08 5c 57 5c e0", "53 80 2b 00 0d 03 12 01 76 0a 00 17 03 00 ca fe de 61 62 63 64 65 66 67 68 59 7b 84 67 ad 2b 55 72 96 e1 23 4e 37 9d c3 11 2f 55"},
	{"53 00 1b 00 0e 03 13 01 77 db d8 cb 35 c8 11 88 cb dc f5 60 52 1e c8 44 69 35 64", "53 80 1b 00 0e 03 14 01 78 b1 e1 99 8a 99 22 92 28 c5 b1 1a 3d 39 22 cc 8d 65 f1"},
	{"53 00 1e 00 0f 02 17 62 4c bd ac e6 60 da 28 f9 08 0d 31 67 04 be 7a e0 3a e5 5c 71 97 fc", "53 80 3e 00 0f 02 18 46 d9 8f 68 df 2d 3b 69 a8 d0 e0 d7 ec 43 d9 b3 2e 2a be d1 f5 77 34 c4 ba a3 17 0b 80 63 90 35 88 c4 b2 bf 14 a7 20 36 1c 56 a2 ff 97 a6 f6 c7 a4 38 56 37 7d aa 32"},
}

// TestSpoken: in the place of the recorded reader ours says the same, byte
// for byte.
func TestSpoken(t *testing.T) {
	r := NewReader(Config{
		Vendor: [3]byte{0x0A, 0x00, 0x17}, Model: 3, Serial: 0xEDDEFECA, Firmware: [3]byte{0x01, 0x50, 0x02},
		Capabilities: []Capability{
			{1, 2, 8}, {2, 2, 16}, {3, 1, 0}, {4, 1, 1}, {5, 1, 0}, {6, 1, 1}, {8, 1, 0}, {9, 1, 1}, {10, 0, 3}, {11, 0, 3},
			{12, 0, 0}, {13, 0, 0}, {14, 0, 0}, {15, 0, 0}, {16, 2, 0},
		},
		Install: true, Rand: strings.NewReader("abcdefghabcdefgh"),
	})
	now := time.Now()
	for i, x := range spoken {
		now = now.Add(40 * time.Millisecond)
		sends := r.hear(unhex(t, x.command), now)
		if want := unhex(t, x.reply); len(sends) != 1 || !bytes.Equal(sends[0].data, want) {
			t.Fatalf("reply %d: % x\nwant % x", i, sends[0].data, want)
		}
	}
	if s := r.State(); !s.Secure || s.Default || s.Install || s.Key == nil || s.Sessions != 2 {
		t.Errorf("after KEYSET: %+v", s)
	}
}

// TestCheckCharacters: the examples of the specification.
func TestCheckCharacters(t *testing.T) {
	for _, s := range []string{"53 00 09 00 04 61 00 c0 66", "53 00 08 00 00 61 00 44"} {
		b := unhex(t, s)
		f, nak := parse(b)
		if nak != 0 || f.code != 0x61 || len(f.data) != 1 {
			t.Errorf("%s: NAK %d", s, nak)
		}
		if got := appendCheck(f.begin(nil), f.crc); !bytes.Equal(got, b) {
			t.Errorf("%s: encoded % x", s, got)
		}
	}
}

// FuzzFrame: no panic; what is accepted and canonical encodes to the same
// bytes; no part of it is accepted.
func FuzzFrame(f *testing.F) {
	for _, x := range spoken {
		f.Add(unhex(f, x.command))
		f.Add(unhex(f, x.reply))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s scanner
		s.feed(b)
		for s.next() != nil {
		}
		frame, nak := parse(b)
		if nak != 0 {
			return
		}
		for n := range b {
			if _, nak := parse(b[:n]); nak == 0 {
				t.Fatalf("accepts %d bytes of %d", n, len(b))
			}
		}
		size := 0
		switch {
		case frame.block >= blockCmdMAC:
			size = 2
		case frame.block >= blockChallenge:
			size = 3
		}
		if b[4]&0xF0 != 0 || b[4]&controlBlock != 0 && int(b[5]) != size || frame.key > 1 && size != 3 {
			return // legal to read, nothing that we would send
		}
		if got := appendCheck(append(frame.begin(nil), frame.mac...), frame.crc); !bytes.Equal(got, b) {
			t.Fatalf("encodes % x as % x", b, got)
		}
	})
}

// TestScanner: frames are found whatever stands before them and however
// they are split.
func TestScanner(t *testing.T) {
	good := unhex(t, "53 00 09 00 04 61 00 c0 66")
	for name, before := range map[string]string{
		"nothing": "", "mark": "ff", "noise": "00 ff 12", "a start that is none": "53 53 53", "a length of 0": "53 00 00 00 04",
		"a length of 65535": "53 00 ff ff 04", "wrong check characters": "53 00 09 00 04 61 00 c0 67", "a length that takes the next": "53 00 0c 00 04",
	} {
		b := append(unhex(t, before), good...)
		b = append(b, good...)
		for split := range b {
			var s scanner
			var found int
			look := func() {
				for frame := s.next(); frame != nil; frame = s.next() {
					if bytes.Equal(frame, good) {
						found++
					}
				}
			}
			for _, part := range [][]byte{b[:split], b[split:]} {
				s.feed(part)
				look()
			}
			for len(s.buf) > 0 {
				s.silence()
				look()
			}
			if found != 2 {
				t.Errorf("%s, split at %d: found %d", name, split, found)
			}
		}
	}
}

// TestExample: the secure channel and the check characters of the example
// in SIA OSDP, annex E.
func TestExample(t *testing.T) {
	panel, reader := unhex(t, "B0B1B2B3B4B5B6B7"), unhex(t, "A0A1A2A3A4A5A6A7")
	s := newSession(defaultKey(), 0, panel)
	proof := s.challenge(panel, reader)
	for what, x := range map[string]struct {
		got  []byte
		want string
	}{
		"client cryptogram": {proof[:], "FDE5D2F428EC16312471EA3C02BD7796"},
		"server cryptogram": {s.server[:], "26D3356E07762D262801FC8E6665A891"},
	} {
		if !bytes.Equal(x.got, unhex(t, x.want)) {
			t.Errorf("%s: %X", what, x.got)
		}
	}
	if !s.accept(unhex(t, "26D3356E07762D262801FC8E6665A891")) || !bytes.Equal(s.reply[:], unhex(t, "B2A30057EB98BA2229EC1F875662B524")) {
		t.Errorf("R-MAC-I: %X", s.reply)
	}
	comset := unhex(t, "537F0D00046E0080250000")
	if got := appendCheck(comset, true); !bytes.HasSuffix(got, unhex(t, "6E38")) {
		t.Errorf("CRC: % X", got)
	}
	comset[2], comset[4] = 0x0C, 0
	if got := appendCheck(comset, false); got[len(got)-1] != 0x0F {
		t.Errorf("checksum: % X", got)
	}
}
