package mandates

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"gatehouse/sync/wire"
)

func seq(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// sample is that of golden.txt.
func sample() Mandate {
	return Mandate{
		Reference: wire.ID(seq(0x50, 16)), Status: Active, Issued: 1_790_000_000, Expires: 1_790_604_800, Answers: 2,
		Request: Request{District: "north", Town: "xin", Building: "house-1", From: 1_789_900_000, Until: 1_790_000_000,
			Gateways: []Gateway{{ID: "gate-1", Doors: []string{"bikes", "front"}}}, Flats: []string{"1-101"},
			Cards: []wire.CredentialID{wire.CredentialID(seq(1, 17))}, Tenancies: []wire.ID{wire.ID(seq(0x40, 16))}},
		Delivery: Delivery{Recipient: seq(1, 32), Format: EvidenceFile},
		Approval: Approval{Issuing: Authority{Name: "新镇派出所", File: "440000-1"}, Validating: Authority{Name: "北区分局", File: "440000-2"},
			Officers: [2]Officer{{Unit: "刑侦一队", Badge: "000001", Key: wire.KeyID(seq(0x10, 8))}, {Unit: "刑侦一队", Badge: "000002", Key: wire.KeyID(seq(0x20, 8))}},
			Purpose:  "盗窃案侦查", Case: "A440000-2026-1", Notice: "调证-2026-1"},
	}
}

// TestGolden: the payloads are the bytes of golden.txt, and are read back to themselves, each by its version.
func TestGolden(t *testing.T) {
	for rule, telling := range map[string]*Telling{"mandate": nil, "mandate-two": {From: 1_790_604_800}, "": {Basis: "刑事诉讼法第五十四条"}} {
		said := sample()
		said.Telling = telling
		b, err := Encode(said)
		if err != nil {
			t.Fatal(err)
		}
		if rule != "" {
			isGolden(t, rule, b)
		}
		m, err := Decode(b)
		if err != nil || !m.Request.Named() || len(m.Request.Doors("gate-1")) != 2 || m.Request.Doors("gate-2") != nil || !reflect.DeepEqual(m.Telling, telling) || m.Version() != said.Version() {
			t.Errorf("%s: %+v, %v", rule, m, err)
		}
	}
}

// isGolden compares bytes with those of a rule in golden.txt.
func isGolden(t *testing.T, rule string, b []byte) {
	t.Helper()
	text, err := os.ReadFile("../testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "\n"+rule+":\n")
	body, _, _ := strings.Cut(after, "\n\n")
	if want := strings.Join(strings.Fields(body), ""); want != hex.EncodeToString(b) {
		t.Errorf("\n got %x\nwant %s", b, want)
	}
}

// TestRefuses: what no mandate may say is neither written nor read.
func TestRefuses(t *testing.T) {
	for name, change := range map[string]func(m *Mandate){
		"no reference":             func(m *Mandate) { m.Reference = wire.ID{} },
		"no status":                func(m *Mandate) { m.Status = 0 },
		"withdrawn, no reason":     func(m *Mandate) { m.Status = Withdrawn },
		"active, with a reason":    func(m *Mandate) { m.StatusReason = "why" },
		"no time":                  func(m *Mandate) { m.Issued = 0 },
		"over before it begins":    func(m *Mandate) { m.Expires = m.Issued },
		"no answer":                func(m *Mandate) { m.Answers = 0 },
		"another format":           func(m *Mandate) { m.Delivery.Format = 2 },
		"a long key":               func(m *Mandate) { m.Delivery.Recipient = make([]byte, maxKEM+1) },
		"no building":              func(m *Mandate) { m.Request.Building = "" },
		"every building":           func(m *Mandate) { m.Request.Building = "*" },
		"every door":               func(m *Mandate) { m.Request.Gateways[0].Doors = []string{"*"} },
		"a gateway without doors":  func(m *Mandate) { m.Request.Gateways[0].Doors = nil },
		"a door twice":             func(m *Mandate) { m.Request.Gateways[0].Doors = []string{"front", "front"} },
		"a gateway twice":          func(m *Mandate) { m.Request.Gateways = append(m.Request.Gateways, m.Request.Gateways[0]) },
		"too many gateways":        func(m *Mandate) { m.Request.Gateways = make([]Gateway, MaxGateways+1) },
		"no span":                  func(m *Mandate) { m.Request.Until = m.Request.From },
		"since ever":               func(m *Mandate) { m.Request.From = 0 },
		"a flat twice":             func(m *Mandate) { m.Request.Flats = []string{"1-101", "1-101"} },
		"a flat that turns around": func(m *Mandate) { m.Request.Flats = []string{"1\u202e01"} },
		"cards out of order":       func(m *Mandate) { m.Request.Cards = []wire.CredentialID{{2}, {1}} },
		"a tenancy twice":          func(m *Mandate) { m.Request.Tenancies = []wire.ID{{2}, {2}} },
		"too many flats":           func(m *Mandate) { m.Request.Flats = make([]string, MaxSubjects+1) },
		"a long purpose":           func(m *Mandate) { m.Approval.Purpose = strings.Repeat("案", 65) },
		"told and never told":      func(m *Mandate) { m.Telling = &Telling{From: 1, Basis: "法"} },
		"neither":                  func(m *Mandate) { m.Telling = &Telling{} },
		"a law in two lines":       func(m *Mandate) { m.Telling = &Telling{Basis: "一\n二"} },
		"a badge in two lines":     func(m *Mandate) { m.Approval.Officers[1].Badge = "1\n2" },
	} {
		m := sample()
		change(&m)
		if _, err := Encode(m); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLaws: no cut passes, nor a byte more, nor a changed bit as what it is not.
func TestLaws(t *testing.T) {
	b, err := Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	for n := range b {
		if _, err := Decode(b[:n]); err == nil {
			t.Errorf("accepted when cut to %d of %d bytes", n, len(b))
		}
	}
	if _, err := Decode(append(bytes.Clone(b), 0)); err == nil {
		t.Error("accepted with a byte behind it")
	}
	for i := range len(b) * 8 {
		changed := bytes.Clone(b)
		changed[i/8] ^= 1 << (i % 8)
		if m, err := Decode(changed); err == nil {
			if again, err := Encode(m); err != nil || !bytes.Equal(again, changed) {
				t.Errorf("bit %d changed is read as other bytes: %v", i, err)
			}
		}
	}
}

// TestSign: the envelope is an approver's, for one registry.
func TestSign(t *testing.T) {
	key := ed25519.NewKeyFromSeed(seq(0, ed25519.SeedSize))
	envelope, err := Sign(sample(), "city", key)
	if err != nil {
		t.Fatal(err)
	}
	keys := []wire.Key{{Role: wire.RoleApprover, Public: key.Public().(ed25519.PublicKey)}}
	if _, _, err := wire.Open(envelope, wire.Expect{Type: Type, Role: wire.RoleApprover, Address: "city"}, keys); err != nil {
		t.Error(err)
	}
	if _, err := Sign(Mandate{}, "city", key); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("nothing: %v", err)
	}
}

// FuzzDecode: no payload ends it, what is taken is written again as the same bytes, and no part of it is taken.
func FuzzDecode(f *testing.F) {
	b, err := Encode(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			return
		}
		if again, err := Encode(m); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x is written again as %x: %v", b, again, err)
		}
		for n := range b {
			if _, err := Decode(b[:n]); err == nil {
				t.Fatalf("%x is taken when cut to %d", b, n)
			}
		}
	})
}
