package wire

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func samplePlace() Place { return Place{"north", "xin", "house-1", "gate-1"} }

func TestTopics(t *testing.T) {
	p := samplePlace()
	for _, c := range []struct{ topic, want, dir, kind string }{
		{p.Up(TypeBatch), "gatehouse/v1/north/xin/house-1/gate-1/up/batch", DirUp, "batch"},
		{p.Down(TypeAck), "gatehouse/v1/north/xin/house-1/gate-1/down/ack", DirDown, "ack"},
		{p.Status(), "gatehouse/v1/north/xin/house-1/gate-1/status", DirStatus, ""},
		{p.House("gate-1"), "gatehouse/v1/north/xin/house-1/house/gate-1", HouseLevel, ""},
	} {
		if c.topic != c.want {
			t.Errorf("%s, want %s", c.topic, c.want)
		}
		got, dir, kind, err := ParseTopic(c.topic)
		if err != nil || got != p || dir != c.dir || kind != c.kind {
			t.Errorf("%s: %+v %s %s, %v", c.topic, got, dir, kind, err)
		}
	}
	if p.Address() != "house-1/gate-1" || !ValidAddress(p.Address()) || ValidAddress("a/b/c") || ValidAddress("") || ValidAddress("a/") {
		t.Error("addresses")
	}
	for _, bad := range []string{"", "gatehouse/v1", "gatehouse/v2/a/b/c/d/status", "gatehouse/v1/a/b/c/d", "gatehouse/v1/a/b/c/d/up", "gatehouse/v1/a/b/c/d/up/x/y",
		"gatehouse/v1/a/b/c/d/side/x", "gatehouse/v1/a/b/c/d/up/+", "gatehouse/v1/a/b/c/house/up/x", "gatehouse/v1/a/b/c/house/house", "gatehouse/v1/A/b/c/d/status",
		"gatehouse/v1//b/c/d/status", "gatehouse/v1/a/b/c/d/status/x", "gatehouse/v1/a/b/c/house/+"} {
		if _, _, _, err := ParseTopic(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseTopic(f *testing.F) {
	p := samplePlace()
	for _, seed := range []string{p.Up("hello"), p.Down("+"), p.Status(), p.House("gate-2"), p.House("+")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, topic string) {
		p, dir, kind, err := ParseTopic(topic)
		if err != nil {
			return
		}
		again := map[string]string{DirUp: p.Up(kind), DirDown: p.Down(kind), DirStatus: p.Status(), HouseLevel: p.House(p.Gateway)}[dir]
		if again != topic || p.Check() != nil {
			t.Fatalf("%q is read as %+v %s %s", topic, p, dir, kind)
		}
	})
}

func TestToken(t *testing.T) {
	token := sampleToken()
	text, err := token.Text()
	if err != nil || !strings.HasPrefix(text, "GH2-") {
		t.Fatalf("%s: %v", text, err)
	}
	old, err := token.OldText()
	if err != nil || !strings.HasPrefix(old, "GH1-") {
		t.Fatalf("%s: %v", old, err)
	}
	checkTokenText(t, text)
	checkTokenText(t, old)
	if _, err := ParseToken("GH1-" + text[4:]); !errors.Is(err, ErrMalformed) {
		t.Error("the check is read as the end of an old token")
	}
}

// TestMistypedToken: one wrong character anywhere, and two neighbours that changed places, are
// refused as mistyped.
func TestMistypedToken(t *testing.T) {
	text, err := sampleToken().Text()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.IntRange(0, len(text)-2).Draw(t, "at")
		letter := rapid.SampledFrom([]byte("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")).Draw(t, "letter")
		for _, slipped := range []string{text[:at] + string(letter) + text[at+1:], text[:at] + text[at+1:at+2] + text[at:at+1] + text[at+2:]} {
			if _, err := ParseToken(slipped); slipped != text && (!errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "it is mistyped")) {
				t.Fatalf("%s: %v", slipped, err)
			}
		}
	})
}

