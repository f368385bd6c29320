package keyring

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/device/wiegand"
	"gatehouse/sync/wire"
)

func h10301(t testing.TB, facility, number uint64) device.Card {
	t.Helper()
	f, _ := wiegand.Lookup("H10301")
	c, err := f.Encode(wiegand.Fields{Facility: facility, Card: number, HasFacility: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestIdentifyGolden(t *testing.T) {
	id := goldenKey().Identify(h10301(t, 123, 4567))
	if got := hex.EncodeToString(id[:]); got != "019d234713d14783aa328555a69fbc4512" {
		t.Fatal(got)
	}
}

// TestIdentifyTellsLengths: bits of the same bytes but another length are
// another card.
func TestIdentifyTellsLengths(t *testing.T) {
	seen := make(map[wire.CredentialID]bool)
	for n := 1; n <= 64; n++ {
		seen[goldenKey().Identify(device.CardOf(0, n))] = true
	}
	if len(seen) != 64 {
		t.Fatalf("%d of 64 lengths told apart", len(seen))
	}
}

func TestAnonymousLastsADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, card := &Keyring{}, h10301(t, 1, 2)
		first := k.Anonymous(card)
		if first[0] != anonymousKey || first == (&Keyring{}).Anonymous(card) {
			t.Fatal("not under a random key of number 255")
		}
		time.Sleep(dayLong - time.Second)
		if k.Anonymous(card) != first {
			t.Fatal("another id within a day")
		}
		time.Sleep(time.Second)
		if k.Anonymous(card) == first {
			t.Fatal("the same id on the next day")
		}
	})
}

func TestKeyPrintsNothing(t *testing.T) {
	k := goldenKey()
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%q"} {
		if s := fmt.Sprintf(verb, k); s != "building key 1" {
			t.Errorf("%s prints %q", verb, s)
		}
	}
}

func TestDerive(t *testing.T) {
	// 94,10637 is 0x5e298d; an EM4100 with these low 24 bits.
	em := device.CardOf(0x12005e298d, 40)
	forms := Derive(em)
	if len(forms) != 3 || forms[0] != em || forms[1] != h10301(t, 94, 10637) || forms[2].Len() != 34 || forms[2].Uint64(1, 32) != 0x005e298d {
		t.Fatalf("forms of an EM4100: %v", forms)
	}
	for _, c := range []device.Card{h10301(t, 94, 10637), forms[2], device.CardOf(1, 64)} {
		if got := Derive(c); len(got) != 1 || got[0] != c {
			t.Errorf("%v makes %v", c, got)
		}
	}
}

func TestParsePrinted(t *testing.T) {
	w26, w34 := h10301(t, 94, 10637), Derive(device.CardOf(0x5e298d, 40))[2]
	for _, c := range []struct {
		form, number string
		want         []device.Card
	}{
		{"3+5D", "094,10637", []device.Card{w26}},
		{"3+5d", "094,10637", []device.Card{w26}},
		{"8D", "06171021", []device.Card{w26}},
		{"10D", "0006171021", []device.Card{w34, w26}},
		{"10D-reversed", "2368298496", []device.Card{w34}},
	} {
		got, err := ParsePrinted(c.number, c.form)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", c.form, err)
		}
	}
	for _, c := range [][2]string{
		{"3+5D", "94,10637"}, {"3+5D", "09410637"}, {"3+5D", "256,10637"}, {"3+5D", "094,65536"}, {"3+5D", "094, 1063"},
		{"8D", "6171021"}, {"8D", "16777216"}, {"8D", "+6171021"}, {"8D", "0617102a"}, {"8D", "０６１７１０２１"},
		{"10D", "4294967296"}, {"10D", "00061710210"}, {"10D", ""}, {"10D-reversed", "9999999999"},
		{"decimal", "0006171021"}, {"", "0006171021"},
	} {
		if got, err := ParsePrinted(c[1], c[0]); err == nil {
			t.Errorf("%s took a bad number: %v", c[0], got)
		} else if c[1] != "" && strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s repeats the number: %v", c[0], err)
		}
	}
}

func BenchmarkIdentify(b *testing.B) {
	k, card := goldenKey(), h10301(b, 123, 4567)
	b.ReportAllocs()
	for b.Loop() {
		k.Identify(card)
	}
}
