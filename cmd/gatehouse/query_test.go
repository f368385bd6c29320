//go:build !windows

package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealing"
)

// TestQuery is an officer's way on site, with the tool alone: the mandate is shown to the gateway, the answer
// opened with the recipient's key, and verified by the root. Nobody else opens it, and the gateway's refusals
// are told in both languages.
func TestQuery(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	state := b.path("state")
	issuer, _ := gatewaytest.Keys(t, state)
	approver, approverKey, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	town := gatewaytest.Town{Issuer: issuer, CA: []byte{0}, Approver: approver, Doors: []string{"front", "yard"}}
	town.Enrol(t, state)
	b.serve()
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
	private, public, err := sealing.GenerateKey()
	must(t, err)
	must(t, keys.SaveSealKey(b.path("officer.key"), private))
	place, now := town.Place(), uint32(time.Now().Unix())
	m := mandates.Mandate{Reference: wire.ID{1, 2, 3}, Status: mandates.Active, Issued: now, Expires: now + 3600, Answers: 1,
		Request: mandates.Request{District: place.District, Town: place.Town, Building: place.Building, Gateways: []mandates.Gateway{{ID: place.Gateway, Doors: []string{"front"}}},
			From: now - 3600, Until: now},
		Delivery: mandates.Delivery{Recipient: public, Format: mandates.EvidenceFile},
		Approval: mandates.Approval{Issuing: mandates.Authority{Name: "石桥派出所", File: "440000-1"}, Validating: mandates.Authority{Name: "番禺分局", File: "440000-2"},
			Officers: [2]mandates.Officer{{Unit: "一队", Badge: "000001", Key: wire.KeyID{7}}, {Unit: "一队", Badge: "000002", Key: wire.KeyID{8}}},
			Purpose:  "入室盗窃案侦查", Case: "A440000-2026-1", Notice: "调证-2026-1"}}
	envelope, err := mandates.Sign(m, "town", approverKey)
	must(t, err)
	must(t, os.WriteFile(b.path("mandate"), envelope, 0o600))

	b.fails("", []string{"none 读不了 can't be read: 没有这个文件 there is no such file", "hint: 用 --mandate 写明审批人签名的调取令", "the signed mandate"}, "query", "--mandate", b.path("none"), "--out", b.path("answer"))
	// Nothing is counted where the answer can't be written: the only one is still there afterwards.
	b.fails("", []string{"can't be written: no such file", "nothing is counted"}, "query", "--mandate", b.path("mandate"), "--out", b.path("none/answer"))
	b.fails("", []string{"counts from 1", "hint: 新的查询不写 --use leave --use out"}, "query", "--mandate", b.path("mandate"), "--out", b.path("answer"), "--use", "0")
	out := b.ok("", "query", "--mandate", b.path("mandate"), "--out", b.path("answer"))
	if !strings.Contains(out, "第 1 次答复 answer 1") || !strings.Contains(out, "opened by the recipient's key alone: gatehouse evidence open --key KEY --out NEW.zip FILE") {
		t.Error(out)
	}
	b.fails("", []string{"is there already"}, "query", "--mandate", b.path("mandate"), "--out", b.path("answer"))
	if status, out, errOut := b.tool("", "query", "--mandate", b.path("mandate"), "--out", b.path("more")); status != 1 || !strings.Contains(out, "不予答复 refused: used_up\n") || !strings.Contains(out, "次数用完") ||
		!strings.Contains(out, "has given its 1 answers") || !strings.Contains(errOut, "does not answer the mandate: used_up\nhint: ") || !strings.Contains(errOut, "can be fetched again, not counted: gatehouse query --use N") {
		t.Errorf("used up: %d\n%s%s", status, out, errOut)
	}
	if _, err := os.Stat(b.path("more")); err == nil {
		t.Error("a refusal wrote a file")
	}
	if left, _ := filepath.Glob(b.path("*.new")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	var again struct {
		Use   uint64
		Again bool
		Files []struct{ File, SHA256 string }
	}
	must(t, json.Unmarshal([]byte(b.ok("", "--json", "query", "--mandate", b.path("mandate"), "--out", b.path("again"), "--use", "1")), &again))
	if again.Use != 1 || !again.Again || len(again.Files) != 1 {
		t.Errorf("%+v", again)
	}
	b.fails("", []string{"按这份调取令没有答复过这么多次。 the mandate was not used so often here\nhint: 新的查询请把次数留空。 leave --use out"}, "query", "--mandate", b.path("mandate"), "--out", b.path("more"), "--use", "2")

	opened := b.ok("", "evidence", "open", b.path("answer"), "--key", b.path("officer.key"), "--out", b.path("one.zip"), "--lang", "en")
	b.ok("", "evidence", "open", b.path("again"), "--key", b.path("officer.key"), "--out", b.path("two.zip"))
	one, err := os.ReadFile(b.path("one.zip"))
	must(t, err)
	two, err := os.ReadFile(b.path("two.zip"))
	must(t, err)
	if string(one) != string(two) || !strings.Contains(opened, again.Files[0].SHA256) {
		t.Errorf("two files of one answer differ, or %s", opened)
	}
	root := filepath.Join(state, "keys", keys.RootFile)
	if status, out, errOut := b.tool("", "verify", b.path("one.zip"), "--root", root, "--lang", "en"); status != 3 || !strings.Contains(out, "lane-7/gw1") { // no witness has signed yet
		t.Errorf("verify: %d\n%s%s", status, out, errOut)
	}

	other, _, err := sealing.GenerateKey()
	must(t, err)
	must(t, keys.SaveSealKey(b.path("other.key"), other))
	b.fails("", []string{"this key does not open", "hint: only the recipient"}, "evidence", "open", b.path("answer"), "--key", b.path("other.key"), "--out", b.path("three.zip"), "--lang", "en")
	b.fails("", []string{"打不开", "hint: 只有调取令写明的接收人"}, "evidence", "open", b.path("answer"), "--key", b.path("other.key"), "--out", b.path("three.zip"), "--lang", "zh")
	b.fails("", []string{"has no private key of a recipient"}, "evidence", "open", b.path("answer"), "--key", root, "--out", b.path("three.zip"), "--lang", "en")
	b.fails("", []string{"is there already"}, "evidence", "open", b.path("answer"), "--key", b.path("officer.key"), "--out", b.path("one.zip"), "--lang", "en")
	must(t, os.WriteFile(b.path("cut"), envelope[:len(envelope)/2], 0o600))
	b.fails("", []string{"does not answer the mandate: unsigned"}, "query", "--mandate", b.path("cut"), "--out", b.path("more"))
	if _, err := (control.InquiryRequest{Mandate: envelope, Use: 2}).Ask(t.Context(), b.client); err == nil {
		t.Error("a use that there was not")
	}
}
