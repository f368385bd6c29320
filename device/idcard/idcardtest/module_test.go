package idcardtest_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf16"

	"gatehouse/device"
	"gatehouse/device/idcard/idcardtest"
	"gatehouse/device/uart"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString("aaaaaa9669" + strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var person = idcardtest.Card{Kind: idcardtest.Citizen, Name: "测试甲", Number: "440000199003071236", From: "20200101", Until: "长期"}

// Frames of the protocol's description.
const (
	find, sel, read, readFingers = "00 03 20 01 22", "00 03 20 02 21", "00 03 30 01 32", "00 03 30 10 23"
	found, none                  = "00 08 00 00 9F 00 00 00 00 97", "00 04 00 00 80 84"
	selected, notSelected        = "00 0C 00 00 90 00 00 00 00 00 00 00 00 9C", "00 04 00 00 81 85"
)

func open(t testing.TB, m *idcardtest.Module) device.Port {
	t.Helper()
	p, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ask writes a command and returns what has come by then.
func ask(t testing.TB, p device.Port, command []byte) []byte {
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

// TestModule: the published exchanges, byte by byte.
func TestModule(t *testing.T) {
	m := idcardtest.NewModule(1)
	p := open(t, m)
	for _, c := range []struct {
		name, command, reply string
		act                  func()
	}{
		{"no card", find, none, nil},
		{"nothing to select", sel, notSelected, nil},
		{"nothing to read", read, "00 04 00 00 41 45", nil},
		{"status", "00 03 11 FF ED", "00 04 00 00 90 94", nil},
		{"a card", find, found, func() { m.Place(person) }},
		{"select", sel, selected, nil},
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
			want = unhex(t, c.reply)
		}
		if got := ask(t, p, unhex(t, c.command)); !bytes.Equal(got, want) {
			t.Errorf("%s: %X", c.name, got)
		}
	}
}

// TestRead: sizes and places of a read's reply, and that the card is not
// found again until it is taken off.
func TestRead(t *testing.T) {
	m := idcardtest.NewModule(1)
	p := open(t, m)
	for command, want := range map[string][2]int{read: {1295, 14}, readFingers: {1297 + 512, 16}} {
		card := person
		card.Fingers = 512
		m.Place(card)
		ask(t, p, unhex(t, find))
		ask(t, p, unhex(t, sel))
		got := ask(t, p, unhex(t, command))
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
		if again := ask(t, p, unhex(t, find)); !bytes.Equal(again, unhex(t, none)) {
			t.Errorf("the same card is found again: %X", again)
		}
		m.Remove()
	}
}

// TestText: where the fields stand, counted out by hand.
func TestText(t *testing.T) {
	english := "TESTPERSON WITH A NAME OF MORE THAN 35 LETTERS"
	for _, c := range []struct {
		card  idcardtest.Card
		at    map[int]string
		blank []int
	}{
		{person, map[int]string{0: "测试甲" + strings.Repeat(" ", 12), 36: "19900307", 122: "440000199003071236", 188: "20200101", 204: "长期      ", 248: " "}, nil},
		{idcardtest.Card{Kind: 'J', Name: "测", Number: "810000190003070018", Until: "20250101"}, map[int]string{122: "810000190003070018", 220: "H00000000", 248: "J"}, nil},
		{idcardtest.Card{Kind: 'I', Name: "测", English: english, Number: "ZZZ440090030701", Until: "20250101"},
			map[int]string{0: english + " ", 122: "ZZZ440090030701", 158: "测 ", 204: "20250101", 248: "I"}, nil},
		{idcardtest.Card{Kind: 'Y', English: english, Number: "944000199003070010", Until: "20340101"},
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

// TestFaults: what each of them does to the bytes.
func TestFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := idcardtest.NewModule(1)
		p := open(t, m)
		askWith := func(f idcardtest.Faults, command string, wait time.Duration) []byte {
			m.Misbehave(f)
			now := ask(t, p, unhex(t, command))
			time.Sleep(wait)
			out := make([]byte, 4096)
			n, _ := p.Read(out)
			return append(now, out[:n]...)
		}
		found := unhex(t, found)
		m.Place(person)
		if got := askWith(idcardtest.Faults{Delay: time.Second}, find, 0); len(got) != 0 {
			t.Errorf("at once: %X", got)
		}
		time.Sleep(2 * time.Second)
		if got := askWith(idcardtest.Faults{Split: true}, find, time.Second); !bytes.Equal(got, append(slices.Clone(found), found...)) {
			t.Errorf("late one and split one: %X", got)
		}
		if got := askWith(idcardtest.Faults{Noise: 9}, find, 0); len(got) != 9+len(found) || !bytes.HasSuffix(got, found) {
			t.Errorf("noise: %X", got)
		}
		if got := askWith(idcardtest.Faults{WrongCheck: 1}, find, 0); len(got) != len(found) || bytes.Equal(got, found) {
			t.Errorf("wrong checksum: %X", got)
		}
		if got := askWith(idcardtest.Faults{LongLength: 1}, find, 0); got[5] != 0x80 {
			t.Errorf("over-long: %X", got)
		}
		if got := askWith(idcardtest.Faults{Silent: true}, find, time.Minute); len(got) != 0 {
			t.Errorf("silent: %X", got)
		}
		askWith(idcardtest.Faults{}, sel, 0)
		if got := askWith(idcardtest.Faults{PullAt: 100}, read, time.Minute); len(got) != 100 {
			t.Errorf("pulled: %d bytes", len(got))
		}
		if got := askWith(idcardtest.Faults{}, find, 0); !bytes.Equal(got, unhex(t, none)) {
			t.Errorf("it is still there: %X", got)
		}
		m.Place(person)
		askWith(idcardtest.Faults{}, find, 0)
		askWith(idcardtest.Faults{}, sel, 0)
		if got := askWith(idcardtest.Faults{Reboot: 2 * time.Second}, read, time.Second); len(got) != 1295/2 {
			t.Errorf("starting again: %d bytes", len(got))
		}
		if got := askWith(idcardtest.Faults{}, find, 0); len(got) != 0 {
			t.Errorf("not deaf: %X", got)
		}
		time.Sleep(2 * time.Second)
		if got := askWith(idcardtest.Faults{}, find, 0); !bytes.HasSuffix(got, found) {
			t.Errorf("not back: %X", got)
		}
		m.Misbehave(idcardtest.Faults{UnplugAt: 7})
		if got := ask(t, p, unhex(t, find)); !bytes.Equal(got, found[:7]) {
			t.Errorf("unplugged: %X", got)
		}
		if _, err := p.Write([]byte{0}); !errors.Is(err, device.ErrUnplugged) {
			t.Errorf("write: %v", err)
		}
	})
}

// TestOnTerminal: with the port that the desk uses.
func TestOnTerminal(t *testing.T) {
	m, err := idcardtest.NewTerminal(filepath.Join(t.TempDir(), "idcard"), 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	m.Place(person)
	m.Misbehave(idcardtest.Faults{Split: true})
	p, err := uart.Open(device.PortConfig{Path: m.Path(), Baud: 115200})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.SetReadTimeout(time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{find, found}, {sel, selected}} {
		if _, err := p.Write(unhex(t, c[0])); err != nil {
			t.Fatal(err)
		}
		want := unhex(t, c[1])
		got := make([]byte, len(want))
		if _, err := io.ReadFull(p, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("read %X, %v", got, err)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("run: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
