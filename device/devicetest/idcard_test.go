package devicetest_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf16"

	"gatehouse/device"
	"gatehouse/device/devicetest"
)

func idHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString("aaaaaa9669" + strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var idPerson = devicetest.IDCard{Kind: devicetest.IDCardCitizen, Name: "测试甲", Number: "440000199003071236", From: "20200101", Until: "长期"}

// Frames of the protocol's description.
const (
	idFind, idSelect, idRead, idFinger = "00 03 20 01 22", "00 03 20 02 21", "00 03 30 01 32", "00 03 30 10 23"
	idFound, idNone                    = "00 08 00 00 9F 00 00 00 00 97", "00 04 00 00 80 84"
	idTaken, idNotTaken                = "00 0C 00 00 90 00 00 00 00 00 00 00 00 9C", "00 04 00 00 81 85"
)

// idAsk writes a command and returns what has come by then.
func idAsk(t testing.TB, p *devicetest.IDCardPort, command []byte) []byte {
	t.Helper()
	if _, err := p.Write(command); err != nil {
		t.Fatal(err)
	}
	if err := p.SetReadTimeout(0); err != nil {
		t.Fatal(err)
	}
	out := make([]byte, 4096)
	n, _ := p.Read(out)
	return out[:n]
}

// TestIDCardModule: the published exchanges, byte by byte.
func TestIDCardModule(t *testing.T) {
	m := devicetest.NewIDCardModule(1)
	p := devicetest.NewIDCardPort(m, 0)
	for _, c := range []struct {
		name, command, reply string
		act                  func()
	}{
		{"no card", idFind, idNone, nil},
		{"nothing to select", idSelect, idNotTaken, nil},
		{"nothing to read", idRead, "00 04 00 00 41 45", nil},
		{"status", "00 03 11 FF ED", "00 04 00 00 90 94", nil},
		{"a card", idFind, idFound, func() { m.Place(idPerson) }},
		{"select", idSelect, idTaken, nil},
		{"new address", "00 03 30 03 30", "00 04 00 00 91 95", nil},
		{"RF bytes", "00 04 61 FF 50 CA", "00 04 00 00 90 94", nil},
		{"no such command", "00 03 77 01 75", "00 04 00 00 21 25", nil},
		{"wrong checksum, as one maker ships it", "00 03 20 01 21", "00 04 00 00 10 14", nil},
		{"over-long", "FF 03 20 01 22", "00 04 00 00 11 15", nil},
		{"too short", "00 01 20", "00 04 00 00 11 15", nil},
		{"half a command", "00 03 20", "", nil},
	} {
		if c.act != nil {
			c.act()
		}
		var want []byte
		if c.reply != "" {
			want = idHex(t, c.reply)
		}
		if got := idAsk(t, p, idHex(t, c.command)); !bytes.Equal(got, want) {
			t.Errorf("%s: %X", c.name, got)
		}
	}
}

// TestIDCardRead: sizes and places of a read's reply, and that the card is not
// found again until it is taken off.
func TestIDCardRead(t *testing.T) {
	m := devicetest.NewIDCardModule(1)
	p := devicetest.NewIDCardPort(m, 0)
	for command, want := range map[string][2]int{idRead: {1295, 14}, idFinger: {1297 + 512, 16}} {
		card := idPerson
		card.Fingers = 512
		m.Place(card)
		idAsk(t, p, idHex(t, idFind))
		idAsk(t, p, idHex(t, idSelect))
		got := idAsk(t, p, idHex(t, command))
		if len(got) != want[0] || got[9] != 0x90 || !bytes.Equal(got[want[1]:want[1]+256], card.Text()) {
			t.Fatalf("%s: %d bytes", command, len(got))
		}
		xor := byte(0)
		for _, b := range got[5:] {
			xor ^= b
		}
		if xor != 0 || int(got[5])<<8+int(got[6]) != len(got)-7 {
			t.Errorf("%s: length %X, XOR %X", command, got[5:7], xor)
		}
		if again := idAsk(t, p, idHex(t, idFind)); !bytes.Equal(again, idHex(t, idNone)) {
			t.Errorf("the same card is found again: %X", again)
		}
		m.Remove()
	}
}

// TestIDCardText: where the fields stand, counted out by hand.
func TestIDCardText(t *testing.T) {
	english := "TESTPERSON WITH A NAME OF MORE THAN 35 LETTERS"
	for _, c := range []struct {
		card  devicetest.IDCard
		at    map[int]string
		blank []int
	}{
		{idPerson, map[int]string{0: "测试甲" + strings.Repeat(" ", 12), 36: "19900307", 122: "440000199003071236", 188: "20200101", 204: "长期      ", 248: " "}, nil},
		{devicetest.IDCard{Kind: 'J', Name: "测", Number: "810000190003070018", Until: "20250101"}, map[int]string{122: "810000190003070018", 220: "H00000000", 248: "J"}, nil},
		{devicetest.IDCard{Kind: 'I', Name: "测", English: english, Number: "ZZZ440090030701", Until: "20250101"},
			map[int]string{0: english + " ", 122: "ZZZ440090030701", 158: "测 ", 204: "20250101", 248: "I"}, nil},
		{devicetest.IDCard{Kind: 'Y', English: english, Number: "944000199003070010", Until: "20340101"},
			map[int]string{0: " ", 52: english[:35], 122: "944000199003070010", 220: english[35:46], 242: "ZZZ", 248: "Y"}, nil},
	} {
		text := c.card.Text()
		if len(text) != 256 {
			t.Fatalf("%d bytes", len(text))
		}
		for at, want := range c.at {
			var got []uint16
			for i := range utf16.Encode([]rune(want)) {
				got = append(got, uint16(text[at+2*i])|uint16(text[at+2*i+1])<<8)
			}
			if string(utf16.Decode(got)) != want {
				t.Errorf("%c at %d: %q", c.card.Kind, at, string(utf16.Decode(got)))
			}
		}
	}
}

// TestIDCardFaults: what each of them does to the bytes.
func TestIDCardFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := devicetest.NewIDCardModule(1)
		p := devicetest.NewIDCardPort(m, 0)
		ask := func(f devicetest.IDCardFaults, command string, wait time.Duration) []byte {
			m.Misbehave(f)
			now := idAsk(t, p, idHex(t, command))
			time.Sleep(wait)
			out := make([]byte, 4096)
			n, _ := p.Read(out)
			return append(now, out[:n]...)
		}
		found := idHex(t, idFound)
		m.Place(idPerson)
		if got := ask(devicetest.IDCardFaults{Delay: time.Second}, idFind, 0); len(got) != 0 {
			t.Errorf("at once: %X", got)
		}
		time.Sleep(2 * time.Second)
		if got := ask(devicetest.IDCardFaults{Split: true}, idFind, time.Second); !bytes.Equal(got, append(slices.Clone(found), found...)) {
			t.Errorf("late one and split one: %X", got)
		}
		if got := ask(devicetest.IDCardFaults{Noise: 9}, idFind, 0); len(got) != 9+len(found) || !bytes.HasSuffix(got, found) {
			t.Errorf("noise: %X", got)
		}
		if got := ask(devicetest.IDCardFaults{WrongCheck: 1}, idFind, 0); len(got) != len(found) || bytes.Equal(got, found) {
			t.Errorf("wrong checksum: %X", got)
		}
		if got := ask(devicetest.IDCardFaults{LongLength: 1}, idFind, 0); got[5] != 0x80 {
			t.Errorf("over-long: %X", got)
		}
		if got := ask(devicetest.IDCardFaults{Silent: true}, idFind, time.Minute); len(got) != 0 {
			t.Errorf("silent: %X", got)
		}
		ask(devicetest.IDCardFaults{}, idSelect, 0)
		if got := ask(devicetest.IDCardFaults{PullAt: 100}, idRead, time.Minute); len(got) != 100 {
			t.Errorf("pulled: %d bytes", len(got))
		}
		if got := ask(devicetest.IDCardFaults{}, idFind, 0); !bytes.Equal(got, idHex(t, idNone)) {
			t.Errorf("it is still there: %X", got)
		}
		m.Place(idPerson)
		ask(devicetest.IDCardFaults{}, idFind, 0)
		ask(devicetest.IDCardFaults{}, idSelect, 0)
		if got := ask(devicetest.IDCardFaults{Reboot: 2 * time.Second}, idRead, time.Second); len(got) != 1295/2 {
			t.Errorf("starting again: %d bytes", len(got))
		}
		if got := ask(devicetest.IDCardFaults{}, idFind, 0); len(got) != 0 {
			t.Errorf("not deaf: %X", got)
		}
		time.Sleep(2 * time.Second)
		if got := ask(devicetest.IDCardFaults{}, idFind, 0); !bytes.HasSuffix(got, found) {
			t.Errorf("not back: %X", got)
		}
		p = devicetest.NewIDCardPort(m, 7)
		if got := idAsk(t, p, idHex(t, idFind)); !bytes.Equal(got, found[:7]) {
			t.Errorf("unplugged: %X", got)
		}
		if _, err := p.Write([]byte{0}); !errors.Is(err, device.ErrUnplugged) {
			t.Errorf("write: %v", err)
		}
	})
}

// TestIDCardTTY: on a terminal, with the port that the desk uses.
func TestIDCardTTY(t *testing.T) {
	m := devicetest.NewIDCardModule(1)
	tty, err := devicetest.NewIDCardTTY(m, filepath.Join(t.TempDir(), "idcard"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- tty.Run(t.Context()) }()
	m.Place(idPerson)
	m.Misbehave(devicetest.IDCardFaults{Split: true})
	p := openPort(t, tty.Path())
	for _, c := range [][2]string{{idFind, idFound}, {idSelect, idTaken}} {
		if _, err := p.Write(idHex(t, c[0])); err != nil {
			t.Fatal(err)
		}
		wantBytes(t, p, string(idHex(t, c[1])))
	}
	if err := tty.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Errorf("pulled out: %v", err)
	}
}
