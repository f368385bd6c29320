package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/device/idcard/idcardtest"
	"gatehouse/internal/control"
)

// numbered adds the check digit to 17 made-up ones.
func numbered(digits string) string {
	sum := 0
	for i := range digits {
		sum += int(digits[i]-'0') * (1 << (17 - i) % 11)
	}
	return digits + string("10X98765432"[sum%11])
}

// made-up people, of areas that were never given out.
var (
	laidTenant    = idcardtest.Card{Kind: ' ', Name: tenantName, Number: tenantNumber(), Until: "长期"}
	laidCitizen   = idcardtest.Card{Kind: ' ', Name: "测试甲", Number: tenantNumber(), Until: "长期"}
	laidExpired   = idcardtest.Card{Kind: 'J', Name: "测试乙", Number: numbered("81000019000307123"), Until: "20200101"}
	laidForeigner = idcardtest.Card{Kind: 'Y', English: "TESTPERSON, DREI", Name: "测试丙", Number: numbered("94400019900307001"), Until: "29990101"}
	laidOld       = idcardtest.Card{Kind: 'I', English: "TESTPERSON, VIER", Number: "ZZZ440090030701", Until: "29990101"}
)

// idCardDesk is a module on a pseudo-terminal.
func idCardDesk(t *testing.T) (*idcardtest.Module, string) {
	t.Helper()
	m, err := idcardtest.NewTerminal(filepath.Join(t.TempDir(), "idcard"), 1)
	must(t, err)
	done := make(chan error, 1)
	go func() { done <- m.Run(t.Context()) }()
	t.Cleanup(func() {
		<-done // the test's context has ended
		_ = m.Close()
	})
	return m, m.Path()
}

// TestCheckInByCard: with the daemon, and a card that answers instead of the
// landlord. Nobody's name or number stands anywhere afterwards.
func TestCheckInByCard(t *testing.T) {
	b := newBench(t)
	b.enrolled()
	stop := b.serve()
	b.ok("", "clock", "confirm")
	m, port := idCardDesk(t)
	m.Misbehave(idcardtest.Faults{Split: true, Noise: 3, WrongCheck: 1})
	m.Place(laidTenant)
	swipes := []swipe{{door: "front", card: tenantCard}, {door: "yard", card: tenantCard}}
	status, out, errOut := b.with(lines("", "3B", "left door", "", "", "", "contract", "yes", "4711"), swipes, "checkin", "--id-card", port)
	if status != 0 || !strings.Contains(out, "3B (left door): its card opens front, yard now") {
		t.Fatalf("status %d: %s%s", status, out, errOut)
	}
	said := out + errOut
	b.opens(tenantCard, "front", "yard")

	m.Misbehave(idcardtest.Faults{})
	m.Place(laidExpired)
	t.Setenv("GATEHOUSE_ID_CARD", port)
	const second = tenantCard + 2
	status, out, errOut = b.with(`{"flat":"3A","basis":"contract","informed":true}`, []swipe{{door: "yard", card: second}}, "--json", "checkin", "--answers", "-", "--reader", "yard", "--once")
	var done control.Done
	if status != 0 || json.Unmarshal([]byte(out), &done) != nil || !strings.Contains(strings.Join(done.Remarks, " "), "no longer valid") {
		t.Fatalf("status %d: %s%s", status, out, errOut)
	}
	said += out + errOut
	_, shown, _ := b.tool("", "log", "--all")
	_, listed, _ := b.tool("", "--json", "tenancy", "list")
	said += shown + listed
	stop()
	b.nobody(said)
	for _, raw := range []string{laidExpired.Name, laidExpired.Number} {
		if strings.Contains(said, raw) {
			t.Error("the second tenant stands somewhere")
		}
	}
}

// TestIDCardTest: the installer's question.
func TestIDCardTest(t *testing.T) {
	t.Parallel()
	m, port := idCardDesk(t)
	m.Place(laidCitizen)
	var out, errOut bytes.Buffer
	call := func(args ...string) int {
		out.Reset()
		errOut.Reset()
		return run(t.Context(), args, strings.NewReader(""), &out, &errOut)
	}
	if s := call("idcard", "test", "--port", port); s != 0 || !strings.Contains(out.String(), "is ready, number 05.03-20200101-0000000001-0000000002") {
		t.Errorf("status %d: %s%s", s, &out, &errOut)
	}
	var state struct{ State string }
	if s := call("--json", "idcard", "test", "--port", port, "--baud", "9600"); s != 0 || json.Unmarshal(out.Bytes(), &state) != nil || state.State != "ready" {
		t.Errorf("status %d: %s%s", s, &out, &errOut)
	}
	m.Misbehave(idcardtest.Faults{Silent: true})
	if s := call("idcard", "test", "--port", port); s != 1 || !strings.Contains(errOut.String(), "does not answer") || strings.Contains(errOut.String(), "type what") {
		t.Errorf("status %d: %s", s, &errOut)
	}
	if s := call("idcard", "test", "--port", port, "--baud", "4800"); s != 1 || !strings.Contains(errOut.String(), "4800") {
		t.Errorf("status %d: %s", s, &errOut)
	}
	for _, c := range m.Commands() {
		if c[0] >= 0x20 {
			t.Errorf("a test asks for %X", c)
		}
	}
}
