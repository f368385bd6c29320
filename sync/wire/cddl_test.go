package wire

import (
	"encoding/hex"
	"slices"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

func fits(m matcher, b []byte) error {
	var item any
	if err := cbor.Unmarshal(b, &item); err != nil {
		return err
	}
	return m(item)
}

// TestCDDL: every message fits its rule, every rule of a message has one, and
// the rule can say no: of each message, the same with a field more is refused.
func TestCDDL(t *testing.T) {
	rules := readCDDL(t)
	used := map[string]bool{}
	check := func(rule string, b []byte) {
		t.Helper()
		used[rule] = true
		if rules[rule] == nil {
			t.Errorf("no rule %s", rule)
		} else if err := fits(rules[rule], b); err != nil {
			t.Errorf("%s: %v\n%x", rule, err, b)
		}
	}
	names, messages := golden(t)
	for i, b := range messages {
		check(names[i], b)
		if b[0] >= 0xa0 && b[0] < 0xb7 { // a small map: one more pair, 99 => 0
			more := append(append([]byte{b[0] + 1}, b[1:]...), 0x18, 0x63, 0)
			if err := fits(rules[names[i]], more); err == nil {
				t.Errorf("%s: a field that nobody knows fits", names[i])
			}
		}
		for _, other := range names {
			if other != names[i] && fits(rules[other], b) == nil {
				t.Errorf("a %s fits the rule of a %s", names[i], other)
			}
		}
	}
	for rule, text := range map[string]string{"header": goldenHeader, "who": goldenWho, "bucket": goldenBucket, "manifest": goldenManifest,
		"envelope": goldenEnvelope} {
		b, err := hex.DecodeString(text)
		check(rule, must(t, b, err))
	}
	header, salt, who := goldenParts(t)
	check("stored", slices.Concat([]byte{0x83}, header, []byte{0x50}, salt[:], who)) // as package journaled writes it
	method, err := hex.DecodeString(goldenWhoMethod)
	check("who", must(t, method, err))
	seen, err := with(testManifest(t), func(m *Manifest) {
		m.Seen = []Seen{{Gateway: "gate-1", Line: 5, Number: 7}, {Gateway: "gate-2", Line: 1}}
	}).Encode()
	check("manifest", must(t, seen, err))
	registers, err := with(testManifest(t), func(m *Manifest) { m.Format, m.Registers = LogFormat, testRegisters() }).Encode()
	check("manifest", must(t, registers, err))
	for rule := range rules {
		if _, isMessage := rules[rule]; isMessage && !used[rule] && !partOfOthers[rule] {
			t.Errorf("rule %s has no example", rule)
		}
	}
}

// partOfOthers are the rules that stand within messages, and what CDDL brings along.
var partOfOthers = map[string]bool{"uint": true, "int": true, "bytes": true, "text": true, "bool": true, "true": true,
	"name": true, "id": true, "credential-id": true, "hash": true, "nonce": true, "public-key": true, "signature": true, "kem-key": true,
	"seconds": true, "clock": true, "places": true, "protected": true, "grant": true, "seen": true, "register": true, "line": true, "role-key": true,
	"house-gateway": true, "doors": true, "who-hash": true, "sealed-who": true, "who-seal": true, "raw-card": true, "label": true, "floor": true, "fixed": true, "correction": true, "approver": true, "retention": true,
	"mandate-request": true, "mandate-delivery": true, "mandate-approval": true, "mandate-authority": true, "mandate-officer": true, "mandate-telling": true}
