package keys

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/sync/wire"
)

func TestIdentifyGolden(t *testing.T) {
	id := goldenKey().Identify(h10301(t, 123, 4567))
	if got := hex.EncodeToString(id[:]); got != "019d234713d14783aa328555a69fbc4512" {
		t.Fatal(got)
	}
}

// TestIdentifyIsHMAC: the name of a card of any length is the standard HMAC of it, and takes no memory.
func TestIdentifyIsHMAC(t *testing.T) {
	for n := 1; n <= device.MaxCardBits; n++ {
		card := device.CardOf(0xfedcba9876543210, min(n, 64))
		for card.Len() < n {
			card, _ = card.Append(byte(card.Len() % 2))
		}
		k, err := GenerateBuildingKey(7)
		if err != nil {
			t.Fatal(err)
		}
		mac := hmac.New(sha256.New, k.secret[:])
		mac.Write(binary.BigEndian.AppendUint16(nil, uint16(n)))
		mac.Write(card.Bytes())
		if id := k.Identify(card); id[0] != 7 || !bytes.Equal(id[1:], mac.Sum(nil)[:16]) {
			t.Fatalf("%d bits: %x, want %x", n, id, mac.Sum(nil))
		}
	}
	k, card := goldenKey(), h10301(t, 123, 4567)
	if n := testing.AllocsPerRun(100, func() { k.Identify(card) }); n != 0 {
		t.Errorf("a name takes %v allocations", n)
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
		k, card := &Store{}, h10301(t, 1, 2)
		first := k.Anonymous(card)
		if first[0] != anonymousKey || first == (&Store{}).Anonymous(card) {
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

func BenchmarkIdentify(b *testing.B) {
	k, card := goldenKey(), h10301(b, 123, 4567)
	b.ReportAllocs()
	for b.Loop() {
		k.Identify(card)
	}
}
