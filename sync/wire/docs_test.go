package wire

import (
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestProtocolPage: the bytes that docs/protocol.md shows are the golden ones,
// and every message has its example there.
func TestProtocolPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/protocol.md")
	must(t, text, err)
	rules, bytes := golden(t)
	want := map[string]string{}
	for i := len(rules) - 1; i >= 0; i-- { // the first of a rule
		want[rules[i]] = hex.EncodeToString(bytes[i])
	}
	shown := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+): ([0-9a-f]{20,})(…?)`).FindAllStringSubmatch(string(text), -1) {
		rule, got, whole := m[1], m[2], m[3] == ""
		shown[rule] = true
		if !strings.HasPrefix(want[rule], got) || whole && want[rule] != got {
			t.Errorf("%s is %s in the page", rule, got)
		}
	}
	for rule := range want {
		if !shown[rule] {
			t.Errorf("no example of %s in the page", rule)
		}
	}
}
