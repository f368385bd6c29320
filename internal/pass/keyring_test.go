package pass_test

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/internal/pass"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/qrpass"
)

// house is a standalone house with one tenancy for each of n cards.
type house struct {
	keys  *keyring.Keyring
	key   ed25519.PrivateKey
	whose []wire.ID
}

func newHouse(t testing.TB, n int) house {
	t.Helper()
	public, key, err := ed25519.GenerateKey(nil)
	must(t, err)
	building, err := keys.GenerateBuildingKey(1)
	must(t, err)
	keys := keys.Keys{Building: building, Issuers: []wire.Key{{Role: wire.RoleIssuer, Public: public}}}
	k, err := keyring.Open(keyring.Options{Dir: t.TempDir(), Building: "lane-7", Keys: keys, Log: zerolog.Nop()})
	must(t, err)
	t.Cleanup(func() { k.Close() })
	e, err := grantlist.NewEditor(grantlist.List{}, "lane-7", key, 0)
	must(t, err)
	h := house{keys: k, key: key}
	for i := range n {
		c := wire.CredentialID{0: 1}
		binary.BigEndian.PutUint64(c[1:], uint64(i)*0x9e3779b97f4a7c15)
		whose := wire.ID{1, byte(i), byte(i >> 8), byte(i >> 16)}
		_, err := e.Add(grantlist.NewGrant{Tenancy: whose, Kind: wire.GrantResident, Doors: []string{"front"}, Credentials: []wire.CredentialID{c}})
		must(t, err)
		h.whose = append(h.whose, whose)
	}
	u, err := e.Sign(time.Now())
	must(t, err)
	must(t, k.Apply(u))
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h house) pass(t testing.TB, id uint64, whose wire.ID, from int64) device.Code {
	t.Helper()
	p := qrpass.Pass{Tenancy: whose, From: uint32(from), Until: uint32(from) + 300}
	binary.BigEndian.PutUint64(p.ID[:], id)
	text, err := p.Sign("lane-7", 0, h.key)
	must(t, err)
	code, ok := device.NewCode(text)
	if !ok {
		t.Fatal("no code")
	}
	return code
}

// TestHouse: with the real keys and grants, a pass opens once, a changed one
// never.
func TestHouse(t *testing.T) {
	h := newHouse(t, 3)
	j, now := pass.Ago(h.keys, time.Hour), time.Now().Unix()
	code, q := h.pass(t, 1, h.whose[1], now), access.At(now)
	v := j.Decide(code, "front", q)
	if v.Reason != wire.ReasonGranted || *v.Who.Tenancy != h.whose[1] || v.Who.Grant == nil || !j.Use(v) {
		t.Fatalf("%s, %+v", v.Reason, v.Who)
	}
	if v := j.Decide(code, "front", q); v.Reason != wire.ReasonReplayed {
		t.Fatalf("again: %s", v.Reason)
	}
	if v := pass.New(h.keys).Decide(code, "front", q); v.Reason != wire.ReasonReplayed {
		t.Fatalf("after a restart: %s", v.Reason)
	}
	text := []byte(code.Text())
	for i := range text {
		for _, c := range []byte("A7*") {
			if was := text[i]; was != c {
				text[i] = c
				changed, _ := device.NewCode(string(text))
				if v := j.Decide(changed, "front", q); v.Reason != wire.ReasonBadCode || v.Who != (wire.Who{}) {
					t.Fatalf("letter %d changed: %s", i, v.Reason)
				}
				text[i] = was
			}
		}
	}
}

// BenchmarkDecide judges passes of random tenancies, signature and all. The
// limit beside it, in the same run, is the Ed25519 signature alone.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{100, 20_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := newHouse(b, n)
			now := time.Now().Unix()
			j := pass.Ago(h.keys, time.Hour)
			var codes []device.Code
			for i := range 64 {
				codes = append(codes, h.pass(b, uint64(i+1), h.whose[(i*7919)%n], now))
			}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				v := j.Decide(codes[i%len(codes)], "front", access.At(now))
				if v.Reason != wire.ReasonGranted {
					b.Fatal(v.Reason)
				}
				i++
			}
			ours := float64(b.Elapsed()) / float64(b.N)
			limit := bareSignature(b, h.key)
			b.ReportMetric(limit, "ns/bare-signature")
			b.ReportMetric(ours/limit, "x_signature")
		})
	}
}

func bareSignature(b *testing.B, key ed25519.PrivateKey) float64 {
	public, message := key.Public().(ed25519.PublicKey), make([]byte, 130)
	signature := ed25519.Sign(key, message)
	begin := time.Now()
	for range b.N {
		if !ed25519.Verify(public, message, signature) {
			b.Fatal("signature")
		}
	}
	return float64(time.Since(begin)) / float64(b.N)
}
