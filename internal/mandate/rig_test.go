package mandate

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealing"
)

// noon is when the mandates of the tests are signed: 2026-11-30 04:00 UTC.
const noon = 1_796_011_200

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func public(seed byte) (p [32]byte) {
	copy(p[:], key(seed).Public().(ed25519.PublicKey))
	return p
}

// approvers: seed 1 signs for the town xin, 2 for the whole district north, 3 for another town.
func trust() wire.Trust {
	return wire.Trust{Registry: "city", Approvers: []approver.Approver{
		{Seat: "north", Public: public(2), District: "north"}, {Seat: "other", Public: public(3), District: "north", Town: "lao"}, {Seat: "xin-1", Public: public(1), District: "north", Town: "xin"},
	}}
}

func recipient(t testing.TB) []byte {
	t.Helper()
	_, public, err := sealing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return public
}

// sample asks for a week of one door's passages.
func sample(t testing.TB) Mandate {
	return Mandate{
		Reference: wire.ID{1, 2, 3}, Status: mandates.Active, Issued: noon, Expires: noon + 7*86400, Answers: 2,
		Request: mandates.Request{District: "north", Town: "xin", Building: "house-1", From: noon - 7*86400, Until: noon,
			Gateways: []mandates.Gateway{{ID: "gate-1", Doors: []string{"back", "front"}}, {ID: "gate-2", Doors: []string{"roof"}}}},
		Delivery: mandates.Delivery{Recipient: recipient(t), Format: mandates.EvidenceFile},
		Approval: mandates.Approval{Issuing: mandates.Authority{Name: "新镇派出所", File: "440000-1"}, Validating: mandates.Authority{Name: "北区分局", File: "440000-2"},
			Officers: [2]mandates.Officer{{Unit: "刑侦一队", Badge: "000001", Key: wire.KeyID{7}}, {Unit: "刑侦一队", Badge: "000002", Key: wire.KeyID{8}}},
			Purpose:  "入室盗窃案侦查", Case: "A440000-2026-1", Notice: "调证-2026-1"},
	}
}

func sign(t testing.TB, m Mandate, by ed25519.PrivateKey) []byte {
	t.Helper()
	envelope, err := mandates.Sign(m, "city", by)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

// at is the question of gate-1 at a certain time.
func at(unix int64) Question {
	return Question{Place: wire.Place{District: "north", Town: "xin", Building: "house-1", Gateway: "gate-1"}, Now: trueclock.Interval{Sure: unix, Lo: unix, Hi: unix}}
}