func checkTokenText(t *testing.T, text string) {
	t.Helper()
	token := sampleToken()
	for _, typed := range []string{text, strings.ToLower(text), " " + text[:30] + "\r\n\t" + text[30:] + "\n"} {
		if got, err := ParseToken(typed); err != nil || got != token || got.At() != samplePlace() {
			t.Errorf("%+v, %v", got, err)
		}
	}
	for n := range len(text) {
		if _, err := ParseToken(text[:n]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("accepted the first %d of %d characters: %v", n, len(text), err)
		}
	}
	for name, bad := range map[string]string{"prefix": "GH3-" + text[4:], "character": text[:20] + "1" + text[21:], "more": text + "A", "padding": text + "="} {
		if _, err := ParseToken(bad); !errors.Is(err, ErrMalformed) || strings.Contains(err.Error(), text[6:16]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	text, err := sampleToken().Text()
	if err != nil {
		f.Fatal(err)
	}
	old, err := sampleToken().OldText()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(old)
	f.Fuzz(func(t *testing.T, typed string) {
		token, err := ParseToken(typed)
		if err != nil {
			return
		}
		text, err := token.Text()
		old, oldErr := token.OldText()
		if typed = strings.ToUpper(strings.Join(strings.Fields(typed), "")); err != nil || oldErr != nil || typed != text && typed != old {
			t.Fatalf("accepted what is not its one spelling: %v", err)
		}
	})
}

// TestEnrolProof: a proof holds for one request and one secret, and the envelope
// only by the key in it and for its address.
func TestEnrolProof(t *testing.T) {
	r, secret := sampleEnrol(t), sampleToken().Secret
	if !r.Proved(secret) || r.Proved([16]byte{}) || with(r, func(r *EnrolRequest) { r.KEM = seq(9, 32) }).Proved(secret) {
		t.Error("proof")
	}
	payload, err := Encode(r)
	must(t, payload, err)
	sign := func(kind string, key ed25519.PrivateKey) []byte {
		b, err := Sign(Protected{Type: kind, Role: RoleGateway, Address: "house-1/gate-1"}, payload, key)
		return must(t, b, err)
	}
	good := sign(TypeEnrol, testKey())
	if got, err := OpenEnrol(good, "house-1/gate-1"); err != nil || got.Proof != r.Proof {
		t.Errorf("%v", err)
	}
	for name, c := range map[string]struct {
		envelope []byte
		address  string
		want     error
	}{
		"another key":     {sign(TypeEnrol, otherKey()), "house-1/gate-1", ErrUnknownKey},
		"another address": {good, "house-1/gate-2", ErrWrongAddress},
		"another type":    {sign(TypeRenew, testKey()), "house-1/gate-1", ErrWrongType},
		"signature":       {append(bytes.Clone(good[:len(good)-1]), good[len(good)-1]^1), "house-1/gate-1", ErrBadSignature},
		"no envelope":     {payload, "house-1/gate-1", ErrMalformed},
	} {
		if got, err := OpenEnrol(c.envelope, c.address); !errors.Is(err, c.want) || got.KEM != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAuthority(t *testing.T) {
	trust, house := sampleTrust(), sampleHouse()
	if k := trust.Keyset(RoleIssuer); len(k) != 1 || k[0].Epoch != 1 || !bytes.Equal(k[0].Public, seq(5, 32)) || len(trust.Keyset(RoleOffice)) != 0 {
		t.Errorf("keys of a role: %+v", k)
	}
	if g := house.Gateway("gate-1"); g == nil || g.Key().Role != RoleGateway || !bytes.Equal(g.Key().Public, seq(5, 32)) || house.Gateway("gate-2") != nil {
		t.Error("gateways of a house")
	}
	if (Batch{Headers: [][]byte{{1}}, Whos: [][]byte{nil}}).Leaf(0)[1] != 0 || !bytes.Equal((Batch{Headers: [][]byte{{1}}, Whos: [][]byte{seq(3, 32)}}).Leaf(0)[1:], seq(3, 32)) {
		t.Error("leaves of a batch")
	}
}

// TestNamesAndTexts: ids go into topics, flats onto screens.
func TestNamesAndTexts(t *testing.T) {
	for _, c := range []struct {
		text       string
		name, flat bool
	}{
		{"", false, false}, {"a-1", true, true}, {strings.Repeat("x", 32), true, true}, {strings.Repeat("x", 33), false, true},
		{strings.Repeat("x", 64), false, true}, {strings.Repeat("x", 65), false, false}, {"A", false, true}, {"a/b", false, true},
		{"3 \u697c 301 \u5ba4", false, true}, {"3\u3000b", false, true}, {"\x1b]0;x\a", false, false}, {"a\tb", false, false}, {"a\u2028b", false, false},
		{"\u202e1b3", false, false}, {"a\u200bb", false, false}, {"\x7f", false, false}, {"\u0085", false, false}, {"\xff", false, false},
	} {
		if ValidName(c.text, false) != c.name || ValidText(c.text) != c.flat {
			t.Errorf("%q: an id %v, a flat %v", c.text, ValidName(c.text, false), ValidText(c.text))
		}
	}
}

// TestIntroduceProof: a proof is good for one gateway and one token.
func TestIntroduceProof(t *testing.T) {
	secret := [16]byte(seq(0x60, 16))
	proof := IntroduceProof(secret, "house-1/gate-1")
	if got := hex.EncodeToString(proof[:]); got != goldenIntroduce {
		t.Error(got)
	}
	if proof == IntroduceProof(secret, "house-1/gate-2") || proof == IntroduceProof([16]byte{}, "house-1/gate-1") {
		t.Error("one proof for two")
	}
}
