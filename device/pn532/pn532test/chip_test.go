package pn532test_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device/pn532/pn532test"
)

// Frames of NXP's user manual UM0701-02, sections 6 and 7.
const (
	ack        = "\x00\x00\xFF\x00\xFF\x00"
	nack       = "\x00\x00\xFF\xFF\x00\x00"
	wake       = "\x55\x55\x00\x00\x00"
	sam        = "\x00\x00\xFF\x05\xFB\xD4\x14\x01\x14\x01\x02\x00"
	samDone    = "\x00\x00\xFF\x02\xFE\xD5\x15\x16\x00"
	version    = "\x00\x00\xFF\x02\xFE\xD4\x02\x2A\x00"
	is16       = "\x00\x00\xFF\x06\xFA\xD5\x03\x32\x01\x06\x07\xE8\x00"
	retries    = "\x00\x00\xFF\x06\xFA\xD4\x32\x05\xFF\x01\x02\xF3\x00"
	retriesSet = "\x00\x00\xFF\x02\xFE\xD5\x33\xF8\x00"
	list       = "\x00\x00\xFF\x04\xFC\xD4\x4A\x01\x00\xE1\x00"
	nobody     = "\x00\x00\xFF\x03\xFD\xD5\x4B\x00\xE0\x00"
	somebody   = "\x00\x00\xFF\x0C\xF4\xD5\x4B\x01\x01\x00\x04\x08\x04\x6B\x3D\x12\xD6\x3E\x00"
	refusal    = "\x00\x00\xFF\x01\xFF\x7F\x81\x00"
)

// play runs a chip in a synctest bubble; say sends bytes and returns what came
// within d.
func play(t *testing.T, f func(c *pn532test.Chip, say func(what string, d time.Duration) string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := pn532test.NewChip()
		p, err := c.Open()
		if err == nil {
			err = p.SetReadTimeout(0)
		}
		if err != nil {
			t.Fatal(err)
		}
		f(c, func(what string, d time.Duration) string {
			if _, err := p.Write([]byte(what)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(d)
			synctest.Wait()
			b := make([]byte, 4096)
			n, err := p.Read(b)
			if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			return string(b[:n])
		})
	})
}

func TestChip(t *testing.T) {
	const ms = time.Millisecond
	play(t, func(c *pn532test.Chip, say func(string, time.Duration) string) {
		for _, s := range []struct{ what, in, want string }{
			{"asleep", sam, ""},
			{"woken, but another command first", wake + version, ""},
			{"set up", sam, ack + samDone},
			{"firmware", version, ack + is16},
			{"again", nack, is16},
			{"damaged", strings.Replace(version, "\x2A", "\x2B", 1), nack},
			{"split and after noise", "\x00\x00\x01" + version, ack + is16},
			{"unknown command", "\x00\x00\xFF\x02\xFE\xD4\x98\x94\x00", ack + refusal},
			{"waits for a card for ever", list, ack},
			{"aborted", ack, ""},
			{"retries", retries, ack + retriesSet},
			{"no card", list, ack + nobody},
		} {
			if got := say(s.in, 500*ms); got != s.want {
				t.Errorf("%s: got % X, want % X", s.what, got, s.want)
			}
		}
		c.Present([]byte{0x6B, 0x3D, 0x12, 0xD6})
		if got := say(list, 500*ms); got != ack+somebody {
			t.Errorf("a card: % X", got)
		}
		if got := c.Commands(); !slices.Equal(got, []byte{0x14, 0x02, 0x02, 0x98, 0x4A, 0x32, 0x4A, 0x4A}) {
			t.Errorf("commands carried out: % X", got)
		}
		c.Reset()
		if got := say(list, 500*ms); got != "" {
			t.Errorf("after a reset: % X", got)
		}
	})
}

// TestPN532Waits: without retries set, the answer comes when a card does.
func TestWaits(t *testing.T) {
	play(t, func(c *pn532test.Chip, say func(string, time.Duration) string) {
		say(wake+sam, time.Second)
		if got := say(list, time.Minute); got != ack {
			t.Errorf("no card: % X", got)
		}
		c.Present([]byte{0x6B, 0x3D, 0x12, 0xD6})
		if got := say("", time.Second); got != somebody {
			t.Errorf("a card: % X", got)
		}
	})
}

func TestMishaps(t *testing.T) {
	const card = somebody
	for fault, want := range map[pn532test.Fault]string{
		pn532test.Deaf:     "",
		pn532test.Nack:     nack,
		pn532test.Silent:   ack,
		pn532test.Corrupt:  ack + card[:len(card)-3] + "\x96\x3E\x00",
		pn532test.Garbled:  ack + card[:len(card)-3] + "\x96\x3E\x00",
		pn532test.Refuse:   ack + refusal,
		pn532test.Extended: ack + "\x00\x00\xFF\xFF\xFF\x00\x0C\xF4" + card[5:],
		pn532test.Stale:    ack + "\x00\x00\xFF\x05\xFB\xD5\x41\x00\x08\x15\xCD\x00" + card,
		pn532test.Truncate: ack + card[:len(card)-4],
		pn532test.Length:   ack + strings.Replace(card, "\x08\x04\x6B\x3D\x12\xD6\x3E", "\x08\x07\x6B\x3D\x12\xD6\x3B", 1),
		pn532test.Dribble:  ack + card,
		pn532test.Brownout: "",
	} {
		play(t, func(c *pn532test.Chip, say func(string, time.Duration) string) {
			say(wake+sam+retries, time.Second)
			c.Present([]byte{0x6B, 0x3D, 0x12, 0xD6})
			c.Misbehave(fault)
			if got := say(list, time.Second); got != want {
				t.Errorf("fault %d: got % X, want % X", fault, got, want)
			}
			again := map[pn532test.Fault]string{pn532test.Corrupt: card}[fault]
			if got := say(nack, time.Second); again != "" && got != again {
				t.Errorf("fault %d, asked again: % X", fault, got)
			}
		})
	}
	play(t, func(c *pn532test.Chip, say func(string, time.Duration) string) {
		say(wake+sam+retries, time.Second)
		c.Misbehave(pn532test.Garbage)
		if got := say(list, time.Second); !strings.HasSuffix(got, ack+nobody) || len(got) < 20 {
			t.Errorf("garbage: % X", got)
		}
	})
}
