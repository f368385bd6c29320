package devicetest_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
)

// Frames of NXP's user manual UM0701-02, sections 6 and 7.
const (
	nfcAck      = "\x00\x00\xFF\x00\xFF\x00"
	nfcNack     = "\x00\x00\xFF\xFF\x00\x00"
	nfcWake     = "\x55\x55\x00\x00\x00"
	nfcSAM      = "\x00\x00\xFF\x05\xFB\xD4\x14\x01\x14\x01\x02\x00"
	nfcSAMDone  = "\x00\x00\xFF\x02\xFE\xD5\x15\x16\x00"
	nfcVersion  = "\x00\x00\xFF\x02\xFE\xD4\x02\x2A\x00"
	nfcIs16     = "\x00\x00\xFF\x06\xFA\xD5\x03\x32\x01\x06\x07\xE8\x00"
	nfcRetries  = "\x00\x00\xFF\x06\xFA\xD4\x32\x05\xFF\x01\x02\xF3\x00"
	nfcSet      = "\x00\x00\xFF\x02\xFE\xD5\x33\xF8\x00"
	nfcList     = "\x00\x00\xFF\x04\xFC\xD4\x4A\x01\x00\xE1\x00"
	nfcNobody   = "\x00\x00\xFF\x03\xFD\xD5\x4B\x00\xE0\x00"
	nfcSomebody = "\x00\x00\xFF\x0C\xF4\xD5\x4B\x01\x01\x00\x04\x08\x04\x6B\x3D\x12\xD6\x3E\x00"
	nfcError    = "\x00\x00\xFF\x01\xFF\x7F\x81\x00"
)

// nfc plays a chip in a synctest bubble; say sends bytes and returns what came
// within d.
func nfc(t *testing.T, f func(c *devicetest.PN532, say func(what string, d time.Duration) string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := devicetest.NewPN532()
		var p device.Port
		p, err := c.Open()
		if err != nil {
			t.Fatal(err)
		}
		f(c, func(what string, d time.Duration) string {
			if _, err := p.Write([]byte(what)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(d)
			synctest.Wait()
			return arrived(t, p)
		})
	})
}

func TestPN532(t *testing.T) {
	const ms = time.Millisecond
	nfc(t, func(c *devicetest.PN532, say func(string, time.Duration) string) {
		for _, s := range []struct{ what, in, want string }{
			{"asleep", nfcSAM, ""},
			{"woken, but another command first", nfcWake + nfcVersion, ""},
			{"set up", nfcSAM, nfcAck + nfcSAMDone},
			{"firmware", nfcVersion, nfcAck + nfcIs16},
			{"again", nfcNack, nfcIs16},
			{"damaged", strings.Replace(nfcVersion, "\x2A", "\x2B", 1), nfcNack},
			{"split and after noise", "\x00\x00\x01" + nfcVersion, nfcAck + nfcIs16},
			{"unknown command", "\x00\x00\xFF\x02\xFE\xD4\x98\x94\x00", nfcAck + nfcError},
			{"waits for a card for ever", nfcList, nfcAck},
			{"aborted", nfcAck, ""},
			{"retries", nfcRetries, nfcAck + nfcSet},
			{"no card", nfcList, nfcAck + nfcNobody},
		} {
			if got := say(s.in, 500*ms); got != s.want {
				t.Errorf("%s: got % X, want % X", s.what, got, s.want)
			}
		}
		c.Present([]byte{0x6B, 0x3D, 0x12, 0xD6})
		if got := say(nfcList, 500*ms); got != nfcAck+nfcSomebody {
			t.Errorf("a card: % X", got)
		}
		if got := c.Commands(); !slices.Equal(got, []byte{0x14, 0x02, 0x02, 0x98, 0x4A, 0x32, 0x4A, 0x4A}) {
			t.Errorf("commands carried out: % X", got)
		}
		c.Reset()
		if got := say(nfcList, 500*ms); got != "" {
			t.Errorf("after a reset: % X", got)
		}
	})
}

// TestPN532Waits: without retries set, the answer comes when a card does.
func TestPN532Waits(t *testing.T) {
	nfc(t, func(c *devicetest.PN532, say func(string, time.Duration) string) {
		say(nfcWake+nfcSAM, time.Second)
		if got := say(nfcList, time.Minute); got != nfcAck {
			t.Errorf("no card: % X", got)
		}
		c.Present([]byte{0x6B, 0x3D, 0x12, 0xD6})
		if got := say("", time.Second); got != nfcSomebody {
			t.Errorf("a card: % X", got)
		}
	})
}

func TestPN532Mishaps(t *testing.T) {
	const card = nfcSomebody
	for fault, want := range map[devicetest.PN532Fault]string{
		devicetest.PN532Deaf:     "",
		devicetest.PN532Nack:     nfcNack,
		devicetest.PN532Silent:   nfcAck,
		devicetest.PN532Corrupt:  nfcAck + card[:len(card)-3] + "\x96\x3E\x00",
		devicetest.PN532Garbled:  nfcAck + card[:len(card)-3] + "\x96\x3E\x00",
		devicetest.PN532Refuse:   nfcAck + nfcError,
		devicetest.PN532Extended: nfcAck + "\x00\x00\xFF\xFF\xFF\x00\x0C\xF4" + card[5:],
		devicetest.PN532Stale:    nfcAck + "\x00\x00\xFF\x05\xFB\xD5\x41\x00\x08\x15\xCD\x00" + card,
		devicetest.PN532Truncate: nfcAck + card[:len(card)-4],
		devicetest.PN532Length:   nfcAck + strings.Replace(card, "\x08\x04\x6B\x3D\x12\xD6\x3E", "\x08\x07\x6B\x3D\x12\xD6\x3B", 1),
		devicetest.PN532Dribble:  nfcAck + card,
		devicetest.PN532Brownout: "",
	} {
		nfc(t, func(c *devicetest.PN532, say func(string, time.Duration) string) {
			say(nfcWake+nfcSAM+nfcRetries, time.Second)
			c.Present([]byte{0x6B, 0x3D, 0x12, 0xD6})
			c.Misbehave(fault)
			if got := say(nfcList, time.Second); got != want {
				t.Errorf("fault %d: got % X, want % X", fault, got, want)
			}
			again := map[devicetest.PN532Fault]string{devicetest.PN532Corrupt: card}[fault]
			if got := say(nfcNack, time.Second); again != "" && got != again {
				t.Errorf("fault %d, asked again: % X", fault, got)
			}
		})
	}
	nfc(t, func(c *devicetest.PN532, say func(string, time.Duration) string) {
		say(nfcWake+nfcSAM+nfcRetries, time.Second)
		c.Misbehave(devicetest.PN532Garbage)
		if got := say(nfcList, time.Second); !strings.HasSuffix(got, nfcAck+nfcNobody) || len(got) < 20 {
			t.Errorf("garbage: % X", got)
		}
	})
}
